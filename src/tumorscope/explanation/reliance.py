"""Images in which one thing is missing: would the model answer the same without it?"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tumorscope.explanation.measures import box_mask
from tumorscope.explanation.pictures import Pictures
from tumorscope.records import Box
from tumorscope.schema.explained import Reliance
from tumorscope.support.progress import Task

Pixels = NDArray[np.uint8]

MARGIN = 1.2  # times its sides, by which a box is made larger before it is filled
ROUNDS = 400  # of smoothing, after which a filled place is as smooth as its surround
BACKGROUND = 20  # grey levels, below which nothing belongs to the head
RIM = 0.07  # of the side: how thick scalp and skull are taken to be
CHUNK = 32


class Answering(Protocol):
    """What gives probabilities for images of its size, as a `Predictor` does."""

    def probabilities(self, pixels: Pixels) -> NDArray[np.float32]:
        """Return the probability of each class, shape (n, classes)."""


def without_lesion(pixels: Pixels, boxes: Sequence[Box]) -> Pixels:
    """Fill the boxes smoothly from what surrounds them (Laplace's equation)."""
    wider = [
        Box(own.x_center, own.y_center, own.width * MARGIN, own.height * MARGIN) for own in boxes
    ]
    mask = box_mask(wider, len(pixels))
    found = np.pad(pixels.astype(np.float32), 1, mode="edge")
    inside = np.pad(mask, 1)
    if not mask.all() and mask.any():
        found[inside] = found[1:-1, 1:-1][~mask].mean()
    for _ in range(ROUNDS):
        around = (
            np.roll(found, 1, 0)
            + np.roll(found, -1, 0)
            + np.roll(found, 1, 1)
            + np.roll(found, -1, 1)
        )
        found[inside] = around[inside] / 4
    return np.rint(found[1:-1, 1:-1]).astype(np.uint8)


def lesion_alone(pixels: Pixels, boxes: Sequence[Box]) -> Pixels:
    """Blacken everything but the boxes."""
    return np.where(box_mask(boxes, len(pixels)), pixels, 0).astype(np.uint8)


def head_mask(pixels: Pixels) -> NDArray[np.bool_]:
    """Return where the head is: the largest connected bright region, and what it encloses."""
    from scipy import ndimage  # noqa: PLC0415 (of an extra)

    regions, count = ndimage.label(pixels >= BACKGROUND)
    if not count:
        return np.zeros(pixels.shape, bool)
    sizes = np.bincount(regions.flat)[1:]
    return np.asarray(ndimage.binary_fill_holes(regions == 1 + int(sizes.argmax())), bool)


def without_background(pixels: Pixels, boxes: Sequence[Box]) -> Pixels:  # noqa: ARG001 (as the others)
    """Blacken everything outside of the head."""
    return np.where(head_mask(pixels), pixels, 0).astype(np.uint8)


def background_alone(pixels: Pixels, boxes: Sequence[Box]) -> Pixels:  # noqa: ARG001 (as the others)
    """Blacken the head."""
    return np.where(head_mask(pixels), 0, pixels).astype(np.uint8)


def without_skull(pixels: Pixels, boxes: Sequence[Box]) -> Pixels:
    """Blacken the outermost 7 % of the head, where scalp and skull are, but for the lesion."""
    from scipy import ndimage  # noqa: PLC0415 (of an extra)

    depth = ndimage.distance_transform_edt(np.pad(head_mask(pixels), 1))[1:-1, 1:-1]
    kept = (depth > RIM * len(pixels)) | box_mask(boxes, len(pixels))
    return np.where(kept, pixels, 0).astype(np.uint8)


def mirrored(pixels: Pixels, boxes: Sequence[Box]) -> Pixels:  # noqa: ARG001 (as the others)
    """Exchange left and right."""
    return np.ascontiguousarray(pixels[:, ::-1])


def turned(pixels: Pixels, boxes: Sequence[Box]) -> Pixels:  # noqa: ARG001 (as the others)
    """Turn by a quarter."""
    return np.ascontiguousarray(np.rot90(pixels))


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


def measure_reliance(
    model: Answering, pictures: Pictures, classes: Sequence[str], task: Task
) -> tuple[Reliance, ...]:
    """Say how often and how far answers change, by what is missing.

    Args:
        model: what answers.
        pictures: test images; changes of lesions are made where one is marked.
        classes: the model's.
        task: advanced by each image of each change.
    """
    before = answered(model, pictures.pixels)
    found = []
    for name, change in CHANGES.items():
        rows = pictures.marked if name in OF_LESIONS else np.arange(len(pictures))
        task.advance(len(pictures) - len(rows))
        if len(rows):
            some = pictures.some(rows)
            after = _changed_answers(model, some, change, task)
            found.append(_reliance(name, before[rows], after, some, classes))
    return tuple(found)


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


def _reliance(
    name: str,
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    pictures: Pictures,
    classes: Sequence[str],
) -> Reliance:
    answers, rows = before.argmax(axis=1), np.arange(len(before))
    other = (after.argmax(axis=1) != answers).astype(np.float64)
    fall = (before[rows, answers] - after[rows, answers]).astype(np.float64)
    return Reliance(
        change=name,
        changed=pictures.mean(other),
        fall=pictures.mean(fall, "signed"),
        per_class={
            label: pictures.mean_where(other, pictures.labels == label) for label in classes
        },
    )
