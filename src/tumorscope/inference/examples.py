"""Some training images as the network sees them, to find those that look like an input.

A bundle keeps their classes and embeddings, not their pictures and not their names. The file has a
row an image: the number of its class, uint8, and its embedding at length 127, int8.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorscope.errors import BundleError
from tumorscope.inference.bundle import EXAMPLES, Bundle

DRAWN = 500  # training images
SCALE = 127


def drawn_examples(rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return some of a model's training images, always the same.

    Args:
        rows: all of them, in the order of the data set.
    """
    return np.random.default_rng(0).permutation(rows)[:DRAWN]


def unit(features: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return embeddings at length one, so that their product is the cosine; shape as given."""
    own = features.astype(np.float32)
    return np.asarray(own / np.maximum(np.linalg.norm(own, axis=-1, keepdims=True), 1e-9))


def pack_examples(classes: NDArray[np.intp], features: NDArray[np.floating]) -> bytes:
    """Return the content of the file.

    Args:
        classes: their numbers, shape (n,).
        features: embeddings, shape (n, features).
    """
    rounded = np.rint(unit(features) * SCALE).astype(np.int8).view(np.uint8)
    return np.column_stack([classes.astype(np.uint8), rounded]).tobytes()


@dataclass(frozen=True)
class Neighbour:
    """A training image that looks like an input to the network.

    Attributes:
        number: among the examples.
        label: its class.
        likeness: the cosine of the two embeddings.
    """

    number: int
    label: str
    likeness: float


class Examples:
    """Classes and embeddings of some training images."""

    def __init__(self, bundle: Bundle) -> None:
        """Read them; a bundle of an earlier version has none.

        Raises:
            BundleError: the file is not one row an image.
        """
        content = bundle.read(EXAMPLES) if EXAMPLES in bundle else b""
        width = bundle.card.embedding + 1
        if len(content) % width:
            raise BundleError(f"{bundle.place / EXAMPLES} is damaged: take a fresh copy.")
        rows = np.frombuffer(content, np.uint8).reshape(-1, width)
        if len(rows) and rows[:, 0].max() >= len(bundle.card.classes):
            raise BundleError(f"{bundle.place / EXAMPLES} is damaged: take a fresh copy.")
        self._classes, self._features = rows[:, 0], unit(rows[:, 1:].view(np.int8))
        self._names = bundle.card.classes

    def nearest(self, embedding: NDArray[np.floating], count: int) -> list[Neighbour]:
        """Return the examples that look most like an input, the most similar first.

        Args:
            embedding: of the input, shape (features,).
            count: how many at most.
        """
        likeness = self._features @ unit(embedding)
        first = np.argsort(-likeness, kind="stable")[:count]
        return [Neighbour(int(n), self._names[self._classes[n]], float(likeness[n])) for n in first]
