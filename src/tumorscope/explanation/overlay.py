"""Pictures of maps: the slice, the slice under its map, and a legend."""

import base64
from collections.abc import Sequence
from functools import lru_cache
from html import escape
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tumorscope.explanation.explain import Explanation
from tumorscope.records import Box, FoundBox

# Every sixteenth colour of viridis, which is perceptually even.
# Source: van der Walt and Smith (2015), matplotlib's colour maps, CC0.
VIRIDIS = (
    *("#440154", "#481a6c", "#472f7d", "#414487", "#39568c", "#31688e", "#2a788e", "#23888e"),
    *("#1f988b", "#22a884", "#35b779", "#54c568", "#7ad151", "#a5db36", "#d2e21b", "#fde725"),
)
SIDE, GAP, LINE = 320, 12, 22  # pixels: of a picture, between two, and of a line of text
OPACITY = 0.55  # of the map where it is highest
SMALL, COLUMNS = 112, 4  # of a sheet: pixels of a picture, and examples in a row
FRAME, FOUND = "#ff2f92", "#00e5ff"  # the box of the data, and the model's
PAPER, INK = "white", "black"

AnyBox = Box | FoundBox


@lru_cache(maxsize=1)
def colours() -> NDArray[np.uint8]:
    """Return 256 colours from low to high, uint8, shape (256, 3)."""
    anchors = np.array([[int(c[n : n + 2], 16) for n in (1, 3, 5)] for c in VIRIDIS], float)
    at = np.linspace(0, len(anchors) - 1, 256)
    channels = [np.interp(at, range(len(anchors)), anchors[:, n]) for n in range(3)]
    return np.asarray(np.rint(np.stack(channels, axis=1)), np.uint8)


def draw_explanation(found: Explanation, boxes: Sequence[Box] = ()) -> Image.Image:
    """Return the slice and, beside it, the slice under each map, with a legend.

    Args:
        found: what is explained.
        boxes: around lesions, drawn on every picture, beside the model's own where it has one.
    """
    plain = Image.fromarray(found.pixels).convert("RGB").resize((SIDE, SIDE))
    tiles = [("slice", plain)]
    tiles += [(name, _under(plain, own)) for name, own in found.maps.items()]
    width = len(tiles) * (SIDE + GAP) + GAP
    whole = Image.new("RGB", (width, SIDE + 3 * LINE + 2 * GAP), PAPER)
    draw, font = ImageDraw.Draw(whole), ImageFont.load_default(14)
    draw.text((GAP, 4), _head(found), INK, font)
    for number, (name, tile) in enumerate(tiles):
        left = GAP + number * (SIDE + GAP)
        marked = tile.copy()
        for box, colour in _frames(found, boxes):
            _frame(marked, box, colour)
        whole.paste(marked, (left, LINE + GAP))
        draw.text((left, LINE + GAP + SIDE + 2), name, INK, font)
    _legend(whole, draw, font)
    return whole


def _head(found: Explanation) -> str:
    """Return the line above the pictures."""
    answer = found.prediction
    head = f"{found.label}, {answer.probabilities[found.label]:.1%}"
    if not answer.accepted:
        head += "; not answered: does not look like the training slices"
    return head


def _frames(found: Explanation, boxes: Sequence[Box]) -> list[tuple[AnyBox, str]]:
    """Return the boxes around lesions, and the model's own, each with its colour."""
    own = found.prediction.box
    return [*((box, FRAME) for box in boxes), *([(own, FOUND)] if own else [])]


def draw_sheet(examples: Sequence[tuple[Explanation, Sequence[Box], str]]) -> Image.Image:
    """Return many small pictures: each slice and, beside it, the slice under its first map.

    Args:
        examples: what is explained, the boxes around its lesions, and its class.
    """
    rows = -(-len(examples) // COLUMNS)
    wide, high = 2 * SMALL + 2 * GAP, SMALL + 2 * LINE
    whole = Image.new("RGB", (COLUMNS * wide + GAP, rows * high + 2 * LINE), PAPER)
    draw, font = ImageDraw.Draw(whole), ImageFont.load_default(13)
    for number, (found, boxes, label) in enumerate(examples):
        left, top = GAP + number % COLUMNS * wide, number // COLUMNS * high
        plain = Image.fromarray(found.pixels).convert("RGB").resize((SMALL, SMALL))
        own = next(iter(found.maps.values()))
        for place, tile in enumerate((plain, _under(plain, own))):
            marked = tile.copy()
            for box, colour in _frames(found, boxes):
                _frame(marked, box, colour)
            whole.paste(marked, (left + place * SMALL, top + LINE + 6))
        says = f"answered {found.prediction.label}" if found.prediction.label else "refused"
        words = label if found.prediction.label == label else f"{label}, {says}"
        draw.text((left, top + 6), _clipped(words, font, 2 * SMALL), INK, font)
    _legend(whole, draw, font)
    return whole


def _clipped(words: str, font: Any, width: int) -> str:
    """Return words as far as they fit."""
    while font.getlength(words) > width:
        words = words[:-2].rstrip("…") + "…"
    return words


def svg_explanation(found: Explanation, boxes: Sequence[Box] = ()) -> str:
    """Return what `draw_explanation` shows as SVG: text and frames stay text and lines."""
    plain = Image.fromarray(found.pixels).convert("RGB").resize((SIDE, SIDE))
    tiles = [("slice", plain), *((name, _under(plain, own)) for name, own in found.maps.items())]
    width, height = len(tiles) * (SIDE + GAP) + GAP, SIDE + 3 * LINE + 2 * GAP
    top = LINE + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="14">',
        f'<rect width="{width}" height="{height}" fill="{PAPER}"/>',
        f'<text x="{GAP}" y="18">{escape(_head(found))}</text>',
    ]
    for number, (name, tile) in enumerate(tiles):
        left = GAP + number * (SIDE + GAP)
        parts.append(
            f'<image x="{left}" y="{top}" width="{SIDE}" height="{SIDE}" href="{_uri(tile)}"/>'
        )
        for box, colour in _frames(found, boxes):
            x0, y0, x1, y1 = _corners(box, SIDE, SIDE)
            parts.append(
                f'<rect x="{left + x0:.1f}" y="{top + y0:.1f}" width="{x1 - x0:.1f}" '
                f'height="{y1 - y0:.1f}" fill="none" stroke="{colour}" stroke-width="2"/>'
            )
        parts.append(f'<text x="{left}" y="{top + SIDE + 16}">{escape(name)}</text>')
    bar = Image.fromarray(colours()[None])
    below = height - LINE + 4
    parts += [
        f'<text x="{GAP}" y="{below + 10}">matters least</text>',
        f'<image x="{GAP + 100}" y="{below}" width="160" height="10" '
        f'preserveAspectRatio="none" href="{_uri(bar)}"/>',
        f'<text x="{GAP + 268}" y="{below + 10}">matters most</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _uri(picture: Image.Image) -> str:
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _under(plain: Image.Image, found: NDArray[np.float32]) -> Image.Image:
    """Return a slice under a map, which shows the more the higher it is."""
    levels = np.asarray(Image.fromarray(found).resize(plain.size, Image.Resampling.BILINEAR)).clip(
        0, 1
    )
    colour = colours()[np.rint(levels * 255).astype(np.uint8)].astype(float)
    opacity = (OPACITY * np.sqrt(levels))[:, :, None]
    return Image.fromarray(
        np.rint((1 - opacity) * np.asarray(plain, float) + opacity * colour).astype(np.uint8)
    )


def _frame(picture: Image.Image, box: AnyBox, colour: str) -> None:
    corners = _corners(box, picture.width, picture.height)
    ImageDraw.Draw(picture).rectangle(corners, outline=colour, width=2)


def _corners(box: AnyBox, wide: int, high: int) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of a box in pixels."""
    x, y = box.x_center * wide, box.y_center * high
    return (
        x - box.width * wide / 2,
        y - box.height * high / 2,
        x + box.width * wide / 2,
        y + box.height * high / 2,
    )


def _legend(whole: Image.Image, draw: ImageDraw.ImageDraw, font: Any) -> None:
    """Draw the colours from low to high below the pictures."""
    bar = Image.fromarray(np.repeat(colours()[None], 10, axis=0)).resize((160, 10))
    top = whole.height - LINE + 4
    draw.text((GAP, top - 4), "matters least", INK, font)
    whole.paste(bar, (GAP + 100, top))
    draw.text((GAP + 268, top - 4), "matters most", INK, font)
