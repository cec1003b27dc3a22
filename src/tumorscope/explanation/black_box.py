"""Maps from answers alone: what changes when places are hidden. For any runtime, without PyTorch.

Sources: Zeiler and Fergus (2014) for occlusion; Petsiuk, Das and Saenko (2018), RISE.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tumorscope.data.resize import resize

Maps = NDArray[np.float32]
Probabilities = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

PATCHES = 8  # a side, of which each is hidden in turn, and those between them
MASKS, CELLS, SHOWN = 400, 7, 0.5  # RISE: how many, how coarse, how much of each shows


def occlusion(probabilities: Probabilities, pixels: NDArray[np.uint8], label: int) -> Maps:
    """Return by how much the probability of a class falls where a place is hidden.

    A square of an eighth of the side moves by half its length; what it hides becomes the image's
    mean.

    Args:
        probabilities: of images, shape (n, side, side), as `Predictor.probabilities` gives them.
        pixels: one image, uint8, shape (side, side).
        label: the class.

    Returns:
        float32, shape (15, 15), at least 0.
    """
    side = len(pixels)
    edges = np.linspace(0, side, 2 * PATCHES + 1).round().astype(int)
    spans = [(edges[n], edges[n + 2]) for n in range(2 * PATCHES - 1)]
    hidden = []
    for top, bottom in spans:
        for left, right in spans:
            own = pixels.copy()
            own[top:bottom, left:right] = round(float(pixels.mean()))
            hidden.append(own)
    before = probabilities(pixels[None])[0, label]
    after = probabilities(np.stack(hidden))[:, label]
    fall = np.maximum(before - after, 0).reshape(len(spans), len(spans))
    return np.asarray(fall, np.float32)


def rise(
    probabilities: Probabilities, pixels: NDArray[np.uint8], label: int, masks: int = MASKS
) -> Maps:
    """Return how probable a class is where a place shows, over many random coarse masks.

    Args:
        probabilities: as in `occlusion`.
        pixels: one image, uint8, shape (side, side).
        label: the class.
        masks: how many.

    Returns:
        float32, shape (side, side), from 0 for the place that matters least.
    """
    side, draw = len(pixels), np.random.default_rng(0)
    cell = -(-side // CELLS)
    total = np.zeros((side, side))
    shown = np.zeros((side, side))
    for start in range(0, masks, 50):
        some = []
        for _ in range(min(50, masks - start)):
            coarse = (draw.random((CELLS + 1, CELLS + 1)) < SHOWN).astype(np.uint8) * 255
            fine = resize(coarse, cell * (CELLS + 1))
            down, right = draw.integers(cell, size=2)
            some.append(fine[down : down + side, right : right + side] / 255)
        own = np.stack(some)
        chances = probabilities(np.rint(own * pixels).astype(np.uint8))[:, label]
        total += np.tensordot(chances, own, 1)
        shown += own.sum(axis=0)
    found = total / np.maximum(shown, 1e-9)
    return np.asarray(found - found.min(), np.float32)
