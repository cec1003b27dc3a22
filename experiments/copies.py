"""How many planted augmented copies are found, by kind of change, and what is linked wrongly.

Each slice of a set gets one copy that was changed as offline augmentation changes images: in one
way, or in three of them at once, with one of four kinds of border. A copy counts as found where it
is in one group with its slice. A link is wrong where it joins two patients; only `cheng` names its
patients.

    python experiments/copies.py $TUMORSCOPE_DATA --save docs/results/copies.csv

About 12 minutes on two cores. The network that finds candidates was trained on `cheng`: `sartaj`
(less the slices that are cheng's) and `yesno` are new to it.
"""

import argparse
import io
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from tumorscope.data.layouts import read_manifest
from tumorscope.data.read import decode_image
from tumorscope.data.resize import resize, resize_squares
from tumorscope.data.store import MIDDLE, THUMBNAIL
from tumorscope.grouping.copies import search_copies
from tumorscope.grouping.likeness import components
from tumorscope.grouping.lineage import load_tables, match_slices
from tumorscope.support.files import write_csv

BORDERS = ("constant", "nearest", "reflect", "wrap")
THREE = "three at once"
SETS = {"cheng": 1, "sartaj": 4, "yesno": 12}  # how often each slice gets a copy
COLUMNS = ("data", "change", "copies", "found", "recall", "wrong_links", "seconds")

Grey = NDArray[np.float32]
Change = Callable[[Grey, np.random.Generator], Grey]


def moved(
    image: Grey,
    draw: np.random.Generator,
    angle: float = 0,
    shift: tuple[float, float] = (0, 0),
    shear: float = 0,
    zoom: tuple[float, float] = (1, 1),
) -> Grey:
    """Turn, shear and zoom about the middle (angles in degrees) and shift by shares of the side."""
    turn, slant = np.deg2rad(angle), np.deg2rad(shear)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = matrix @ np.array([[1, -np.sin(slant)], [0, np.cos(slant)]]) @ np.diag(zoom)
    middle = (np.array(image.shape) - 1) / 2
    offset = middle - matrix @ middle + np.array(shift) * image.shape
    border = BORDERS[draw.integers(len(BORDERS))]
    result = ndimage.affine_transform(image, matrix, offset, order=1, mode=border)
    return np.asarray(np.clip(result, 0, 255), np.float32)


def jpeg(image: Grey) -> Grey:
    """Write at quality 50 and read again."""
    buffer = io.BytesIO()
    Image.fromarray(np.rint(image).astype(np.uint8)).save(buffer, "JPEG", quality=50)
    return np.asarray(Image.open(buffer), np.float32)


def blurred(image: Grey, draw: np.random.Generator) -> Grey:
    """Blur by half a pixel to two pixels of 256."""
    sigma = draw.uniform(0.5, 2) * image.shape[0] / 256
    return np.asarray(ndimage.gaussian_filter(image, sigma), np.float32)


def noisy(image: Grey, draw: np.random.Generator) -> Grey:
    """Add noise of 5 to 20 grey levels."""
    return np.clip(image + draw.normal(0, draw.uniform(5, 20), image.shape), 0, 255)


CHANGES: dict[str, Change] = {
    "turned by up to 15°": lambda i, d: moved(i, d, angle=d.uniform(-15, 15)),
    "shifted by up to 10 %": lambda i, d: moved(
        i, d, shift=(d.uniform(-0.1, 0.1), d.uniform(-0.1, 0.1))
    ),
    "sheared by up to 12°": lambda i, d: moved(i, d, shear=d.uniform(-12, 12)),
    "zoomed by up to 20 %": lambda i, d: moved(i, d, zoom=tuple(d.uniform(0.8, 1.2, 2))),
    "brightness 0.6 to 1.4": lambda i, d: np.clip(i * d.uniform(0.6, 1.4), 0, 255),
    "mirrored": lambda i, d: i[:, ::-1] if d.random() < 0.5 else i[::-1],
    "noise": noisy,
    "blurred": blurred,
    "JPEG 50": lambda i, d: jpeg(i),  # noqa: ARG005 (called as the others are)
}
KINDS = (*CHANGES, *[THREE] * 3)


def change(image: Grey, kind: str, draw: np.random.Generator) -> NDArray[np.uint8]:
    """Return a copy of an image; three changes come in the order of `CHANGES`."""
    names = list(CHANGES)
    chosen = sorted(draw.choice(len(names), 3, replace=False)) if kind == THREE else []
    for number in chosen or [names.index(kind)]:
        image = np.asarray(CHANGES[names[number]](image, draw), np.float32)
    return np.rint(image).astype(np.uint8)


def main() -> None:
    """Measure set by set and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--save", type=Path, required=True)
    parser.add_argument("--only", nargs="+", default=list(SETS), choices=SETS)
    asked = parser.parse_args()
    rows: list[tuple[object, ...]] = []
    for name in asked.only:
        rows += measure(asked.data, name)
        write_csv(asked.save, COLUMNS, rows)


def measure(data: Path, name: str) -> list[tuple[object, ...]]:
    """Plant, search, count; return a row a kind of change and one of the wrong links."""
    root = data / name
    manifest = read_manifest(root / "slices.csv" if name == "cheng" else root)
    images = [
        decode_image((manifest.root / row.image).read_bytes()).pixels for row in manifest.rows
    ]
    whole = np.stack([resize(image, MIDDLE) for image in images])
    patients = [row.patient_id for row in manifest.rows]
    if name == "sartaj":  # what is cheng's was seen in training the network
        known = {match.row for match in match_slices(small(whole), load_tables())}
        new = [n for n in range(len(images)) if n not in known]
        images, whole = [images[n] for n in new], whole[new]
        patients = [None] * len(new)
    draw = np.random.default_rng(0)
    found: dict[str, list[bool]] = {kind: [] for kind in (*CHANGES, THREE)}
    wrong, seconds = 0, 0.0
    for trip in range(SETS[name]):
        kinds = [KINDS[(n + trip) % len(KINDS)] for n in range(len(images))]
        copies = [
            resize(change(np.asarray(image, np.float32), kind, draw), MIDDLE)
            for image, kind in zip(images, kinds, strict=True)
        ]
        start = time.perf_counter()
        links, more = search(np.concatenate([whole, np.stack(copies)]), patients)
        seconds += time.perf_counter() - start
        wrong += more
        groups = components(2 * len(images), links)
        for number, kind in enumerate(kinds):
            found[kind].append(bool(groups[number] == groups[number + len(images)]))
    rows: list[tuple[object, ...]] = [
        (name, kind, len(own), sum(own), f"{np.mean(own):.4f}", "", "")
        for kind, own in found.items()
    ]
    count = sum(len(own) for own in found.values())
    right = sum(sum(own) for own in found.values())
    wrongly = wrong if any(patients) else ""
    rows.append((name, "all", count, right, f"{right / count:.4f}", wrongly, f"{seconds:.0f}"))
    for row in rows:
        print(*row, sep="\t", flush=True)
    return rows


def small(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return thumbnails of images at 128 px."""
    return resize_squares(images, THUMBNAIL)


def search(
    images: NDArray[np.uint8], patients: Sequence[str | None]
) -> tuple[list[tuple[int, int]], int]:
    """Return the links that were found, and how many join patients; copies come second."""
    count = len(images) // 2
    links = [(c.first, c.second) for c in search_copies(small(images), lambda rows: images[rows])]
    ends = [(patients[a % count], patients[b % count]) for a, b in links]
    return links, sum(a != b for a, b in ends)


if __name__ == "__main__":
    main()
