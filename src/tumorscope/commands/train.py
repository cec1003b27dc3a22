"""Train a classifier and go all the way to its report."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.runs.options import TrainOptions
from tumorscope.schema.grouping import GroupingRules
from tumorscope.schema.layout import LayoutOptions
from tumorscope.support.extras import require_extra
from tumorscope.support.progress import Progress

if TYPE_CHECKING:
    from tumorscope.runs.execution import Run
    from tumorscope.schema.recipe import Recipe


def train(
    data: str | Path,
    *,
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
) -> "Run":
    """Train a classifier on a data set and go all the way to its report.

    Args:
        data: a folder of images or a manifest CSV, in any layout that is known.
        recipe: the name of a recipe, a YAML file, or a recipe.
        overrides: `field=value` each, to change fields of the recipe.
        out: the run's folder; `runs/<data>-<recipe>-<n>` unless given.
        partition: a file of `tumorscope split`; parts are drawn by group unless given.
        keep_test: honour the published test part and take out of training what leaks into it.
        published_split: use the published split as it is; the results then count its leaks.
        published_validation: use a published pair of training and validation as it is, but for a
            test part, which is drawn from training by group.
        test_fold: test on this fold of the partition or of the manifest.
        device: `auto`, `cpu`, `mps`, `cuda`, or a GPU by its number, such as `cuda:1`.
        devices: how many processes train together on each machine, started by `torchrun`; they
            share each batch.
        nodes: how many machines; they must share the data's and the run's folders.
        loggers: where each epoch's scores go in addition to `metrics.csv`: `tensorboard`, `mlflow`.
        figures: formats in which to write every figure besides PNG: `svg`, `pdf`.
        strict: take the first file that cannot be read for an error.
        layout: what the data's layout leaves open.
        grouping: what holds images together when parts are drawn.
        overwrite: replace a run that is in `out`.
        resume: continue the run that is in `out`, or the last one of its name.
        progress: where to report; bars in a notebook and nothing elsewhere unless given.

    Returns:
        The run: its folder and its results.

    Raises:
        TumorscopeError: something cannot be used; the message says what, and what to do.
    """
    options = TrainOptions.from_arguments(locals())
    require_extra("train", "tumorscope train")
    from tumorscope.runs.execution import train_run

    return train_run(options)
