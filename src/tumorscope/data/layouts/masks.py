"""Which images are masks of others: by their names, or by few grey levels beside their images."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from tumorscope.data.layouts.naming import unmasked
from tumorscope.data.read import read_image
from tumorscope.errors import UnreadableImage

ALIKE = 0.8  # of the names in two folders
FEWEST = 3  # names that must be alike
LEVELS = 8  # grey levels that a mask may have
LOOKED_AT = 5  # images of a folder, first and last among them


def find_masks(root: Path, images: Sequence[str]) -> dict[str, str]:
    """Return the masks among some images, and why they are taken for masks.

    Args:
        root: the folder that paths are relative to.
        images: their paths.
    """
    stems: dict[str, dict[str, str]] = defaultdict(dict)
    for path in images:
        where = PurePosixPath(path)
        stems[str(where.parent)][where.stem] = path
    reasons = {
        path: "masks of the images beside them"
        for own in stems.values()
        for stem, path in own.items()
        if (base := unmasked(stem)) and base in own
    }
    left = {folder: set(own) for folder, own in stems.items()}
    for folder in _sisters(left):
        paths = list(stems[folder].values())
        spread = [paths[n * (len(paths) - 1) // (LOOKED_AT - 1)] for n in range(LOOKED_AT)]
        if all(_has_few_levels(root / path) for path in spread):
            reasons |= dict.fromkeys(stems[folder].values(), "masks: few grey levels")
    return reasons


def _sisters(stems: dict[str, set[str]]) -> list[str]:
    """Return folders whose files are called like those of another folder."""
    found = []
    for folder, own in stems.items():
        others = (other for name, other in stems.items() if name != folder)
        if len(own) >= FEWEST and any(len(own & other) > ALIKE * len(own) for other in others):
            found.append(folder)
    return found


def _has_few_levels(path: Path) -> bool:
    try:
        return len(np.unique(read_image(path).pixels)) <= LEVELS
    except UnreadableImage:
        return False
