"""Cross-validation: every image tested once, by a model that did not train on its fold."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.errors import UsageError
from tumorscope.runs.options import TrainOptions
from tumorscope.schema.grouping import GroupingRules
from tumorscope.schema.layout import LayoutOptions
from tumorscope.support.extras import require_extra
from tumorscope.support.interruption import resumable
from tumorscope.support.progress import Progress

if TYPE_CHECKING:
    from tumorscope.runs.execution import Run
    from tumorscope.schema.recipe import Recipe
    from tumorscope.schema.summaries import FoldSummary


@dataclass(frozen=True)
class Folds:
    """A finished cross-validation.

    Attributes:
        folder: where each fold has its run, with `folds.json` and the pooled `predictions.csv`.
        runs: one a fold.
        summary: pooled scores and those of each fold, as in `folds.json`.
    """

    folder: Path
    runs: "tuple[Run, ...]"
    summary: "FoldSummary"


def train_folds(  # noqa: D417 (the other arguments are explained by train)
    data: str | Path,
    *,
    folds: int,
    recipe: "str | Path | Recipe" = TrainOptions.recipe,
    overrides: Sequence[str] = TrainOptions.overrides,
    out: str | Path | None = TrainOptions.out,
    partition: str | Path | None = TrainOptions.partition,
    keep_test: bool = TrainOptions.keep_test,
    published_split: bool = TrainOptions.published_split,
    published_validation: bool = TrainOptions.published_validation,
    test_fold: int | None = TrainOptions.test_fold,
    device: str = TrainOptions.device,
    devices: int = TrainOptions.devices,
    nodes: int = TrainOptions.nodes,
    loggers: Sequence[str] = TrainOptions.loggers,
    figures: Sequence[str] = TrainOptions.figures,
    strict: bool = TrainOptions.strict,
    layout: LayoutOptions = TrainOptions.layout,
    grouping: GroupingRules = TrainOptions.grouping,
    overwrite: bool = TrainOptions.overwrite,
    resume: bool = TrainOptions.resume,
    progress: Progress | None = TrainOptions.progress,
) -> Folds:
    """Train and evaluate on every fold, and pool the predictions.

    The folds are drawn by group, as `split` draws them, or are those of a partition file. Each fold
    is the test part once; validation is cut by group from the others. With `resume`, finished folds
    are kept.

    Args:
        data: a folder of images or a manifest CSV.
        folds: how many. All other arguments are those of `train`; `out` is the folder of all runs,
            and `partition` may be a file with as many folds.

    Raises:
        TumorscopeError: as `train`, or the file has other folds.
    """
    options = TrainOptions.from_arguments(locals())
    require_extra("train", "tumorscope train")
    _refuse(folds, options)
    from tumorscope.runs.execution import execute
    from tumorscope.runs.folder import is_run
    from tumorscope.runs.folds import choose_folds, fold_parts, pool_folds
    from tumorscope.runs.preparation import (
        resolve_recipe,
        series_folders,
        survey_data,
        with_parts,
    )

    chosen = resolve_recipe(options)
    names = [f"fold-{n}" for n in range(1, folds + 1)]
    folder, folders = series_folders(options, chosen, "folds", names)
    survey = survey_data(options, chosen)
    fold_of = choose_folds(options, survey, chosen, folds)
    runs: list[Run] = []
    divisions = []
    for fold, run_folder in enumerate(folders, 1):
        options.reporter.say(f"fold {fold} of {folds}")
        division = fold_parts(survey, chosen, fold_of, fold)
        preparation = with_parts(options, survey, division)
        resumed = options.resume and is_run(run_folder)
        with resumable(
            f"Stopped in fold {fold}; finished folds are kept: the same command with --out "
            f"{folder} --resume continues from there."
        ):
            runs.append(execute(preparation, chosen, run_folder, resume=resumed))
        divisions.append(division)
    summary = pool_folds(folder, survey, runs, divisions, options.figures)
    return Folds(folder, tuple(runs), summary)


def _refuse(folds: int, options: TrainOptions) -> None:
    if folds < 2:
        raise UsageError(f"--folds {folds} is too few: ask for two or more.")
    for name in ("keep_test", "published_split", "published_validation", "test_fold"):
        if getattr(options, name):
            raise UsageError(
                f"--folds tests every image once: leave --{name.replace('_', '-')} out."
            )
