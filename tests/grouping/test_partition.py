"""Partitions: groups stay whole, classes in proportion, published parts as published."""

from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tumorscope.data.layouts import read_manifest
from tumorscope.data.store import open_store
from tumorscope.errors import DataError
from tumorscope.grouping.cautions import cautions
from tumorscope.grouping.partition import (
    class_imbalance,
    fold_partition,
    make_folds,
    make_partition,
)
from tumorscope.grouping.survey import Survey
from tumorscope.records import PARTS, Part, Partition, Row

Sizes = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 30)), min_size=12, max_size=80)


def rows_of(split: Part | None = None, **counts: int) -> list[Row]:
    return [
        Row(f"{split}/{label}/{n}.png", label, split=split)
        for label, count in counts.items()
        for n in range(count)
    ]


def alone(rows: list[Row], **options: object) -> Partition:
    """Divide rows of which none belongs to another."""
    return make_partition(rows, range(len(rows)), **{"seed": 0, **options})  # type: ignore[arg-type]


def table(sizes: list[tuple[str, int]]) -> tuple[list[Row], list[int]]:
    """Rows and groups: one group an entry, with so many images of its class."""
    rows, groups = [], []
    for number, (label, count) in enumerate(sizes):
        rows += [Row(f"{number}-{n}.png", label) for n in range(count)]
        groups += [number] * count
    return rows, groups


def places(groups: list[int], parts: object) -> dict[int, set[object]]:
    """The parts that each group is in."""
    found: dict[int, set[object]] = defaultdict(set)
    for group, part in zip(groups, parts, strict=True):  # type: ignore[call-overload]
        found[group].add(part)
    return found


@settings(max_examples=200, deadline=None)
@given(sizes=Sizes, seed=st.integers(0, 1000))
def test_no_group_is_ever_divided(sizes: list[tuple[str, int]], seed: int) -> None:
    """Whatever the table, a group is in one part, or the table is refused."""
    rows, groups = table(sizes)
    try:
        found = make_partition(rows, groups, seed=seed)
    except DataError:
        holders = Counter(label for label, _ in sizes)
        assert len(holders) < 2 or min(holders.values()) < 3
        return
    where = places(groups, found.parts)
    assert all(len(parts) == 1 for parts in where.values())
    assert {part for parts in where.values() for part in parts} == set(PARTS)


@settings(max_examples=100, deadline=None)
@given(sizes=Sizes, folds=st.integers(2, 6), seed=st.integers(0, 1000))
def test_no_group_is_in_two_folds(sizes: list[tuple[str, int]], folds: int, seed: int) -> None:
    """Folds divide no group, and a test fold's groups are in no other part."""
    rows, groups = table(sizes)
    holders = Counter(label for label, _ in sizes)
    try:
        numbers = make_folds(rows, groups, folds=folds, seed=seed)
    except DataError:
        assert len(holders) < 2 or min(holders.values()) < folds
        return
    fold_of = dict(zip(groups, numbers, strict=True))
    outside = Counter(label for group, (label, _) in enumerate(sizes) if fold_of[group] != 1)
    try:
        found = fold_partition(rows, groups, numbers, test_fold=1, seed=seed)
    except DataError:
        assert min(outside[label] for label in holders) < 2
        return
    assert all(len(parts) == 1 for parts in places(groups, numbers).values())
    assert all(len(parts) == 1 for parts in places(groups, found.parts).values())
    assert set(numbers) == set(range(1, folds + 1))


def published(rows: list[Row], part: Part, cut: int) -> list[Row]:
    """Publish every eighth row in a part, and the others for training."""
    return [replace(row, split=part if n % 8 == cut else "train") for n, row in enumerate(rows)]


@settings(max_examples=100, deadline=None)
@given(sizes=Sizes, cut=st.integers(0, 7), seed=st.integers(0, 100))
def test_a_kept_test_part_shares_no_group(
    sizes: list[tuple[str, int]], cut: int, seed: int
) -> None:
    """The published test part stays as it is; all that belongs to it leaves the others."""
    rows, groups = table(sizes)
    rows = published(rows, "test", cut)
    try:
        found = make_partition(rows, groups, seed=seed, mode="keep-test")
    except DataError:
        return
    for row, part in zip(rows, found.parts, strict=True):
        assert (part == "test") == (row.split == "test")
    kept = [p - {"out"} for p in places(groups, found.parts).values()]
    assert all(len(parts) == 1 for parts in kept)


@settings(max_examples=100, deadline=None)
@given(sizes=Sizes, cut=st.integers(0, 7), seed=st.integers(0, 100))
def test_a_published_pair_stays_and_the_test_part_shares_no_group(
    sizes: list[tuple[str, int]], cut: int, seed: int
) -> None:
    """Validation is the published one; test images come from training, in groups of their own."""
    rows, groups = table(sizes)
    rows = published(rows, "validation", cut)
    try:
        found = make_partition(rows, groups, seed=seed, mode="published-validation")
    except DataError:
        return
    for row, part in zip(rows, found.parts, strict=True):
        assert (part == "validation") == (row.split == "validation")
    assert all(
        parts == {"test"} for parts in places(groups, found.parts).values() if "test" in parts
    )


def test_classes_keep_their_proportion() -> None:
    """Drawn image by image, each class is divided 70 / 15 / 15 to the image."""
    rows = rows_of(a=200, b=100, c=40)
    found = alone(rows, seed=3)
    counts = Counter((row.label, part) for row, part in zip(rows, found.parts, strict=True))
    for label, total in (("a", 200), ("b", 100), ("c", 40)):
        assert counts[label, "test"] == round(0.15 * total)
        assert counts[label, "validation"] == round(0.15 * total)


def test_the_seed_decides() -> None:
    """The same seed gives the same parts, another seed others."""
    rows = rows_of(a=50, b=50)
    assert alone(rows, seed=1) == alone(rows, seed=1)
    assert alone(rows, seed=1).parts != alone(rows, seed=2).parts


def test_three_published_parts_are_used_as_they_are() -> None:
    """Nothing is drawn where everything is published."""
    rows = [*rows_of("train", a=5, b=5), *rows_of("validation", a=2, b=2), *rows_of("test", a=3)]
    found = alone(rows, mode="published")
    assert found.parts == tuple(row.split for row in rows)
    assert found.method == "published"


@pytest.mark.parametrize("other", ["test", "validation"])
def test_of_two_published_parts_the_second_is_never_trained_or_chosen_on(other: Part) -> None:
    """The part that gives the score is the published one; validation comes out of training."""
    rows = [*rows_of("train", a=40, b=40), *rows_of(other, a=10, b=10)]
    found = alone(rows, mode="published")
    for row, part in zip(rows, found.parts, strict=True):
        assert (part == "test") == (row.split == other)
    assert Counter(found.parts) == {"train": 68, "validation": 12, "test": 20}


def test_by_default_everything_is_redrawn() -> None:
    """A published split is not trusted unless asked for, and the note says what moved."""
    rows = [*rows_of("train", a=40, b=40), *rows_of("test", a=10, b=10)]
    found = alone(rows)
    assert found.method == "drawn"
    assert "images moved from their published part" in found.note
    assert Counter(found.parts)["test"] == 16


def test_a_class_of_one_image_trains() -> None:
    """It cannot be in every part; the others are divided as ever."""
    rows = rows_of(a=20, b=20, c=1)
    found = alone(rows)
    parts = {row.image: part for row, part in zip(rows, found.parts, strict=True)}
    assert [parts[row.image] for row in rows if row.label == "c"] == ["train"]
    assert set(found.parts) == {"train", "validation", "test"}


@pytest.mark.parametrize(
    ("rows", "mode", "message"),
    [
        ([], "redraw", "No readable images"),
        (rows_of(a=9), "redraw", "All 9 images have the class 'a'"),
        (rows_of(a=9, b=1), "redraw", "The class 'b' has 1 image to draw from"),
        ([*rows_of("train", a=9, b=1), *rows_of("test", a=1, b=1)], "published", "'b' has 1 image"),
        ([*rows_of("train", a=4, b=4), *rows_of(None, a=4)], "published", "published for 8 of 12"),
        (
            [*rows_of("test", a=4, b=4), *rows_of("validation", a=4)],
            "keep-test",
            "no training part",
        ),
        ([*rows_of("train", a=9), *rows_of("test", a=2, b=2)], "published", "'b' has no image in"),
        (
            [*rows_of("train", a=9, b=9), *rows_of("test", a=2, b=2)],
            "published-validation",
            "here test and train are published",
        ),
    ],
)
def test_what_cannot_be_split_is_refused_in_words(rows: list[Row], mode: str, message: str) -> None:
    """Each reason has a sentence of its own."""
    with pytest.raises(DataError, match=message):
        alone(rows, mode=mode)


def test_folds_that_cannot_be_are_refused_in_words() -> None:
    """More folds than groups, a fold that is not there, rows without a fold."""
    rows = rows_of(a=4, b=4)
    with pytest.raises(
        DataError, match="5 folds need at least one each: add images, ask for fewer folds"
    ):
        make_folds(rows, range(8), folds=5, seed=0)
    with pytest.raises(DataError, match="no fold 9; folds: 1, 2"):
        fold_partition(rows, range(8), [1, 2] * 4, test_fold=9, seed=0)
    with pytest.raises(DataError, match="1 of 8 images have no fold"):
        fold_partition(rows, range(8), [None, *[1] * 7], test_fold=1, seed=0)


def test_balance_is_the_largest_stray_share() -> None:
    """A part with one class too many strays by that share."""
    assert class_imbalance(list("aabb"), list("xyxy")) == 0
    assert class_imbalance(list("aabb"), list("xxyy")) == 0.5


def test_large_sets_are_quick() -> None:
    """200,000 rows are split in seconds."""
    found = alone(rows_of(a=120_000, b=80_000))
    assert Counter(found.parts) == {"train": 140_000, "validation": 30_000, "test": 30_000}


def test_what_weakens_a_partition_is_said(tmp_path: Path) -> None:
    """Patients known for some images only, or with two classes, and folds without a class."""
    generator = np.random.default_rng(0)
    lines = ["image,label,patient_id,fold"]
    for n in range(8):
        Image.fromarray(generator.integers(0, 256, (20, 20), np.uint8)).save(tmp_path / f"{n}.png")
        label, fold = "ab"[n % 2], 1 if n % 2 or n < 4 else 2
        lines.append(f"{n}.png,{label},{'p1' if n < 3 else ''},{fold}")
    table = tmp_path / "slices.csv"
    table.write_text("\n".join(lines) + "\n")
    survey = Survey(open_store(read_manifest(table), 32), tables=[])
    found = cautions(survey, [row.fold for row in survey.rows])
    assert found[0].startswith("5 of 8 images have no patient")
    assert found[1].startswith("Images of more than one class: 1 of 1 patients (first: p1)")
    assert found[2].startswith("Fold 2 has no image of b")
    assert len(found) == 3
