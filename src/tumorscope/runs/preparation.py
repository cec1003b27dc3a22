"""From options to what a run starts from: its recipe, the data as surveyed, its parts."""

from dataclasses import dataclass
from pathlib import Path

from tumorscope.data.dataset import read_store
from tumorscope.errors import UsageError
from tumorscope.grouping.cautions import cautions
from tumorscope.grouping.choice import choose_partition
from tumorscope.grouping.survey import Survey
from tumorscope.model import build_trunk, check_stages
from tumorscope.records import PARTS, Partition
from tumorscope.report.style import check_formats
from tumorscope.runs.folder import next_run, refuse_series
from tumorscope.runs.options import TrainOptions
from tumorscope.schema.recipe import Recipe, change_recipe, load_recipe
from tumorscope.support.files import shown_name
from tumorscope.training import check_loggers, resolve_device


@dataclass(frozen=True)
class Preparation:
    """What runs on the same parts start from.

    Attributes:
        options: of the run.
        survey: the images, and what one look at all of them shows.
        partition: which of them form which part.
    """

    options: TrainOptions
    survey: Survey
    partition: Partition


def resolve_recipe(options: TrainOptions) -> Recipe:
    """Return the recipe of the options, with its overrides applied.

    Raises:
        RecipeError: there is no such recipe, or no such field.
    """
    if isinstance(options.recipe, Recipe):
        return change_recipe(options.recipe, options.overrides)
    return load_recipe(options.recipe, options.overrides)


def prepare(options: TrainOptions, recipe: Recipe) -> Preparation:
    """Refuse what cannot work before the first image is read; then read and divide the data.

    Raises:
        TumorscopeError: an option, the recipe or the data cannot be used.
    """
    options.parts.check()
    survey = survey_data(options, recipe)
    partition = choose_partition(survey, recipe, options.parts)
    folds = [row.fold for row in survey.rows] if options.test_fold is not None else ()
    for sentence in cautions(survey, folds):
        options.reporter.say(f"Note: {sentence}")
    return with_parts(options, survey, partition)


def survey_data(options: TrainOptions, recipe: Recipe) -> Survey:
    """Refuse what cannot work before the first image is read; then read the data.

    Raises:
        TumorscopeError: an option, the recipe or the data cannot be used.
    """
    resolve_device(options.device)
    check_loggers(options.loggers)
    check_formats(options.figures)
    check_stages(recipe, build_trunk(recipe))
    store = read_store(
        options.data_path,
        recipe,
        options.reporter,
        strict=options.strict,
        layout=options.layout,
    )
    return Survey(store, rules=options.grouping)


def with_parts(options: TrainOptions, survey: Survey, partition: Partition) -> Preparation:
    """Return what a run on these parts starts from, and say how large they are."""
    counts = ", ".join(f"{len(partition.where(part))} {part}" for part in PARTS)
    options.reporter.say(f"{partition.note} {counts}.")
    return Preparation(options, survey, partition)


def run_stem(data: Path, recipe: Recipe) -> str:
    """Return how runs of a recipe on this data are called, before their number."""
    name = data.resolve().stem if data.suffix else data.resolve().name
    return f"{shown_name(name)}-{recipe.name}"


def series_folders(
    options: TrainOptions, recipe: Recipe, kind: str, names: list[str]
) -> tuple[Path, list[Path]]:
    """Return the folder of several runs and the folder of each in it.

    Args:
        options: of the run.
        recipe: the recipe that they share.
        kind: `seeds` or `folds`, as the option is called.
        names: of the runs' folders.

    Raises:
        UsageError: several processes were requested, or the folder is in use.
    """
    if options.processes > 1:
        raise UsageError(f"--{kind} trains in one process: leave --devices and --nodes out.")
    stem = f"{run_stem(options.data_path, recipe)}-{kind}"
    folder = Path(options.out) if options.out else next_run(stem, resume=options.resume)
    runs = [folder / name for name in names]
    refuse_series(
        folder, runs, options.data_path, overwrite=options.overwrite, resume=options.resume
    )
    return folder, runs
