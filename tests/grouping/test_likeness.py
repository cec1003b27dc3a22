"""Copies: every change that is promised is seen through, and different images stay different."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tumorscope.data.layouts import read_manifest
from tumorscope.data.phantom import LESIONS, Head
from tumorscope.data.resize import resize, resize_squares
from tumorscope.data.store import MIDDLE, THUMBNAIL
from tumorscope.grouping.likeness import (
    components,
    fingerprints,
    frequencies,
    near_pairs,
    turned,
)

Change = Callable[[Image.Image], Image.Image]


def jpeg(quality: int) -> Change:
    def change(image: Image.Image) -> Image.Image:
        buffer = BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        return Image.open(BytesIO(buffer.getvalue())).convert("L")

    return change


def crop(share: float) -> Change:
    def change(image: Image.Image) -> Image.Image:
        x, y = round(image.width * share), round(image.height * share)
        return image.crop((x, y, image.width - x, image.height - y))

    return change


def levels(function: Callable[[float], float]) -> Change:
    table = [max(0, min(255, round(function(v)))) for v in range(256)]
    return lambda image: image.point(table)


CHANGES: dict[str, Change] = {
    "resized to 224": lambda i: i.resize((224, 224), Image.Resampling.BICUBIC),
    "resized to 128": lambda i: i.resize((128, 128), Image.Resampling.BILINEAR),
    "resized to 640": lambda i: i.resize((640, 640), Image.Resampling.BICUBIC),
    "JPEG 75": jpeg(75),
    "JPEG 40": jpeg(40),
    "224 and JPEG 75": lambda i: jpeg(75)(i.resize((224, 224))),
    **{f"cropped by {s:.0%}": crop(s) for s in (0.01, 0.02, 0.03, 0.05, 0.07, 0.10)},
    "brighter by 30": levels(lambda v: v + 30),
    "times 1.3": levels(lambda v: v * 1.3),
    "times 0.6": levels(lambda v: v * 0.6),
    "contrast 0.7": levels(lambda v: 128 + 0.7 * (v - 128)),
    "contrast 1.3": levels(lambda v: 128 + 1.3 * (v - 128)),
    "gamma 0.7": levels(lambda v: 255 * (v / 255) ** 0.7),
    "gamma 1.4": levels(lambda v: 255 * (v / 255) ** 1.4),
    "mirrored": lambda i: i.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "upside down": lambda i: i.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    "turned 90": lambda i: i.transpose(Image.Transpose.ROTATE_90),
    "turned 180": lambda i: i.transpose(Image.Transpose.ROTATE_180),
    "turned 270": lambda i: i.transpose(Image.Transpose.ROTATE_270),
}


def thumbnail(image: Image.Image) -> NDArray[np.uint8]:
    """The thumbnail that the store would keep."""
    small = resize_squares(resize(np.asarray(image), MIDDLE)[None], THUMBNAIL)
    return np.asarray(small[0], np.uint8)


@pytest.fixture(scope="module")
def originals(real_data: Path) -> list[Image.Image]:
    """Slices of different patients of two real sets."""
    rows = read_manifest(real_data / "cheng" / "slices.csv").rows
    firsts = {row.patient_id: row.image for row in rows}
    files = [real_data / "cheng" / image for image in list(firsts.values())[::2]]
    return [Image.open(path).convert("L") for path in files]


@pytest.mark.parametrize("name", CHANGES)
def test_planted_copies_are_recalled(name: str, originals: list[Image.Image]) -> None:
    """Of each kind of change 99 % or more are found, and nothing else is."""
    change, count = CHANGES[name], len(originals)
    images = [*originals, *(change(image) for image in originals)]
    pairs = near_pairs(np.stack([thumbnail(image) for image in images]))
    found = {(pair.first, pair.second) for pair in pairs}
    planted = {(n, n + count) for n in range(count)}
    assert len(planted & found) >= 0.99 * count
    assert not found - planted


@pytest.mark.parametrize("turn", range(8))
def test_turned_fingerprints_are_those_of_turned_images(turn: int) -> None:
    """Signs and order stand for mirroring and quarter turns."""
    image = thumbnail(Image.fromarray(Head("glioma", 1).slice(0).pixels))
    moved = image
    if turn & 1:
        moved = moved[:, ::-1]
    if turn & 2:
        moved = moved[::-1]
    if turn & 4:
        moved = moved.T
    expected = fingerprints(np.ascontiguousarray(moved)[None])[0]
    assert turned(fingerprints(image[None]), turn)[0] @ expected > 0.99


def test_blank_images_are_copies_of_nothing() -> None:
    """Without structure there is nothing to compare."""
    flat = np.stack([np.full((64, 64), level, np.uint8) for level in (0, 0, 90, 255)])
    assert near_pairs(flat) == []


@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_smallest_sets_work(count: int) -> None:
    """Nothing, one image and two images are compared without fuss."""
    heads = [thumbnail(Image.fromarray(Head(LESIONS[n], 3).slice(0).pixels)) for n in range(count)]
    assert near_pairs(np.array(heads, np.uint8).reshape(-1, 64, 64)) == []


def test_components_close_over_chains() -> None:
    """A copy of a copy is in the group."""
    groups = components(6, [(0, 1), (1, 5), (3, 4)])
    assert groups[0] == groups[1] == groups[5]
    assert groups[3] == groups[4]
    assert len(set(groups.tolist())) == 3


def test_frequencies_are_closed_under_exchange_of_the_axes() -> None:
    """Every frequency has its mirror image in the list, so that a quarter turn loses none."""
    listed = {(int(u), int(v)) for u, v in frequencies()}
    assert listed == {(v, u) for u, v in listed}


@pytest.mark.parametrize("turn", range(8))
def test_a_turned_fingerprint_is_that_of_the_turned_image(turn: int) -> None:
    """All eight mirrorings and quarter turns, number by number."""
    pixels = Head("glioma", 3).slice(1).pixels
    image = resize_squares(resize(pixels, MIDDLE)[None], THUMBNAIL)
    changed = image[:, :, ::-1] if turn & 1 else image
    changed = changed[:, ::-1] if turn & 2 else changed
    changed = changed.transpose(0, 2, 1) if turn & 4 else changed
    expected = fingerprints(np.ascontiguousarray(changed))
    assert turned(fingerprints(image), turn) == pytest.approx(expected, abs=1e-5)
