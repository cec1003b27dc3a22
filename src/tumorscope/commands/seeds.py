"""The same run with other seeds, to see how far chance alone goes."""

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
    from tumorscope.schema.summaries import SeedSummary


@dataclass(frozen=True)
class Series:
    """Runs of one recipe that differ in nothing but the seed.

    Attributes:
        folder: where each has its folder, with `report.html` and `seeds.json`.
        runs: one per seed.
        summary: means and spreads, as in `seeds.json`.
    """

    folder: Path
    runs: "tuple[Run, ...]"
    summary: "SeedSummary"


def train_seeds(  # noqa: D417 (the other arguments are explained by train)
    data: str | Path,
    *,
    seeds: int,
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
) -> Series:
    """Train a recipe with several seeds on the same parts, to see how far chance alone goes.

    The recipe's seed draws the parts and is the first of the seeds; the others count on from it.
    Each run has its own folder, `seed-<n>`; with `resume`, finished ones are kept.

    Args:
        data: a folder of images or a manifest CSV.
        seeds: how many. All other arguments are those of `train`; `out` is the folder of all runs.

    Raises:
        TumorscopeError: as `train`.
    """
    options = TrainOptions.from_arguments(locals())
    require_extra("train", "tumorscope train")
    if seeds < 2:
        raise UsageError(f"--seeds {seeds} shows no spread: ask for two or more.")
    from tumorscope.runs.execution import execute
    from tumorscope.runs.folder import is_run
    from tumorscope.runs.preparation import (
        prepare,
        resolve_recipe,
        series_folders,
    )
    from tumorscope.runs.seeds import combine_seeds

    first = resolve_recipe(options)
    numbers = range(first.seed, first.seed + seeds)
    folder, folders = series_folders(options, first, "seeds", [f"seed-{n}" for n in numbers])
    preparation = prepare(options, first)
    runs: list[Run] = []
    for seed, run_folder in zip(numbers, folders, strict=True):
        options.reporter.say(f"seed {seed}, {len(runs) + 1} of {seeds}")
        seeded = first.model_copy(update={"seed": seed})
        resumed = options.resume and is_run(run_folder)
        with resumable(
            f"Stopped in seed {seed}; finished seeds are kept: the same command with --out "
            f"{folder} --resume continues from there."
        ):
            runs.append(execute(preparation, seeded, run_folder, resume=resumed))
    summary = combine_seeds(folder, numbers, runs, options.figures)
    return Series(folder, tuple(runs), summary)
