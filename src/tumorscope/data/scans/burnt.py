"""Text that was burnt into the pixels of a slice, found by the pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVELS = (90, 170, 240)  # of 255, above which strokes may lie
SIDES = (5, 32)  # pixels, of a letter's height
WIDEST = 1.6  # heights
FEWEST = 5  # letters of a line
FILLED = (0.15, 0.9)  # share of a letter's rectangle that its strokes fill
ALIGNED = 0.2  # of a letter's height, by which the foot of the next may be off
ALIKE = 0.35  # by which heights may differ
APART = 1.2  # heights from a letter to the next, at most


@dataclass(frozen=True)
class Letter:
    """A rectangle of pixels that may be a letter; ends are behind the last pixel."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        """Its height in pixels."""
        return self.bottom - self.top


def text_regions(pixels: NDArray[np.uint8]) -> list[Letter]:
    """Return the rectangles around lines of text in a slice, empty where there is none.

    A line is five or more connected spots of one brightness, of about the same height, that stand
    on one line and close to each other.

    Args:
        pixels: grey levels, shape (height, width).
    """
    from scipy import ndimage  # noqa: PLC0415 (an extra)

    found: list[Letter] = []
    for level in LEVELS:
        spots, count = ndimage.label(pixels >= level, np.ones((3, 3)))
        if not count:
            continue
        sizes = np.bincount(spots.ravel(), minlength=count + 1)[1:]
        spans = zip(ndimage.find_objects(spots), sizes.tolist(), strict=True)
        found += _lines(
            [_letter(down, across) for (down, across), size in spans if _drawn(down, across, size)]
        )
    return found


def _letter(down: slice, across: slice) -> Letter:
    return Letter(down.start, across.start, down.stop, across.stop)


def _drawn(down: slice, across: slice, size: int) -> bool:
    """Say whether a spot has the size and the strokes of a letter."""
    high, wide = int(down.stop - down.start), int(across.stop - across.start)
    strokes = FILLED[0] <= size / (high * wide) <= FILLED[1] or wide <= high / 3
    return SIDES[0] <= high <= SIDES[1] and wide <= WIDEST * high and strokes


def _lines(letters: list[Letter]) -> list[Letter]:
    """Return the rectangles around rows of letters."""
    lines: list[list[Letter]] = []
    for letter in sorted(letters, key=lambda own: own.left):
        for line in lines:
            last = line[-1]
            height = max(letter.height, last.height)
            if (
                abs(letter.bottom - last.bottom) <= max(1, ALIGNED * height)
                and abs(letter.height - last.height) <= max(1, ALIKE * height)
                and -1 <= letter.left - last.right <= APART * height
            ):
                line.append(letter)
                break
        else:
            lines.append([letter])
    return [
        Letter(
            min(own.top for own in line),
            line[0].left,
            max(own.bottom for own in line),
            max(own.right for own in line),
        )
        for line in lines
        if len(line) >= FEWEST
    ]
