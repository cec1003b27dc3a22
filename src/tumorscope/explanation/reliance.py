"""Images in which one thing is missing: would the model answer the same without it?"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tumorscope.explanation.measures import box_mask
from tumorscope.records import Box

Pixels = NDArray[np.uint8]

MARGIN = 1.2  # times its sides, by which a box is made larger before it is filled
ROUNDS = 400  # of smoothing, after which a filled place is as smooth as its surround
BACKGROUND = 20  # grey levels, below which what is connected to the edge is background


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


def without_background(pixels: Pixels, boxes: Sequence[Box]) -> Pixels:  # noqa: ARG001 (as the others)
    """Blacken what is dark and connected to the edge."""
    from scipy import ndimage  # noqa: PLC0415 (of an extra)

    regions, _ = ndimage.label(pixels < BACKGROUND)
    edge = np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]])
    return np.where(np.isin(regions, edge[edge > 0]), 0, pixels).astype(np.uint8)


def mirrored(pixels: Pixels, boxes: Sequence[Box]) -> Pixels:  # noqa: ARG001 (as the others)
    """Exchange left and right."""
    return np.ascontiguousarray(pixels[:, ::-1])


def turned(pixels: Pixels, boxes: Sequence[Box]) -> Pixels:  # noqa: ARG001 (as the others)
    """Turn by a quarter."""
    return np.ascontiguousarray(np.rot90(pixels))


CHANGES: dict[str, Callable[[Pixels, Sequence[Box]], Pixels]] = {
    "lesion filled": without_lesion,
    "lesion alone": lesion_alone,
    "background black": without_background,
    "mirrored": mirrored,
    "turned by 90°": turned,
}
