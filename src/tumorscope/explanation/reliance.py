"""Images in which one thing is missing: would the model answer the same without it?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tumorscope.explanation.pictures import Pictures
from tumorscope.model.changes import (
    background_alone,
    lesion_alone,
    mirrored,
    turned,
    without_background,
    without_lesion,
    without_skull,
)
from tumorscope.records import Box
from tumorscope.schema.explained import Reliance
from tumorscope.support.progress import Task

Pixels = NDArray[np.uint8]

CHUNK = 32


class Answering(Protocol):
    """What gives probabilities for images of its size, as a `Predictor` does."""

    def probabilities(self, pixels: Pixels) -> NDArray[np.float32]:
        """Return the probability of each class, shape (n, classes)."""


Change = Callable[[Pixels, Sequence[Box]], Pixels]
LESION_FILLED, LESION_ALONE, BACKGROUND_ALONE = "lesion filled", "lesion alone", "background alone"
OF_LESIONS: dict[str, Change] = {LESION_FILLED: without_lesion, LESION_ALONE: lesion_alone}
CHANGES: dict[str, Change] = {
    **OF_LESIONS,
    "skull stripped": without_skull,
    "background black": without_background,
    BACKGROUND_ALONE: background_alone,
    "mirrored": mirrored,
    "turned by 90°": turned,
}


@dataclass(frozen=True)
class Shift:
    """What one change does to the answer to each of some images.

    Attributes:
        other: whether the most probable class becomes another, float, 0 or 1, shape (n,); nan for
            images that cannot be changed so.
        fall: of the probability of the class that was answered, float in [-1, 1], likewise.
    """

    other: NDArray[np.float64]
    fall: NDArray[np.float64]


def measure_reliance(
    model: Answering, pictures: Pictures, before: NDArray[np.float32], task: Task
) -> dict[str, Shift]:
    """Answer images again with something missing.

    Args:
        model: what answers.
        pictures: test images; changes of lesions are made where one is marked.
        before: the probabilities that it gives them as they are, shape (n, classes).
        task: advanced by each image of each change.

    Returns:
        By name of the change.
    """
    found = {}
    for name, change in CHANGES.items():
        rows = pictures.marked if name in OF_LESIONS else np.arange(len(pictures))
        task.advance(len(pictures) - len(rows))
        other, fall = np.full((2, len(pictures)), np.nan)
        if len(rows):
            after = _changed_answers(model, pictures.some(rows), change, task)
            answers = before[rows].argmax(axis=1)
            each = np.arange(len(rows))
            other[rows] = after.argmax(axis=1) != answers
            fall[rows] = before[rows, answers] - after[each, answers]
        found[name] = Shift(other, fall)
    return found


def score_reliance(
    found: Mapping[str, Shift], pictures: Pictures, classes: Sequence[str]
) -> tuple[Reliance, ...]:
    """Say how often and how far answers change.

    Args:
        found: by change; changes that no image allows are left out.
        pictures: the images.
        classes: the model's.
    """
    scores = []
    for name, shift in found.items():
        rows = np.flatnonzero(~np.isnan(shift.other))
        if not len(rows):
            continue
        own, other = pictures.some(rows), shift.other[rows]
        scores.append(
            Reliance(
                change=name,
                changed=own.mean(other),
                fall=own.mean(shift.fall[rows], "signed"),
                per_class={label: own.mean_where(other, own.labels == label) for label in classes},
            )
        )
    return tuple(scores)


def is_right(
    probabilities: NDArray[np.float32], pictures: Pictures, classes: Sequence[str]
) -> NDArray[np.bool_]:
    """Return whether the most probable of the classes is that of each image, shape (n,)."""
    return np.array(np.array(classes)[probabilities.argmax(axis=1)] == pictures.labels, np.bool_)


def answered(model: Answering, pixels: Pixels) -> NDArray[np.float32]:
    """Return the probability of each class for many images, some at a time."""
    return np.concatenate(
        [model.probabilities(pixels[n : n + CHUNK]) for n in range(0, len(pixels), CHUNK)]
    )


def _changed_answers(
    model: Answering, pictures: Pictures, change: Change, task: Task
) -> NDArray[np.float32]:
    answers = []
    for start in range(0, len(pictures), CHUNK):
        some = slice(start, start + CHUNK)
        images = zip(pictures.pixels[some], pictures.boxes[some], strict=True)
        changed = [change(image, boxes) for image, boxes in images]
        answers.append(model.probabilities(np.stack(changed)))
        task.advance(len(changed))
    return np.concatenate(answers)
