"""How well a map agrees with the boxes around lesions: pure functions of arrays."""

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.floating]
HOT = 0.5  # of a map's maximum, above which a place belongs to its own box


def points_inside(found: Map, mask: NDArray[np.bool_]) -> bool:
    """Say whether the highest place of a map lies in the boxes (the pointing game)."""
    return bool(mask.flat[int(np.argmax(found))])


def energy_inside(found: Map, mask: NDArray[np.bool_]) -> float:
    """Return the share of a map's sum that lies in the boxes, in [0, 1]; nan for an empty map."""
    total = float(found.sum())
    return float(found[mask].sum()) / total if total > 0 else float("nan")


def hot_box(found: Map) -> NDArray[np.bool_]:
    """Return the rectangle around the connected hot places that hold the map's maximum."""
    from scipy import ndimage  # noqa: PLC0415 (of an extra)

    hot = found >= HOT * found.max()
    regions, _ = ndimage.label(hot)
    own = regions == regions.flat[int(np.argmax(found))]
    down, right = np.nonzero(own)
    mask = np.zeros(found.shape, bool)
    mask[down.min() : down.max() + 1, right.min() : right.max() + 1] = True
    return mask


def overlap(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Return the intersection over the union of two masks, in [0, 1].

    >>> overlap(np.array([True, True, False]), np.array([False, True, True])).__round__(2)
    0.33
    """
    union = int((first | second).sum())
    return int((first & second).sum()) / union if union else 0.0


def recall(found: NDArray[np.bool_], mask: NDArray[np.bool_]) -> float:
    """Return the share of a mask that another covers, in [0, 1].

    >>> recall(np.array([True, True, False]), np.array([False, True, True]))
    0.5
    """
    return float(found[mask].mean()) if mask.any() else 0.0


def centred_gaussian(side: int, spread: float = 0.25) -> NDArray[np.float32]:
    """Return a map that knows nothing but that lesions are rarely at the edge."""
    axis = (np.arange(side) + 0.5) / side - 0.5
    bell = np.exp(-(axis**2) / (2 * spread**2))
    return np.asarray(np.outer(bell, bell), np.float32)
