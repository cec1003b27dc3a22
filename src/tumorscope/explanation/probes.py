"""What can be told from what a network makes of an image, beside the class."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tumorscope.evaluation.controls import probe
from tumorscope.explanation.pictures import Pictures
from tumorscope.explanation.reliance import CHUNK
from tumorscope.model.changes import background_alone, mirrored
from tumorscope.schema.explained import EmbeddingProbe

Embed = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

CLASS, OF_BACKGROUND, MIRROR = "class", "class, from the background alone", "mirrored or not"


def probe_embedding(
    embed: Embed, pictures: Pictures, columns: Mapping[str, Sequence[str]]
) -> tuple[EmbeddingProbe, ...]:
    """Try linear classifiers on the embedding of some images.

    Args:
        embed: images of the model's size to features, shape (n, features).
        pictures: test images.
        columns: a value of each of them, by the column's name, such as `file format`.

    Returns:
        The class first, then the class from images whose head is black, whether an image is
        mirrored, and each column that can be tried.
    """
    groups = np.unique(pictures.groups, return_inverse=True)[1]
    seen = _embedded(embed, pictures.pixels)
    turned = np.stack([mirrored(image, ()) for image in pictures.pixels])
    around = np.stack([background_alone(image, ()) for image in pictures.pixels])
    labels = pictures.labels
    found = [
        _tried(CLASS, seen, labels, groups),
        _tried(OF_BACKGROUND, _embedded(embed, around), labels, groups),
        _tried(
            MIRROR,
            np.concatenate([seen, _embedded(embed, turned)]),
            np.repeat(["as it is", "mirrored"], len(seen)),
            np.concatenate([groups, groups]),
        ),
    ]
    found += [_tried(name, seen, np.array(own), groups) for name, own in columns.items()]
    return tuple(one for one in found if one is not None)


def _embedded(embed: Embed, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.concatenate([embed(pixels[n : n + CHUNK]) for n in range(0, len(pixels), CHUNK)])


def _tried(
    name: str, seen: NDArray[np.float32], values: NDArray[np.str_], groups: NDArray[np.intp]
) -> EmbeddingProbe | None:
    """Return the probe of one thing; None where it has one value or a value too few groups."""
    names, numbers = np.unique(values, return_inverse=True)
    common = np.flatnonzero([len(set(groups[numbers == n])) >= 3 for n in range(len(names))])
    kept = np.isin(numbers, common)
    if len(common) < 2:
        return None
    found = probe(seen[kept], numbers[kept], groups[kept], linear=True)
    if found is None:
        return None
    return EmbeddingProbe(
        told=name,
        accuracy=found.accuracy,
        majority=found.majority,
        values=len(common),
        images=found.n,
    )
