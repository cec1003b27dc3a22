"""Grouped, stratified partitions: no group is ever divided by a part that is drawn."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from tumorscope.errors import DataError
from tumorscope.records import PARTS, Part, Partition, Row

Mode = Literal["redraw", "keep-test", "published"]
Key = TypeVar("Key", str, int, Part)


def make_partition(
    rows: Sequence[Row],
    groups: Sequence[int] | NDArray[np.intp],
    *,
    seed: int,
    mode: Mode = "redraw",
    validation_share: float = 0.15,
    test_share: float = 0.15,
) -> Partition:
    """Say which row goes where.

    Args:
        rows: the readable rows of a data set.
        groups: the group of each row.
        seed: the same seed, rows and groups give the same partition.
        mode: `redraw` draws all parts; `keep-test` honours a published test part and takes out of
            training what belongs to a group in it; `published` uses a published split as it is,
            and cuts validation from training where it has none.
        validation_share: how much of what is drawn from goes to validation.
        test_share: how much of it goes to the test part, where that is drawn too.

    Raises:
        DataError: fewer than two classes, too few groups of one, or no such split is published.
    """
    refuse_too_few(rows)
    names = tuple(f"g{group}" for group in groups)
    if mode == "redraw":
        partition = _redrawn(rows, names, seed, validation_share, test_share)
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
    return draw([f"g{g}" for g in groups], [row.label for row in rows], shares, seed)


def fold_partition(
    rows: Sequence[Row],
    groups: Sequence[int] | NDArray[np.intp],
    folds: Sequence[int | None],
    *,
    test_fold: int,
    seed: int,
    validation_share: float = 0.15,
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
    known = sorted({fold for fold in folds if fold is not None})
    if test_fold not in known:
        raise DataError(f"There is no fold {test_fold}; folds: {', '.join(map(str, known))}.")
    names = tuple(f"g{group}" for group in groups)
    test = [fold == test_fold for fold in folds]
    parts = _cut_validation(rows, names, test, seed, validation_share)
    note = (
        f"Fold {test_fold} of {len(known)} is the test part; validation was drawn from the rest by "
        "group."
    )
    partition = Partition(tuple(parts), names, "fold", note)
    _refuse_empty(rows, partition)
    return partition


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
    if shares["train"] <= 0:
        raise DataError("validation_share and test_share leave nothing to train on: lower them.")
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
    """Use a published split, with what leaks into its test part taken out where `keep_clean`."""
    published = {row.split for row in rows}
    if None in published:
        given = sum(row.split is not None for row in rows)
        raise DataError(
            f"A split is published for {given} of {len(rows)} images: without one for all, leave "
            "--keep-test and --published-split out."
        )
    if "train" not in published or len(published) == 1:
        raise DataError("The published split has no training part and another: redraw it.")
    last: Part = "test" if "test" in published else "validation"
    test = [row.split == last for row in rows]
    tested = {group for group, chosen in zip(groups, test, strict=True) if chosen}
    out = [
        keep_clean and not chosen and group in tested
        for group, chosen in zip(groups, test, strict=True)
    ]
    name = f"The published {last} part is the test part"
    if published == {"train", "validation", "test"}:
        parts = [row.split or "train" for row in rows]
        note = f"{name}, as published."
        method = "published"
    else:
        parts = _cut_validation(
            rows, groups, [t or o for t, o in zip(test, out, strict=True)], seed, validation_share
        )
        note = f"{name}; validation was drawn from training by group."
        method = "published, validation drawn"
    if keep_clean:
        parts = ["out" if o else part for part, o in zip(parts, out, strict=True)]
        note += f" {sum(out)} images that belong to its groups were taken out of the others."
        method = "test kept"
    return Partition(tuple(parts), groups, method, note)


def _cut_validation(
    rows: Sequence[Row],
    groups: Sequence[str],
    test: Sequence[bool],
    seed: int,
    validation_share: float,
) -> list[Part]:
    """Divide what is not test between training and validation."""
    rest = [number for number, chosen in enumerate(test) if not chosen]
    if not rest:
        raise DataError(
            "Every image outside the test part belongs to a group inside it, so that nothing is "
            "left to train on: redraw the parts."
        )
    shares: dict[Part, float] = {"train": 1 - validation_share, "validation": validation_share}
    drawn = draw([groups[n] for n in rest], [rows[n].label for n in rest], shares, seed)
    parts: list[Part] = ["test"] * len(rows)
    for number, part in zip(rest, drawn, strict=True):
        parts[number] = part
    return parts


def draw(
    groups: Sequence[str], labels: Sequence[str], shares: Mapping[Key, float], seed: int
) -> list[Key]:
    """Draw parts at random so that groups stay whole and each class is in proportion.

    The largest groups are placed first, each where its classes are furthest below their share.

    Args:
        groups: the group of each row.
        labels: the class of each row.
        shares: how much of the rows each part gets; they sum to 1.
        seed: where the randomness comes from.

    Returns:
        One part a row.

    Raises:
        DataError: a class has fewer groups than there are parts.
    """
    members: dict[str, Counter[str]] = defaultdict(Counter)
    for group, label in zip(groups, labels, strict=True):
        members[group][label] += 1
    _refuse_rare(members, [str(part) for part in shares])
    names = sorted(members)
    np.random.default_rng(seed).shuffle(names)
    names.sort(key=lambda name: -members[name].total())
    counts = Counter(labels)
    wanted = {part: {c: n * share for c, n in counts.items()} for part, share in shares.items()}
    placed: dict[Key, Counter[str]] = {part: Counter() for part in shares}
    chosen: dict[str, Key] = {}

    def need(name: str) -> Callable[[Key], float]:
        """Return how far a part is below its share of a group's classes, 1 empty, 0 full."""
        own = members[name]
        return lambda p: sum(n * (1 - placed[p][c] / wanted[p][c]) for c, n in own.items())

    for name in names:
        chosen[name] = max(shares, key=need(name))
        placed[chosen[name]].update(members[name])
    return [chosen[group] for group in groups]


def _refuse_rare(members: Mapping[str, Counter[str]], parts: Sequence[str]) -> None:
    holders = Counter(label for group in members.values() for label in group)
    label, count = min(holders.items(), key=lambda pair: pair[1])
    if count < len(parts):
        named = parts[0] in PARTS
        names = f"{', '.join(parts[:-1])} and {parts[-1]}" if named else f"{len(parts):,} folds"
        grouped = any(group.total() > 1 for group in members.values())
        unit = ("group" if grouped else "image") + ("" if count == 1 else "s")
        raise DataError(
            f"The class '{label}' has {count} {unit} to draw from; {names} need at least one each: "
            f"add images, ask for fewer {'parts' if named else 'folds'}, or leave the class out."
        )


def _refuse_empty(rows: Sequence[Row], partition: Partition) -> None:
    """Refuse a partition in which a part is empty or training misses a class."""
    present: dict[Part, set[str]] = {part: set() for part in (*PARTS, "out")}
    for row, part in zip(rows, partition.parts, strict=True):
        present[part].add(row.label)
    for part in PARTS:
        if not present[part]:
            raise DataError(f"The {part} part would be empty: add images, or raise {part}_share.")
    missing = sorted({row.label for row in rows} - present["train"])
    if missing:
        raise DataError(
            f"The class '{missing[0]}' has no image in the training part: "
            "a model cannot learn what it never sees."
        )


def balance(labels: Sequence[str], parts: Sequence[Key]) -> float:
    """Return how far a part's class shares stray from the whole's at most, in [0, 1].

    >>> balance(["a", "b", "a", "b"], ["x", "x", "y", "y"])
    0.0
    """
    whole = Counter(labels)
    strays = [0.0]
    for part in set(parts):
        inside = Counter(c for c, p in zip(labels, parts, strict=True) if p == part)
        strays += [abs(inside[c] / inside.total() - n / len(labels)) for c, n in whole.items()]
    return max(strays)


def class_counts(
    rows: Sequence[Row], partition: Partition, classes: Sequence[str]
) -> dict[Part, NDArray[np.intp]]:
    """Count the images of each class in each part, int, shape (classes,)."""
    numbers = np.array([classes.index(row.label) for row in rows], dtype=np.intp)
    return {
        part: np.bincount(numbers[partition.where(part)], minlength=len(classes)) for part in PARTS
    }
