"""How often text in the pixels is found: in slices as published, and written into them.

Printed for each set: in how many slices text is seen (to be looked at: some have it), and, of the
same slices with a line of text in a corner, in how many it is, by its height and grey level.

    python experiments/burnt_text.py $TUMORSCOPE_DATA --draw FOLDER
"""

import argparse
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tumorscope.data.layouts.tree import walk
from tumorscope.data.read import read_image
from tumorscope.data.scans.burnt import text_regions

SETS = ("cheng", "sartaj", "nickparvar", "boxes", "yesno")
IMAGES = 700  # of each set
SIZES, LEVELS = (10, 14, 20), (255, 150)
WORDS = "MUSTER PETRA 1956"


def main() -> None:
    """Measure, print, and draw what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--draw", type=Path, help="a folder for the slices in which text is seen")
    asked = parser.parse_args()
    for name in SETS:
        tree = walk(asked.data / name)
        draw = np.random.default_rng(0)
        seen, written = [], dict.fromkeys(product(SIZES, LEVELS), 0)
        images = draw.permutation(tree.images)[:IMAGES]
        for image in images:
            pixels = np.rint(read_image(tree.root / image).pixels).astype(np.uint8)
            if text_regions(pixels):
                seen.append(image)
                if asked.draw:
                    _draw(pixels, asked.draw / f"{name}-{Path(image).stem}.png")
            for size, level in written:
                place = (int(draw.integers(20)), int(draw.integers(len(pixels) - 30)))
                written[size, level] += bool(text_regions(_lettered(pixels, size, level, place)))
        shares = ", ".join(
            f"{size} px at {level}: {count / len(images):.1%}"
            for (size, level), count in written.items()
        )
        print(f"{name}: seen in {len(seen)} of {len(images)}; written into them, {shares}")


def _lettered(
    pixels: NDArray[np.uint8], size: int, level: int, place: tuple[int, int]
) -> NDArray[np.uint8]:
    picture = Image.fromarray(pixels)
    font = ImageFont.load_default(size)
    ImageDraw.Draw(picture).text(place, WORDS, fill=level, font=font)
    return np.asarray(picture)


def _draw(pixels: NDArray[np.uint8], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(pixels).convert("RGB")
    for own in text_regions(pixels):
        ImageDraw.Draw(picture).rectangle(
            (own.left - 1, own.top - 1, own.right, own.bottom), outline=(255, 0, 0)
        )
    picture.save(path)


if __name__ == "__main__":
    main()
