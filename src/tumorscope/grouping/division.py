"""A data set divided anew, as `tumorscope split` writes it down."""

from collections.abc import Sequence
from dataclasses import dataclass

from tumorscope.grouping.cautions import cautions
from tumorscope.grouping.partition import (
    HELD_OUT_SHARE,
    class_imbalance,
    group_names,
    make_folds,
    make_partition,
)
from tumorscope.grouping.survey import Survey
from tumorscope.records import PARTS, Part
from tumorscope.schema.grouping import ALL, GroupingRules


@dataclass(frozen=True)
class DrawSettings:
    """How a division is drawn.

    Attributes:
        folds: how many folds to draw instead of three parts.
        validation_share: how much goes to validation.
        test_share: how much goes to the test part.
        keep_test: keep a published test part, and leave out what would leak into it.
        seed: of the order in which groups of one size are placed.
        rules: what holds images together.
    """

    folds: int | None = None
    validation_share: float = HELD_OUT_SHARE
    test_share: float = HELD_OUT_SHARE
    keep_test: bool = False
    seed: int = 0
    rules: GroupingRules = ALL


@dataclass(frozen=True)
class Division:
    """Which row goes to which part or fold.

    Attributes:
        members: the part of each row, or its fold, from 1.
        groups: the group of each row.
        note: how it came about.
        counts: images in each part or fold.
        class_imbalance: the largest difference between a class's share of a part and of the whole.
        cautions: what makes it weaker than it looks, one sentence each.
    """

    members: Sequence[Part] | Sequence[int]
    groups: tuple[str, ...]
    note: str
    counts: dict[str, int]
    class_imbalance: float
    cautions: tuple[str, ...]


def divide(survey: Survey, settings: DrawSettings) -> Division:
    """Draw parts or folds in which no group is divided.

    Raises:
        DataError: the data cannot be divided so.
    """
    return (
        _draw_parts(survey, settings) if settings.folds is None else _draw_folds(survey, settings)
    )


def _draw_parts(survey: Survey, settings: DrawSettings) -> Division:
    groups, labels = survey.groups(), [row.label for row in survey.rows]
    partition = make_partition(
        survey.rows,
        groups,
        seed=settings.seed,
        mode="keep-test" if settings.keep_test else "redraw",
        validation_share=settings.validation_share,
        test_share=settings.test_share,
    )
    return Division(
        members=partition.parts,
        groups=partition.groups,
        note=partition.note,
        counts={part: partition.parts.count(part) for part in (*PARTS, "out")},
        class_imbalance=class_imbalance(labels, partition.parts),
        cautions=tuple(cautions(survey)),
    )


def _draw_folds(survey: Survey, settings: DrawSettings) -> Division:
    assert settings.folds is not None
    groups, labels = survey.groups(), [row.label for row in survey.rows]
    folds = make_folds(survey.rows, groups, folds=settings.folds, seed=settings.seed)
    return Division(
        members=folds,
        groups=group_names(groups),
        note=f"{settings.folds} folds were drawn from groups of images that belong together.",
        counts={f"fold {n}": folds.count(n) for n in range(1, settings.folds + 1)},
        class_imbalance=class_imbalance(labels, folds),
        cautions=tuple(cautions(survey, folds)),
    )
