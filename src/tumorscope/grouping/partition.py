"""Grouped, stratified partitions: no group is ever divided by a part that is drawn."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from tumorscope.errors import DataError
from tumorscope.records import PARTS, Part, Partition, Row

Mode = Literal["redraw", "keep-test", "published", "published-validation"]
Key = TypeVar("Key", str, int, Part)
HELD_OUT_SHARE = 0.15  # of the images, for validation and for the test part each


def make_partition(
    rows: Sequence[Row],
    groups: Sequence[int] | NDArray[np.intp],
    *,
    seed: int,
    mode: Mode = "redraw",
    validation_share: float = HELD_OUT_SHARE,
    test_share: float = HELD_OUT_SHARE,
) -> Partition:
    """Say which row goes where.

    Args:
        rows: the readable rows of a data set.
        groups: the group of each row.
        seed: the same seed, rows and groups give the same partition.
        mode: `redraw` draws all parts; `keep-test` honours a published split and leaves out what
            would divide a group, so that the test part stays whole; `published` uses a published
            split as it is, and cuts validation from training where it has none. Where only
            training and validation are published, that validation part is the test part;
            `published-validation` takes such a pair as it is but for a test part, which is drawn
            from the training images of groups without a validation image.
        validation_share: how much of what is drawn from goes to validation.
        test_share: how much of it goes to the test part, where that is drawn too.

    Raises:
        DataError: fewer than two classes, too few groups of one, or no such split is published.
    """
    refuse_too_few(rows)
    _check_shares(validation_share, test_share)
    names = group_names(groups)
    if mode == "redraw":
        partition = _redrawn(rows, names, seed, validation_share, test_share)
    elif mode == "published-validation":
        partition = _published_pair(rows, names, seed, test_share)
    else:
        partition = _published(rows, names, seed, validation_share, keep_clean=mode == "keep-test")
    _refuse_empty(rows, partition)
    return partition


def make_folds(
    rows: Sequence[Row], groups: Sequence[int] | NDArray[np.intp], *, folds: int, seed: int
) -> list[int]:
    """Draw folds, numbered from 1, in which no group is divided and classes are in proportion.

    Raises:
        DataError: a class has fewer groups than there are folds.
    """
    refuse_too_few(rows)
    shares = dict.fromkeys(range(1, folds + 1), 1 / folds)
    return draw(group_names(groups), [row.label for row in rows], shares, seed)


def fold_partition(
    rows: Sequence[Row],
    groups: Sequence[int] | NDArray[np.intp],
    folds: Sequence[int | None],
    *,
    test_fold: int,
    seed: int,
    validation_share: float = HELD_OUT_SHARE,
) -> Partition:
    """Take one fold as the test part and draw validation, by group, from the rest.

    Raises:
        DataError: there is no such fold, or rows without one.
    """
    refuse_too_few(rows)
    if None in folds:
        lost = sum(fold is None for fold in folds)
        raise DataError(
            f"{lost} of {len(rows)} images have no fold: give each one, or draw folds with "
            "'tumorscope split DATA --folds 5 --out partition.csv' and --partition."
        )
    _check_shares(validation_share)
    known = sorted({fold for fold in folds if fold is not None})
    if test_fold not in known:
        raise DataError(f"There is no fold {test_fold}; folds: {', '.join(map(str, known))}.")
    names = group_names(groups)
    fixed: list[Part | None] = ["test" if fold == test_fold else None for fold in folds]
    parts = _cut_validation(rows, names, fixed, seed, validation_share)
    note = (
        f"Fold {test_fold} of {len(known)} is the test part; validation was drawn from the rest by "
        "group."
    )
    partition = Partition(tuple(parts), names, "fold", note)
    _refuse_empty(rows, partition)
    return partition


def group_names(groups: Sequence[int] | NDArray[np.intp]) -> tuple[str, ...]:
    """Return how groups are called in tables: `g0`, `g1`, and so on."""
    return tuple(f"g{group}" for group in groups)


def _check_shares(*held_out: float) -> None:
    """Refuse shares with which a part would be empty.

    Raises:
        DataError: one is not above 0, or together they reach 1.
    """
    if min(held_out) <= 0 or sum(held_out) >= 1:
        raise DataError(
            f"Shares of {' and '.join(f'{share:g}' for share in held_out)} leave nothing to train "
            "on, or nothing to validate or test on: give each above 0, together below 1."
        )


def refuse_too_few(rows: Sequence[Row]) -> None:
    """Refuse a data set that no classifier can be trained on.

    Raises:
        DataError: no images, one class only.
    """
    if not rows:
        raise DataError("No readable images were found: a data set needs images of two classes.")
    classes = {row.label for row in rows}
    if len(classes) == 1:
        raise DataError(
            f"All {len(rows)} images have the class '{next(iter(classes))}': "
            "a classifier needs at least two classes."
        )


def _redrawn(
    rows: Sequence[Row],
    groups: tuple[str, ...],
    seed: int,
    validation_share: float,
    test_share: float,
) -> Partition:
    shares: dict[Part, float] = {
        "train": 1 - validation_share - test_share,
        "validation": validation_share,
        "test": test_share,
    }
    parts = draw(groups, [row.label for row in rows], shares, seed)
    moved = sum(
        row.split is not None and row.split != p for row, p in zip(rows, parts, strict=True)
    )
    published = any(row.split for row in rows)
    note = f"Parts were drawn from {len(set(groups))} groups of images that belong together; " + (
        f"{moved} of {len(rows)} images moved from their published part."
        if published
        else "no split is published."
    )
    return Partition(tuple(parts), groups, "drawn", note)


def _published(
    rows: Sequence[Row],
    groups: tuple[str, ...],
    seed: int,
    validation_share: float,
    *,
    keep_clean: bool,
) -> Partition:
    """Use a published split; where `keep_clean`, leave out what would divide a group."""
    published = _published_parts(rows)
    if "train" not in published or len(published) == 1:
        raise DataError("The published split has no training part and another: redraw it.")
    test_part: Part = "test" if "test" in published else "validation"
    three = published == {"train", "validation", "test"}
    given: list[Part | None] = ["test" if row.split == test_part else row.split for row in rows]
    if keep_clean:
        given = _without_divided(given, groups)
    fixed = given if three else [None if part == "train" else part for part in given]
    parts = _cut_validation(rows, groups, fixed, seed, validation_share)
    note = f"The published {test_part} part is the test part" + (
        ", as published." if three else "; validation was drawn from training by group."
    )
    method = "published" if three else "published, validation drawn"
    if keep_clean:
        note += f" {parts.count('out')} images of groups that it would divide were left out."
        method = "test kept"
    return Partition(tuple(parts), groups, method, note)


def _published_parts(rows: Sequence[Row]) -> set[Part]:
    """Return the parts that are published.

    Raises:
        DataError: not every image is in one.
    """
    published = {row.split for row in rows if row.split is not None}
    known = sum(row.split is not None for row in rows)
    if known < len(rows):
        raise DataError(
            f"A split is published for {known} of {len(rows)} images: without one for all, leave "
            "--keep-test, --published-split and --published-validation out."
        )
    return published


def _published_pair(
    rows: Sequence[Row], groups: tuple[str, ...], seed: int, test_share: float
) -> Partition:
    """Take a published pair of training and validation, and draw the test part from training."""
    published = _published_parts(rows)
    if published != {"train", "validation"}:
        raise DataError(
            "--published-validation takes a published pair of train and val; here "
            f"{' and '.join(sorted(published))} are published: leave it out, or give "
            "--published-split."
        )
    watched = {group for group, row in zip(groups, rows, strict=True) if row.split == "validation"}
    free = [n for n, (g, row) in enumerate(zip(groups, rows, strict=True)) if g not in watched]
    if not free:
        raise DataError(
            "Every published training image is in a group with a validation image, so that no test "
            "part can be drawn: leave --published-validation out."
        )
    shares: dict[Part, float] = {"train": 1 - test_share, "test": test_share}
    drawn = draw([groups[n] for n in free], [rows[n].label for n in free], shares, seed)
    parts: list[Part] = [row.split or "train" for row in rows]
    for number, part in zip(free, drawn, strict=True):
        parts[number] = part
    note = (
        "Validation is the published one; the test part was drawn by group from the published "
        "training part, among the groups without a validation image."
    )
    return Partition(tuple(parts), groups, "published, test drawn", note)


def _without_divided(given: Sequence[Part | None], groups: Sequence[str]) -> list[Part | None]:
    """Leave out images whose group is in the test part too, or in validation and not trained."""
    clean = list(given)
    for kept, others in (("test", PARTS[:2]), ("validation", PARTS[:1])):
        inside = {group for group, part in zip(groups, clean, strict=True) if part == kept}
        for number, (group, part) in enumerate(zip(groups, clean, strict=True)):
            if part in others and group in inside:
                clean[number] = "out"
    return clean


def _cut_validation(
    rows: Sequence[Row],
    groups: Sequence[str],
    fixed: Sequence[Part | None],
    seed: int,
    validation_share: float,
) -> list[Part]:
    """Divide the rows that have no part yet between training and validation."""
    free = [number for number, part in enumerate(fixed) if part is None]
    if not free and "train" not in fixed:
        raise DataError(
            "Nothing is left to train on: every image is in the test part, or in a group with one "
            "that is. Redraw the parts."
        )
    shares: dict[Part, float] = {"train": 1 - validation_share, "validation": validation_share}
    labels = [rows[number].label for number in free]
    drawn = iter(draw([groups[n] for n in free], labels, shares, seed) if free else ())
    return [next(drawn) if part is None else part for part in fixed]


def draw(
    groups: Sequence[str], labels: Sequence[str], shares: Mapping[Key, float], seed: int
) -> list[Key]:
    """Draw parts so that groups stay whole and each class is in proportion.

    The largest groups are placed first, each where its classes are furthest below their share, so
    that the seed decides only between groups of one size: where all sizes differ, every seed draws
    the same parts.

    Args:
        groups: the group of each row.
        labels: the class of each row.
        shares: how much of the rows each part gets; they sum to 1.
        seed: of the order in which groups of one size are placed.

    Returns:
        One part a row.

    Raises:
        DataError: a class has fewer groups than there are parts.
    """
    members: dict[str, Counter[str]] = defaultdict(Counter)
    for group, label in zip(groups, labels, strict=True):
        members[group][label] += 1
    rare = _rare_classes(members, list(shares))
    names = sorted(members)
    np.random.default_rng(seed).shuffle(names)
    names.sort(key=lambda name: -members[name].total())
    counts = Counter(labels)
    wanted = {part: {c: n * share for c, n in counts.items()} for part, share in shares.items()}
    placed: dict[Key, Counter[str]] = {part: Counter() for part in shares}
    chosen: dict[str, Key] = {}

    def shortfall(part: Key, name: str) -> float:
        """Return how far a part is below its share of a group's classes, summed over its images."""
        own = members[name].items()
        return sum(n * (1 - placed[part][label] / wanted[part][label]) for label, n in own)

    for name in names:
        # Classes of too few groups for every part train.
        fitting = [part for part in shares if part == "train" or not rare & members[name].keys()]
        chosen[name] = max(fitting, key=partial(shortfall, name=name))
        placed[chosen[name]].update(members[name])
    return [chosen[group] for group in groups]


def _rare_classes(members: Mapping[str, Counter[str]], parts: Sequence[Key]) -> set[str]:
    """Return the classes that have fewer groups than there are parts: all of them train.

    Raises:
        DataError: folds were asked for, or the classes that can be tested are fewer than two.
    """
    holders = Counter(label for group in members.values() for label in group)
    rare = {label for label, count in holders.items() if count < len(parts)}
    if not rare or ("train" in parts and len(holders) - len(rare) > 1):
        return rare
    label, count = min(holders.items(), key=lambda pair: pair[1])
    named = parts[0] in PARTS
    listed = [str(part) for part in parts]
    names = f"{', '.join(listed[:-1])} and {listed[-1]}" if named else f"{len(parts):,} folds"
    grouped = any(group.total() > 1 for group in members.values())
    unit = ("group" if grouped else "image") + ("" if count == 1 else "s")
    raise DataError(
        f"The class '{label}' has {count} {unit} to draw from; {names} need at least one each: "
        f"add images, {'' if named else 'ask for fewer folds, '}or leave the class out."
    )


def _refuse_empty(rows: Sequence[Row], partition: Partition) -> None:
    """Refuse a partition in which a part is empty or training misses a class."""
    present: dict[Part, set[str]] = {part: set() for part in (*PARTS, "out")}
    for row, part in zip(rows, partition.parts, strict=True):
        present[part].add(row.label)
    for part in PARTS:
        if not present[part]:
            raise DataError(
                f"The {part} part would be empty: add images, or change the shares of the parts."
            )
    missing = sorted({row.label for row in rows} - present["train"])
    if missing:
        raise DataError(
            f"The class '{missing[0]}' has no image in the training part: "
            "a model cannot learn what it never sees."
        )


def class_imbalance(labels: Sequence[str], parts: Sequence[Key]) -> float:
    """Return the largest difference between a class's share of a part and of the whole, in [0, 1].

    >>> class_imbalance(["a", "b", "a", "b"], ["x", "x", "y", "y"])
    0.0
    """
    whole = Counter(labels)
    differences = [0.0]
    for part in set(parts):
        inside = Counter(c for c, p in zip(labels, parts, strict=True) if p == part)
        differences += [abs(inside[c] / inside.total() - n / len(labels)) for c, n in whole.items()]
    return max(differences)


def class_counts(
    rows: Sequence[Row], partition: Partition, classes: Sequence[str]
) -> dict[Part, NDArray[np.intp]]:
    """Count the images of each class in each part, int, shape (classes,)."""
    numbers = np.array([classes.index(row.label) for row in rows], dtype=np.intp)
    return {
        part: np.bincount(numbers[partition.where(part)], minlength=len(classes)) for part in PARTS
    }
