"""Divide a data set so that nothing leaks."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.errors import UsageError
from tumorscope.schema.grouping import ALL, GroupingRules
from tumorscope.schema.layout import UNSAID, LayoutOptions
from tumorscope.support.extras import require_extra
from tumorscope.support.files import explained, refuse_inside
from tumorscope.support.progress import Progress, default_progress

if TYPE_CHECKING:
    from tumorscope.grouping.division import Division


@dataclass(frozen=True)
class SplitSummary:
    """What a split came to.

    Attributes:
        path: the partition file.
        note: how it came about.
        counts: images in each part or fold.
        groups: how many groups there are.
        class_imbalance: the largest difference between a class's share of a part and of the whole.
        cautions: what makes it weaker than it looks, one sentence each.
    """

    path: Path
    note: str
    counts: dict[str, int]
    groups: int
    class_imbalance: float
    cautions: tuple[str, ...] = ()


def split(
    data: str | Path,
    *,
    out: str | Path,
    folds: int | None = None,
    validation_share: float = 0.15,
    test_share: float = 0.15,
    keep_test: bool = False,
    seed: int = 0,
    grouping: GroupingRules = ALL,
    layout: LayoutOptions = UNSAID,
    progress: Progress | None = None,
) -> SplitSummary:
    """Divide a data set so that nothing leaks, and write the partition.

    Args:
        data: a folder of images or a manifest CSV.
        out: the CSV to write.
        folds: how many folds to draw instead of three parts.
        validation_share: how much goes to validation.
        test_share: how much goes to the test part.
        keep_test: keep a published test part, and leave out what would leak into it.
        seed: of the order in which groups of one size are placed.
        grouping: what holds images together.
        layout: what the data's layout leaves open.
        progress: where to report; bars in a notebook and nothing elsewhere unless given.

    Raises:
        TumorscopeError: the data cannot be divided so, or the file not written.
    """
    require_extra("train", "tumorscope split")
    path = Path(out)
    _refuse(path, Path(data), folds, keep_test=keep_test)
    from tumorscope.data.dataset import say_layout
    from tumorscope.data.layouts import read_manifest
    from tumorscope.data.store import MIDDLE, open_store
    from tumorscope.grouping.division import DrawSettings, divide
    from tumorscope.grouping.partition_file import write_partition_file
    from tumorscope.grouping.survey import Survey

    settings = DrawSettings(
        folds=folds,
        validation_share=validation_share,
        test_share=test_share,
        keep_test=keep_test,
        seed=seed,
        rules=grouping,
    )
    manifest = read_manifest(data, layout)
    reporter = progress or default_progress()
    say_layout(manifest, reporter)
    store = open_store(manifest, MIDDLE, progress=reporter)
    survey = Survey(store, rules=grouping)
    division = divide(survey, settings)
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_partition_file(path, survey, division, settings)
    return _summary(path, division)


def _summary(path: Path, division: "Division") -> SplitSummary:
    return SplitSummary(
        path,
        division.note,
        division.counts,
        len(set(division.groups)),
        division.class_imbalance,
        division.cautions,
    )


def _refuse(path: Path, data: Path, folds: int | None, *, keep_test: bool) -> None:
    if folds is not None and folds < 2:
        raise UsageError(f"--folds {folds} is too few: ask for two or more.")
    if folds is not None and keep_test:
        raise UsageError("--folds and --keep-test exclude each other: choose one.")
    if path.suffix != ".csv":
        raise UsageError(f"{path} does not end in .csv: a partition is a CSV file.")
    refuse_inside(path, data)
