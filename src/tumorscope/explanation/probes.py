"""What can be told from what a network makes of an image, beside the class."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tumorscope.evaluation.controls import probe
from tumorscope.explanation.pictures import Pictures
from tumorscope.explanation.reliance import CHUNK
from tumorscope.model.changes import background_alone, mirrored
from tumorscope.schema.explained import EmbeddingProbe
from tumorscope.schema.scores import Score

Embed = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

CLASS, OF_BACKGROUND, MIRROR = "class", "class, from the background alone", "mirrored or not"


def probe_embedding(
    embed: Embed,
    pictures: Pictures,
    columns: Mapping[str, Sequence[str]],
    right: NDArray[np.bool_],
) -> tuple[EmbeddingProbe, ...]:
    """Try linear classifiers on the embedding of some images.

    Args:
        embed: images of the model's size to features, shape (n, features).
        pictures: test images.
        columns: a value of each of them, by the column's name, such as `file format`.
        right: whether the model's answer to each is right, shape (n,).

    Returns:
        The class first, then the class from images whose head is black, whether an image is
        mirrored, and each column that can be tried; with the latter, whether the model is as often
        right where the column speaks for another class.
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
    for name, own in columns.items():
        tried = _tried(name, seen, np.array(own), groups)
        found.append(tried and tried.model_copy(update=_by_pattern(np.array(own), right, pictures)))
    return tuple(one for one in found if one is not None)


def _embedded(embed: Embed, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.concatenate([embed(pixels[n : n + CHUNK]) for n in range(0, len(pixels), CHUNK)])


def _by_pattern(
    values: NDArray[np.str_], right: NDArray[np.bool_], pictures: Pictures
) -> dict[str, Score]:
    """Return how often the model is right where a column speaks for the class, and where not.

    The column speaks for the class that is the most frequent one among the images of its value.
    Nothing is said of a column whose every value speaks for the same class.
    """
    spoken = np.empty_like(pictures.labels)
    for value in np.unique(values):
        own = values == value
        names, counts = np.unique(pictures.labels[own], return_counts=True)
        spoken[own] = names[counts.argmax()]
    agrees = spoken == pictures.labels
    if len(np.unique(spoken)) < 2 or agrees.all():
        return {}
    return {
        "right_with": pictures.mean_where(right.astype(np.float64), agrees),
        "right_against": pictures.mean_where(right.astype(np.float64), ~agrees),
    }


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
