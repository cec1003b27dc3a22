"""Slices in which one thing is missing: the lesion, the background, the skull."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tumorscope.records import Box

Pixels = NDArray[np.uint8]

MARGIN = 1.2  # times its sides, by which a box is made larger before it is filled
FILLED = 256 << 20  # bytes of slices without their lesion that training keeps
ROUNDS = 400  # of smoothing, after which a filled place is as smooth as its surround
BACKGROUND = 20  # grey levels, below which nothing belongs to the head
RIM = 0.07  # of the side: how thick scalp and skull are taken to be


def box_mask(boxes: Sequence[Box], side: int) -> NDArray[np.bool_]:
    """Return the places that boxes cover, shape (side, side)."""
    mask = np.zeros((side, side), bool)
    for box in boxes:
        top, bottom = (round((box.y_center + half * box.height) * side) for half in (-0.5, 0.5))
        left, right = (round((box.x_center + half * box.width) * side) for half in (-0.5, 0.5))
        mask[max(0, top) : max(bottom, top + 1), max(0, left) : max(right, left + 1)] = True
    return mask


def without_lesion(pixels: Pixels, boxes: Sequence[Box]) -> Pixels:
    """Fill the boxes, a fifth wider, smoothly from what surrounds them (Laplace's equation)."""
    wider = [
        Box(own.x_center, own.y_center, own.width * MARGIN, own.height * MARGIN) for own in boxes
    ]
    mask = box_mask(wider, len(pixels))
    if not mask.any() or mask.all():
        return pixels.copy()
    down, across = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    rows, columns = (slice(max(own[0] - 1, 0), own[-1] + 2) for own in (down, across))
    found = np.pad(pixels[rows, columns].astype(np.float32), 1, mode="edge")
    inside = np.pad(mask[rows, columns], 1)
    around = pixels[rows, columns][~mask[rows, columns]]
    found[inside] = around.mean() if around.size else pixels[~mask].mean()
    for _ in range(ROUNDS):
        sums = found[:-2, 1:-1] + found[2:, 1:-1] + found[1:-1, :-2] + found[1:-1, 2:]
        found[1:-1, 1:-1] = np.where(inside[1:-1, 1:-1], sums / 4, found[1:-1, 1:-1])
    filled = pixels.copy()
    filled[rows, columns] = np.rint(found[1:-1, 1:-1])
    return filled


class FilledLesions:
    """Training slices without their lesion, each filled once, as many as fit into memory."""

    def __init__(self, limit: int = FILLED) -> None:
        """Start without any.

        Args:
            limit: bytes that are kept.
        """
        self._kept: dict[int, Pixels] = {}
        self._left = limit

    def fill(self, row: int, pixels: Pixels, boxes: Sequence[Box]) -> Pixels:
        """Return what `without_lesion` does of the slice in a row of the data set."""
        kept = self._kept.get(row)
        if kept is None:
            kept = without_lesion(pixels, boxes)
            if kept.nbytes <= self._left:
                self._left -= kept.nbytes
                self._kept[row] = kept
        return kept


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
