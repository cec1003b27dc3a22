"""Pictures of maps: the slice, the slice under its map, and a legend."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tumorscope.explanation.explain import Explanation
from tumorscope.records import Box

# Every sixteenth colour of viridis, which is perceptually even.
# Source: van der Walt and Smith (2015), matplotlib's colour maps, CC0.
VIRIDIS = (
    *("#440154", "#481a6c", "#472f7d", "#414487", "#39568c", "#31688e", "#2a788e", "#23888e"),
    *("#1f988b", "#22a884", "#35b779", "#54c568", "#7ad151", "#a5db36", "#d2e21b", "#fde725"),
)
SIDE, GAP, LINE = 320, 12, 22  # pixels: of a picture, between two, and of a line of text
OPACITY = 0.55  # of the map where it is highest
FRAME, PAPER, INK = "#ff2f92", "white", "black"


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
        boxes: around lesions, drawn on every picture.
    """
    plain = Image.fromarray(found.pixels).convert("RGB").resize((SIDE, SIDE))
    tiles = [("slice", plain)]
    tiles += [(name, _under(plain, own)) for name, own in found.maps.items()]
    width = len(tiles) * (SIDE + GAP) + GAP
    whole = Image.new("RGB", (width, SIDE + 3 * LINE + 2 * GAP), PAPER)
    draw, font = ImageDraw.Draw(whole), ImageFont.load_default(14)
    answer = found.prediction
    head = f"{found.label}, {answer.probabilities[found.label]:.1%}"
    if not answer.accepted:
        head += "; not answered: does not look like the training slices"
    draw.text((GAP, 4), head, INK, font)
    for number, (name, tile) in enumerate(tiles):
        left = GAP + number * (SIDE + GAP)
        marked = tile.copy()
        for box in boxes:
            _frame(marked, box)
        whole.paste(marked, (left, LINE + GAP))
        draw.text((left, LINE + GAP + SIDE + 2), name, INK, font)
    _legend(whole, draw, font)
    return whole


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


def _frame(picture: Image.Image, box: Box) -> None:
    wide, high = box.width * picture.width / 2, box.height * picture.height / 2
    x, y = box.x_center * picture.width, box.y_center * picture.height
    ImageDraw.Draw(picture).rectangle(
        (x - wide, y - high, x + wide, y + high), outline=FRAME, width=2
    )


def _legend(whole: Image.Image, draw: ImageDraw.ImageDraw, font: Any) -> None:
    """Draw the colours from low to high below the pictures."""
    bar = Image.fromarray(np.repeat(colours()[None], 10, axis=0)).resize((160, 10))
    top = whole.height - LINE + 4
    draw.text((GAP, top - 4), "matters least", INK, font)
    whole.paste(bar, (GAP + 100, top))
    draw.text((GAP + 268, top - 4), "matters most", INK, font)
