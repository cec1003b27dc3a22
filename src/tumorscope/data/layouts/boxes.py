"""YOLO label files: one line a box, `class x_center y_center width height` as fractions."""

import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tumorscope.records import Box

FIELDS = 5
POLYGON = 6  # numbers of the smallest
ROUNDING = 1e-3  # by which a box may pass the image
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

    A line holds the class number, then centre and size, and perhaps a confidence; or the corners of
    a polygon, which the box encloses.

    >>> parse_box("2 0.5 0.5 0.2 0.1")
    Box(x_center=0.5, y_center=0.5, width=0.2, height=0.1, class_id=2)
    >>> parse_box("0 0.1 0.1 0.3 0.1 0.3 0.3").width
    0.19999999999999998
    >>> parse_box("2 0.5 0.5 0.2") is None
    True
    """
    try:
        class_id, *numbers = int(float(line.split(maxsplit=1)[0])), *map(float, line.split()[1:])
    except (ValueError, OverflowError, IndexError):
        return None
    if len(numbers) >= POLYGON and len(numbers) % 2 == 0:
        across, down = numbers[::2], numbers[1::2]
        left, right, top, bottom = min(across), max(across), min(down), max(down)
        numbers = [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
    if len(numbers) not in (FIELDS - 1, FIELDS):  # the fifth is how sure somebody's model was
        return None
    x, y, width, height = numbers[: FIELDS - 1]
    return make_box(x, y, width, height, class_id)


def make_box(
    x: float, y: float, width: float, height: float, class_id: int | None = None
) -> Box | None:
    """Return a box, None where its centre or size cannot be those of a box in an image.

    What passes 0 or 1 by rounding is brought back.
    """
    if not all(math.isfinite(v) for v in (x, y, width, height)):
        return None
    x, y, width, height = (_rounded_back(v) for v in (x, y, width, height))
    if not (0 <= x <= 1 and 0 <= y <= 1 and 0 < width <= 1 and 0 < height <= 1):
        return None
    return Box(x, y, width, height, class_id)


def _rounded_back(value: float) -> float:
    within = min(max(value, 0.0), 1.0)
    return within if abs(value - within) <= ROUNDING else value
