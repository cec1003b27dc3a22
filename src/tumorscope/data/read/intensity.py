"""Levels of a scanner to grey levels.

MRI has no units: the same tissue has the level 300 on one scanner and 9,000 on the next, and the
window that a scanner stores beside an image is a setting of its display. Slices of a scanner are
therefore scaled by their own levels, each by itself, so that one slice gives the same picture alone
and within its series.
"""

import numpy as np
from numpy.typing import NDArray

AIR, BRIGHTEST = 1.0, 99.5  # percentiles: of all pixels, and of those inside the head
# What the second becomes. The published 8-bit copies of four public sets have it at 190 to 246
# (medians, by `experiments/intensity.py`), and a model trained on them knows slices like that.
WHITE = 204
LARGEST = 1e30  # beyond it differences would overflow


def normalise(levels: NDArray[np.floating] | NDArray[np.integer]) -> NDArray[np.uint8]:
    """Scale a slice so that air is 0 and what is bright in the head is 204, four fifths of 255.

    Black is the 1st percentile of all pixels. Bright is the 99.5th percentile of the pixels above
    their mean, which are those inside the head. The last fifth is for what is brighter still, such
    as vessels after contrast; what passes 255 is cut off.

    Args:
        levels: of any range, shape (height, width); what is not finite counts as 0.

    Returns:
        uint8, of the same shape, so that a slice is the same as its copy in an 8-bit file; all 0
        where all levels are one.
    """
    with np.errstate(over="ignore"):  # what float32 cannot hold is not finite either
        values = np.nan_to_num(levels.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    values = np.clip(values, -LARGEST, LARGEST)
    black = np.percentile(values, AIR)
    head = values[values > values.mean()]
    white = np.percentile(head, BRIGHTEST) if head.size else black
    if not white - black > 1 / LARGEST:
        return np.zeros(values.shape, np.uint8)
    scaled = (values - black) * np.float32(WHITE / (white - black))
    return np.asarray(np.clip(np.rint(scaled), 0, 255), np.uint8)
