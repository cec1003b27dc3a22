"""Small pictures with a caption, chosen at random from a part or a class."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tumorscope.evaluation import Evaluation
from tumorscope.records import Part, Partition
from tumorscope.store import Store


@dataclass(frozen=True)
class Tile:
    """One picture of a grid.

    Attributes:
        pixels: uint8, shape (side, side).
        image: its path in the data set.
        actual: its class.
        predicted: what the model says; None where it was not asked.
    """

    pixels: NDArray[np.uint8]
    image: str
    actual: str
    predicted: str | None = None

    @property
    def wrong(self) -> bool:
        """Whether the model says something else than the label."""
        return self.predicted is not None and self.predicted != self.actual

    @property
    def uri(self) -> str:
        """The picture as a data URI."""
        buffer = BytesIO()
        Image.fromarray(self.pixels).save(buffer, "PNG")
        return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def predicted_tiles(
    store: Store, evaluation: Evaluation, partition: Partition, part: Part, count: int = 12
) -> list[Tile]:
    """Draw images of one part at random, with their actual and predicted class."""
    names = store.manifest.classes
    rows = _draw(partition.where(part), count)
    return [
        Tile(
            pixels,
            store.manifest.rows[row].image,
            names[evaluation.labels[row]],
            names[evaluation.predicted[row]],
        )
        for row, pixels in zip(rows, store.pixels(rows), strict=True)
    ]


def sample_tiles(store: Store, labels: NDArray[np.intp], each: int = 4) -> list[list[Tile]]:
    """Draw images of each class at random, a list a class."""
    return [
        _class_tiles(store, _draw(np.flatnonzero(labels == number), each))
        for number in range(len(store.manifest.classes))
    ]


def _class_tiles(store: Store, rows: NDArray[np.intp]) -> list[Tile]:
    shown: Sequence[NDArray[np.uint8]] = list(store.pixels(rows))
    listed = [store.manifest.rows[row] for row in rows]
    return [Tile(pixels, r.image, r.label) for pixels, r in zip(shown, listed, strict=True)]


def _draw(rows: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """Draw without replacement; the same rows give the same draw, so that reports repeat."""
    generator = np.random.default_rng(len(rows))
    return generator.choice(rows, size=min(count, len(rows)), replace=False)
