"""YOLO label files: one line a box, `class x_center y_center width height` as fractions."""

import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tumorscope.records import Box

FIELDS = 5
MAX_BYTES = 1_000_000  # some 20,000 boxes
NO_FILE, EMPTY_FILE = "no label file", "empty label file"
UNREADABLE = "label file cannot be read as text; the image is used without boxes"


def read_boxes(path: Path) -> tuple[tuple[Box, ...], str | None]:
    """Read the boxes of one image.

    Returns:
        The boxes that make sense, and what is wrong with the file, None where nothing is. A
        missing file is no fault: it means that nothing was marked.
    """
    if not path.exists():
        return (), None
    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:  # a pipe, or endless
            return (), UNREADABLE
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return (), UNREADABLE
    parsed = [parse_box(line) for line in lines if line.strip()]
    boxes = tuple(box for box in parsed if box is not None)
    bad = len(parsed) - len(boxes)
    return boxes, f"{bad} of {len(parsed)} boxes are malformed and not used" if bad else None


def why_unmarked(path: Path) -> str | None:
    """Say why a label file marks nothing: it is missing, or empty; None where it has content."""
    try:
        return EMPTY_FILE if path.stat().st_size == 0 else None
    except FileNotFoundError:
        return NO_FILE
    except OSError:
        return None  # what cannot be read is named elsewhere


def count_unmarked(reasons: Iterable[str]) -> str:
    """Say how many images have no label file, and how many an empty one.

    >>> count_unmarked(["no label file", "empty label file", "no label file"])
    '2 without a label file and 1 with an empty one'
    """
    counts = Counter(reasons)
    said = {NO_FILE: "without a label file", EMPTY_FILE: "with an empty one"}
    if not counts[NO_FILE]:
        said[EMPTY_FILE] = "with an empty label file"
    return " and ".join(f"{counts[kind]} {words}" for kind, words in said.items() if counts[kind])


def parse_box(line: str) -> Box | None:
    """Return the box of one line, None where it is no box inside the image.

    >>> parse_box("2 0.5 0.5 0.2 0.1")
    Box(x_center=0.5, y_center=0.5, width=0.2, height=0.1, class_id=2)
    >>> parse_box("2 0.5 0.5 0.2") is None
    True
    """
    words = line.split()
    if len(words) != FIELDS:
        return None
    try:
        class_id, x, y, width, height = int(float(words[0])), *map(float, words[1:])
    except (ValueError, OverflowError):
        return None
    return make_box(x, y, width, height, class_id)


def make_box(
    x: float, y: float, width: float, height: float, class_id: int | None = None
) -> Box | None:
    """Return a box, None where its centre or size cannot be those of a box in an image."""
    if not all(math.isfinite(v) for v in (x, y, width, height)):
        return None
    if not (0 <= x <= 1 and 0 <= y <= 1 and 0 < width <= 1 and 0 < height <= 1):
        return None
    return Box(x, y, width, height, class_id)
