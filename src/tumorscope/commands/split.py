"""Divide a data set so that nothing leaks."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tumorscope.data.layouts import read_manifest
from tumorscope.data.store import MIDDLE, open_store
from tumorscope.errors import UsageError
from tumorscope.grouping.choice import cautions
from tumorscope.grouping.partition import balance, make_folds, make_partition
from tumorscope.grouping.partition_file import write_partition_file
from tumorscope.grouping.survey import Rules, Survey
from tumorscope.records import PARTS, Part
from tumorscope.support.files import explained, refuse_inside
from tumorscope.support.progress import Progress


@dataclass(frozen=True)
class SplitSummary:
    """What a split came to.

    Attributes:
        path: the partition file.
        note: how it came about.
        counts: images in each part or fold.
        groups: how many groups there are.
        stray: how far a class's share in a part strays from its share in all at most, in [0, 1].
        cautions: what makes it weaker than it looks, a sentence each.
    """

    path: Path
    note: str
    counts: dict[str, int]
    groups: int
    stray: float
    cautions: tuple[str, ...] = ()


def split(
    *,
    data: str | Path,
    out: str | Path,
    folds: int | None = None,
    validation_share: float = 0.15,
    test_share: float = 0.15,
    keep_test: bool = False,
    seed: int = 0,
    switched_off: Sequence[str] = (),
    progress: Progress | None = None,
) -> SplitSummary:
    """Divide a data set so that nothing leaks, and write the partition.

    Args:
        data: a folder of images or a manifest CSV.
        out: the CSV to write.
        folds: draw so many folds instead of three parts.
        validation_share: how much goes to validation.
        test_share: how much goes to the test part.
        keep_test: honour a published test part and take out what leaks into it.
        seed: where the randomness comes from.
        switched_off: rules that shall not hold images together: `patients`, `lineage`, `copies`,
            `series`.
        progress: where to report; nowhere unless given.

    Raises:
        TumorscopeError: the data cannot be divided so, or the file not written.
    """
    path, used = Path(out), Rules(**dict.fromkeys(switched_off, False))
    _refuse_split(path, Path(data), folds, keep_test)
    store = open_store(read_manifest(data), MIDDLE, progress=progress)
    survey = Survey(store)
    groups = survey.groups(used)
    labels = [row.label for row in survey.rows]
    if folds is not None:
        numbers = make_folds(survey.rows, groups, folds=folds, seed=seed)
        note = f"{folds} folds were drawn from groups of images that belong together."
        weak = cautions(survey, numbers)
        counts = {f"fold {n}": numbers.count(n) for n in range(1, folds + 1)}
        places: list[int] | list[Part] = numbers
        stray = balance(labels, numbers)
    else:
        found = make_partition(
            survey.rows,
            groups,
            seed=seed,
            mode="keep-test" if keep_test else "redraw",
            validation_share=validation_share,
            test_share=test_share,
        )
        note, stray = found.note, balance(labels, found.parts)
        weak = cautions(survey)
        counts = {part: found.parts.count(part) for part in (*PARTS, "out")}
        places = list(found.parts)
    settings = {
        "folds": folds,
        "validation_share": validation_share,
        "test_share": test_share,
        "keep_test": keep_test,
        "seed": seed,
        "rules": asdict(used),
    }
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    names = [f"g{group}" for group in groups]
    write_partition_file(path, store, names, survey.patients, places, settings=settings, note=note)
    return SplitSummary(path, note, counts, len(set(names)), stray, tuple(weak))


def _refuse_split(path: Path, data: Path, folds: int | None, keep_test: bool) -> None:
    if folds is not None and folds < 2:
        raise UsageError(f"--folds {folds} divides nothing: ask for two or more.")
    if folds is not None and keep_test:
        raise UsageError("--folds and --keep-test exclude each other: choose one.")
    if path.suffix != ".csv":
        raise UsageError(f"{path} does not end in .csv: a partition is a CSV file.")
    refuse_inside(path, data)
