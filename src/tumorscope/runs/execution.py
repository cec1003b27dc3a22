"""One run, from what was prepared to its report."""

import os
from dataclasses import dataclass
from pathlib import Path

from tumorscope.data.dataset import read_store
from tumorscope.export import export_bundle
from tumorscope.report.exploration import write_exploration
from tumorscope.runs.evaluation import evaluate_run
from tumorscope.runs.folder import (
    RECIPE,
    create_run,
    next_run,
    read_results,
    read_run_partition,
    refuse_folder,
    resumed_recipe,
)
from tumorscope.runs.options import TrainOptions
from tumorscope.runs.preparation import Preparation, prepare, resolve_recipe, run_stem
from tumorscope.runs.stages import write_stage_answers
from tumorscope.schema.recipe import Recipe, load_recipe
from tumorscope.schema.results import Results
from tumorscope.support.interruption import resumable
from tumorscope.support.notebook import html_table
from tumorscope.support.progress import Quiet
from tumorscope.training import (
    TrainedModel,
    TrainingContext,
    fit_members,
    open_loggers,
    other_stages_answers,
    processes,
    resolve_device,
    settle_precision,
)


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        folder: where everything it left lies.
        results: its scores, as in `results.json`.
    """

    folder: Path
    results: Results

    def _repr_html_(self) -> str:
        """Show the headline and where the report is, in a notebook."""
        rows = [*self.results.headline, ("report", str(self.folder / "report.html"))]
        return html_table(self.folder.name, rows, self.results.summary)


def load_run(folder: str | Path) -> Run:
    """Return a finished run, to look at its results again.

    Args:
        folder: the run's, as `--out` named it or as it lies under `runs/`.

    Raises:
        UsageError: it is not a finished run, or another version wrote its results.
    """
    return Run(Path(folder), read_results(Path(folder)))


def train_run(options: TrainOptions) -> Run:
    """Train once and go all the way to the report, alone or with other processes.

    Raises:
        TumorscopeError: something cannot be used; the message says what, and what to do.
    """
    recipe = resolve_recipe(options)
    if not _join_processes(options):
        return _follow_leader(options)
    stem = run_stem(options.data_path, recipe)
    folder = Path(options.out) if options.out else next_run(stem, resume=options.resume)
    refuse_folder(folder, options.data_path, overwrite=options.overwrite, resume=options.resume)
    return execute(prepare(options, recipe), recipe, folder, resume=options.resume)


def execute(preparation: Preparation, recipe: Recipe, folder: Path, *, resume: bool) -> Run:
    """Train on what was prepared, from a new folder or one to continue, to the report."""
    survey, partition = preparation.survey, preparation.partition
    options = preparation.options
    go_on = f"the same command with --out {folder} --resume continues from there."
    if not resume:
        recipe = begin(preparation, recipe, folder)
        with resumable(f"Stopped before training: {go_on}"):
            write_exploration(folder, survey.store, partition, recipe, options.figures)
    trained, recipe = train_model(preparation, recipe, folder)
    with resumable(f"Stopped after training: {go_on}"):
        _compare_stages(preparation, trained, recipe, folder)
        export_bundle(
            folder / "bundle", trained.model, trained.kept_epoch, survey.store, partition, recipe
        )
        evaluate_run(folder, survey, partition, formats=options.figures, progress=options.reporter)
    processes.wait()
    return Run(folder, read_results(folder))


def _compare_stages(
    preparation: Preparation, trained: TrainedModel, recipe: Recipe, folder: Path
) -> None:
    """Write what each stage answers for the test images; nothing is chosen by it."""
    if recipe.members > 1:
        return  # each network has stages of its own
    options, store = preparation.options, preparation.survey.store
    context = TrainingContext(folder, resolve_device(options.device), options.reporter)
    tested = preparation.partition.where("test")
    answers = other_stages_answers(trained, store, tested, recipe.keep, context)
    write_stage_answers(folder, answers, store, preparation.partition)


def begin(preparation: Preparation, recipe: Recipe, folder: Path) -> Recipe:
    """Write the inputs of a run into its folder, and return its recipe with nothing left open."""
    options, store = preparation.options, preparation.survey.store
    device = resolve_device(options.device)
    recipe = settle_precision(recipe, device)
    create_run(folder, recipe, store, preparation.partition, device=device, options=options)
    return recipe


def train_model(
    preparation: Preparation, recipe: Recipe, folder: Path
) -> tuple[TrainedModel, Recipe]:
    """Train from the last checkpoint in a run's folder, if there is one, to the last epoch.

    Returns:
        The model with the weights that were kept, and the recipe as the run began with it.

    Raises:
        UsageError: the run in the folder began with other settings or other data.
    """
    options, store = preparation.options, preparation.survey.store
    recipe = resumed_recipe(folder, recipe, store)
    processes.from_leader(folder)  # the others begin now
    loggers = tuple(open_loggers(options.loggers, folder))
    context = TrainingContext(folder, resolve_device(options.device), options.reporter, loggers)
    return fit_members(store, preparation.partition, recipe, context), recipe


def _join_processes(options: TrainOptions) -> bool:
    """Join the processes that train together; say whether this one leads them."""
    if options.processes == 1 and "WORLD_SIZE" not in os.environ:
        return True
    processes.join(options.devices, options.nodes, resolve_device(options.device))
    return processes.leads()


def _follow_leader(options: TrainOptions) -> Run:
    """Take part in a run that another process leads, from what it has written."""
    folder = processes.from_leader(Path())
    recipe = load_recipe(folder / RECIPE)
    store = read_store(options.data_path, recipe, Quiet(), strict=False, layout=options.layout)
    context = TrainingContext(folder, resolve_device(options.device), Quiet())
    fit_members(store, read_run_partition(folder, "drawn", ""), recipe, context)
    processes.wait()
    return Run(folder, read_results(folder))
