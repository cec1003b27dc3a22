"""Augmented copies: planted ones are found, other heads are not, and users may disagree."""

from pathlib import Path

import numpy as np
import pytest
from experiments.copies import CHANGES, THREE, change, search, small
from numpy.typing import NDArray
from PIL import Image

from tumorscope.checks.copies import how
from tumorscope.data.layouts import read_manifest
from tumorscope.data.phantom import LESIONS, Head
from tumorscope.data.resize import resize
from tumorscope.data.store import MIDDLE, Store, open_store
from tumorscope.errors import DataError
from tumorscope.grouping import copies
from tumorscope.grouping.alignment import align
from tumorscope.grouping.copies import find_copies, search_copies
from tumorscope.grouping.leaks import find_leaks
from tumorscope.grouping.likeness import NearCopy, components
from tumorscope.grouping.survey import Survey
from tumorscope.schema.grouping import GroupingRules


@pytest.fixture(scope="module")
def cheng(real_data: Path) -> Store:
    return open_store(read_manifest(real_data / "cheng" / "slices.csv"), MIDDLE)


@pytest.fixture(scope="module")
def yesno(real_data: Path) -> list[NDArray[np.float32]]:
    """Slices at 256 px that the network which finds candidates has not learnt from."""
    root = real_data / "yesno"
    images = [Image.open(root / row.image).convert("L") for row in read_manifest(root).rows[::3]]
    return [np.asarray(image.resize((256, 256)), np.float32) for image in images]


def recall(images: list[NDArray[np.float32]], kinds: list[str]) -> float:
    """The share of planted copies that are found, each slice having one."""
    draw = np.random.default_rng(0)
    planted = [change(image, kind, draw) for image, kind in zip(images, kinds, strict=True)]
    whole = [resize(image, MIDDLE) for image in images]
    both = np.stack([*whole, *(resize(image, MIDDLE) for image in planted)])
    links, _ = search(both, [None] * len(images))
    groups = components(len(both), links)
    return float(np.mean(groups[: len(images)] == groups[len(images) :]))


def test_planted_changes_are_found(yesno: list[NDArray[np.float32]]) -> None:
    """Changed in one way, all kinds together, 99 % of copies are found; in three ways, 95 %."""
    alone = [[*CHANGES][n % len(CHANGES)] for n in range(len(yesno))]
    assert recall(yesno, alone) >= 0.99  # 84 copies: none may be missed
    assert recall(yesno, [THREE] * len(yesno)) >= 0.95


def test_slices_of_different_patients_are_no_copies(cheng: Store) -> None:
    """Among 3,064 slices of 233 patients no pair across patients is called a copy."""
    pairs = search_copies(cheng.thumbnails, cheng.at_128)  # anew, whatever the cache holds
    rows = cheng.manifest.rows
    assert all(rows[p.first].patient_id == rows[p.second].patient_id for p in pairs)


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_warp_is_the_one_that_was_applied(mirrored: bool) -> None:
    """A turn by 10 degrees and a zoom of a tenth are read off the warp."""
    head = Head("glioma", 5).slice(1).pixels
    image = Image.fromarray(head)
    turned = image.rotate(10, resample=Image.Resampling.BILINEAR)
    wide, high = image.size
    turned = turned.resize((round(wide * 1.1), round(high * 1.1))).crop(
        (wide // 20, high // 20, wide // 20 + wide, high // 20 + high)
    )
    if mirrored:
        turned = turned.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    first, second = (small(resize(np.asarray(i), MIDDLE)[None]) for i in (image, turned))
    said = how(NearCopy(0, 1, 1.0, warp=tuple(align(first, second)[0][0].ravel().tolist())))
    assert said.startswith("mirrored, turned by" if mirrored else "turned by")
    assert "10°" in said
    assert "1.10 times as wide, 1.10 as high" in said


def heads(root: Path) -> Path:
    """A published split whose test part has an augmented copy of a training image."""
    for number in range(8):
        folder = root / "train" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(Head(LESIONS[number % 4], number).slice(0).pixels).save(
            folder / f"{number}x.png"
        )
    for number in (20, 21):
        folder = root / "test" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(Head(LESIONS[number % 4], number).slice(0).pixels).save(
            folder / f"{number}x.png"
        )
    first = np.asarray(Image.open(root / "train" / "a" / "0x.png"), np.float32)
    copy = change(first, "turned by up to 15°", np.random.default_rng(3))
    Image.fromarray(copy).save(root / "test" / "a" / "augmented.png")
    return root


def survey(root: Path, rules: GroupingRules | None = None) -> Survey:
    store = open_store(read_manifest(root), MIDDLE)
    return Survey(store, tables=[], rules=rules or GroupingRules())


def test_an_augmented_copy_leaks_unless_it_is_kept_apart(tmp_path: Path) -> None:
    """It is in its original's group and counted as a leak; a user may say that it is none."""
    root = heads(tmp_path / "data")
    pair = ("test/a/augmented.png", "train/a/0x.png")
    found = survey(root)
    assert [{found.rows[c.first].image, found.rows[c.second].image} for c in found.near] == [
        set(pair)
    ]
    leaks = find_leaks(found)
    assert leaks is not None
    assert leaks.near_identical.sum() == 1
    assert len(set(found.groups().tolist())) == 10
    apart = survey(root, GroupingRules(apart=(pair,)))
    assert apart.near == []
    assert len(set(apart.groups().tolist())) == 11
    with pytest.raises(DataError, match=r"'nosuch\.png' is to be kept apart"):
        survey(root, GroupingRules(apart=(("nosuch.png", pair[1]),)))


def test_copies_are_searched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second look takes them from the cache, the same to the last number; damage is mended."""
    monkeypatch.setenv("TUMORSCOPE_CACHE", str(tmp_path / "cache"))
    store = open_store(read_manifest(heads(tmp_path / "data")), MIDDLE)
    rows = np.arange(len(store))
    first = find_copies(store, rows)
    (kept,) = (tmp_path / "cache" / "copies").iterdir()
    with monkeypatch.context() as patch:
        patch.setattr(copies, "search_copies", lambda *_: pytest.fail("searched again"))
        assert find_copies(store, rows) == first
    kept.write_bytes(kept.read_bytes()[:100])
    assert find_copies(store, rows) == first


@pytest.mark.parametrize("count", [0, 1, 2])
def test_blank_and_few_images_are_copies_of_nothing(count: int) -> None:
    """Without structure there is nothing to compare."""
    flat = np.full((count, MIDDLE, MIDDLE), 90, np.uint8)
    assert search_copies(small(flat), lambda rows: flat[rows]) == []
