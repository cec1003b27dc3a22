"""What three augmented copies of each image do to a look-up, and whether the split keeps up.

Writes each image of a set and three augmented copies beside it, audits the set with and without
them, and draws parts and folds. With the copies the look-up must not be better on leak-free folds
than without them, and no image may lie in another part than its copies.

    python -m experiments.augmented_set $TUMORSCOPE_DATA/yesno
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import tumorscope
from experiments.copies import KINDS, change
from tumorscope.data.layouts import read_manifest
from tumorscope.support.files import read_csv

COPIES = 3


def main() -> None:
    """Write, audit, split and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        write(asked.data, top / "augmented")
        for name, data in (("as it is", asked.data), ("with copies", top / "augmented")):
            made = tumorscope.audit(data, out=top / f"audit {name}").numbers
            scores = made.controls.thumbnail_lookup
            print(
                f"{name}: look-up {scores.random:.1%} at random, {scores.leak_free:.1%} leak-free"
            )
        made_parts = top / "parts.csv"
        tumorscope.split(top / "augmented", out=made_parts)
        parts: dict[str, set[str]] = {}
        groups: dict[str, set[str]] = {}
        for row in read_csv(made_parts):
            original = Path(row["image"]).stem.split("__")[0]
            parts.setdefault(original, set()).add(row["part"])
            groups.setdefault(original, set()).add(row["group"])
        divided = sum(len(own) > 1 for own in groups.values())
        straddling = sum(len(own) > 1 for own in parts.values())
        print(f"{len(parts)} images with {COPIES} copies each: {divided} not wholly in one group, ")
        print(f"{straddling} in more than one part")


def write(data: Path, folder: Path) -> None:
    """Write the images and their copies, the copies under the names NAME__1.png and so on."""
    draw, number = np.random.default_rng(0), 0
    manifest = read_manifest(data)
    for row in manifest.rows:
        image = np.asarray(Image.open(manifest.root / row.image).convert("L"))
        home = folder / row.label
        home.mkdir(parents=True, exist_ok=True)
        stem = Path(row.image).stem.replace("_", "-")
        Image.fromarray(image).save(home / f"{stem}.png", compress_level=1)
        for copy in range(1, COPIES + 1):
            changed = change(np.asarray(image, np.float32), KINDS[number % len(KINDS)], draw)
            Image.fromarray(changed).save(home / f"{stem}__{copy}.png", compress_level=1)
            number += 1


if __name__ == "__main__":
    main()
