"""The stages put together: what the command line and the public names call."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Required, TypedDict, Unpack

from tumorscope.records import PARTS, Partition
from tumorscope.runs.folder import (
    RECIPE,
    create_run,
    next_run,
    read_results,
    read_run_partition,
    refuse_folder,
    resumed_recipe,
)
from tumorscope.schema.recipe import Recipe, change_recipe, load_recipe
from tumorscope.schema.results import Results
from tumorscope.support.extras import require_extra
from tumorscope.support.progress import Progress, Quiet

if TYPE_CHECKING:
    from tumorscope.grouping.survey import Survey


@dataclass(frozen=True)
class Run:
    """A finished training.

    Attributes:
        folder: where everything it left lies.
        results: its scores, as in `results.json`.
    """

    folder: Path
    results: Results


class Options(TypedDict, total=False):
    """What can be said of a training; `train` explains each."""

    data: Required[str | Path]
    recipe: str | Path | Recipe
    overrides: Sequence[str]
    out: str | Path | None
    partition: str | Path | None
    keep_test: bool
    published_split: bool
    test_fold: int | None
    device: str
    devices: int
    nodes: int
    loggers: Sequence[str]
    strict: bool
    overwrite: bool
    resume: bool
    progress: Progress | None


def train(**options: Unpack[Options]) -> Run:
    """Train a classifier on a data set and go all the way to its report.

    Args:
        data: a folder of images or a manifest CSV, in any layout that is known.
        recipe: the name of a recipe, a YAML file, or a recipe.
        overrides: `field=value` each, to change fields of the recipe.
        out: the run's folder; `runs/<data>-<recipe>-<n>` unless given.
        partition: a file of `tumorscope split`; parts are drawn by group unless given.
        keep_test: honour the published test part and take out of training what leaks into it.
        published_split: use the published split as it is; the results then count its leaks.
        test_fold: test on this fold of the partition or of the manifest.
        device: `auto`, `cpu`, `cuda` or `mps`.
        devices: how many processes train together on each machine, started by `torchrun`; they
            share each batch.
        nodes: how many machines; they must share the data's and the run's folders.
        loggers: where each epoch's scores go beside `metrics.csv`: `tensorboard`, `mlflow`.
        strict: take the first file that cannot be read for an error.
        overwrite: replace a run that is in `out`.
        resume: go on with the run that is in `out`, or with the last one of its name.
        progress: where to report; nowhere unless given.

    Raises:
        TumorscopeError: something cannot be used; the message says what, and what to do.
    """
    require_extra("train", "tumorscope train")
    refuse_unknown(options)
    resume = options.get("resume", False)
    chosen, place = chosen_recipe(options), Path(options["data"])
    if not _join(options):
        return _assist(options)
    out = options.get("out")
    folder = Path(out) if out else next_run(f"{stem_of(place)}-{chosen.name}", resume=resume)
    refuse_folder(folder, place, overwrite=options.get("overwrite", False), resume=resume)
    return train_one(prepare_job(chosen, options), chosen, folder, resume=resume)


def _join(options: Options) -> bool:
    """Join the processes that train together; say whether this one leads them."""
    if options.get("devices", 1) * options.get("nodes", 1) == 1 and "WORLD_SIZE" not in os.environ:
        return True
    from tumorscope.training import processes, resolve_device  # noqa: PLC0415 (imports PyTorch)

    device = resolve_device(options.get("device", "auto"))
    processes.join(options.get("devices", 1), options.get("nodes", 1), device)
    return processes.leads()


def _assist(options: Options) -> Run:
    """Take part in a training that another process leads, from what it has written."""
    from tumorscope.data.dataset import read_store  # noqa: PLC0415 (imports SciPy)
    from tumorscope.model import build_classifier  # noqa: PLC0415 (imports PyTorch)
    from tumorscope.training import fit, processes, resolve_device  # noqa: PLC0415

    folder = processes.from_leader(Path())
    recipe = load_recipe(folder / RECIPE)
    store = read_store(Path(options["data"]), recipe, Quiet(), strict=False)
    fit(
        build_classifier(recipe, len(store.manifest.classes)),
        store,
        store.manifest.class_numbers(),
        read_run_partition(folder, "drawn", ""),
        recipe,
        folder,
        device=resolve_device(options.get("device", "auto")),
        progress=Quiet(),
    )
    processes.wait()
    return Run(folder, read_results(folder))


def refuse_unknown(options: Options) -> None:
    """Refuse a misspelt argument, as Python itself does where the arguments are spelt out.

    Raises:
        TypeError: the message names it.
    """
    for name in options.keys() - Options.__annotations__.keys():
        raise TypeError(f"a training has no option '{name}'")


@dataclass(frozen=True)
class Job:
    """What trainings on the same parts start from.

    Attributes:
        survey: the images, and what one look at all of them shows.
        found: which of them form which part.
        place: where the data is.
        device: `cpu`, `cuda` or `mps`.
        loggers: where each epoch's scores go beside `metrics.csv`.
        progress: where to report.
    """

    survey: "Survey"
    found: Partition
    place: Path
    device: str
    loggers: Sequence[str]
    progress: Progress


def chosen_recipe(options: Options) -> Recipe:
    """Return the recipe that a training was given, with its fields changed as asked.

    Raises:
        RecipeError: there is no such recipe, or no such field.
    """
    recipe = options.get("recipe", "resnet18")
    overrides = options.get("overrides", ())
    if isinstance(recipe, Recipe):
        return change_recipe(recipe, overrides)
    return load_recipe(recipe, overrides)


def prepare_job(recipe: Recipe, options: Options) -> Job:
    """Refuse what cannot work before the first image is read; then read and divide the data."""
    from tumorscope.grouping.choice import Choice, cautions, choose_partition  # noqa: PLC0415 (SciPy)

    partition = options.get("partition")
    choice = Choice(
        Path(partition) if partition else None,
        options.get("keep_test", False),
        options.get("published_split", False),
        options.get("test_fold"),
    )
    choice.check()
    survey, progress = survey_data(recipe, options), options.get("progress") or Quiet()
    found = choose_partition(survey, recipe, choice)
    folds = [row.fold for row in survey.rows] if choice.test_fold is not None else ()
    for sentence in cautions(survey, folds):
        progress.say(f"Mind: {sentence}")
    return make_job(survey, found, options)


def survey_data(recipe: Recipe, options: Options) -> "Survey":
    """Refuse what cannot work before the first image is read; then read the data."""
    from tumorscope.data.dataset import read_store  # noqa: PLC0415 (imports SciPy)
    from tumorscope.grouping.survey import Survey  # noqa: PLC0415
    from tumorscope.model import build_trunk, check_stages  # noqa: PLC0415 (imports PyTorch)
    from tumorscope.training import check_loggers, resolve_device  # noqa: PLC0415

    resolve_device(options.get("device", "auto"))
    check_loggers(options.get("loggers", ()))
    check_stages(recipe, build_trunk(recipe))
    place, progress = Path(options["data"]), options.get("progress") or Quiet()
    return Survey(read_store(place, recipe, progress, strict=options.get("strict", False)))


def make_job(survey: "Survey", found: Partition, options: Options) -> Job:
    """Return what a training on these parts starts from, and say how large they are."""
    from tumorscope.training import resolve_device  # noqa: PLC0415 (imports PyTorch)

    progress = options.get("progress") or Quiet()
    counts = ", ".join(f"{len(found.where(part))} {part}" for part in PARTS)
    progress.say(f"{found.note} {counts}.")
    return Job(
        survey,
        found,
        Path(options["data"]),
        resolve_device(options.get("device", "auto")),
        options.get("loggers", ()),
        progress,
    )


def train_one(job: Job, recipe: Recipe, folder: Path, *, resume: bool) -> Run:
    """Train once on what was prepared, from a new folder or one to go on with, to its report."""
    from tumorscope.export import export_bundle  # noqa: PLC0415 (imports PyTorch)
    from tumorscope.model import build_classifier  # noqa: PLC0415
    from tumorscope.report.exploration import write_exploration  # noqa: PLC0415 (matplotlib)
    from tumorscope.runs.assessment import assess_run  # noqa: PLC0415 (imports matplotlib)
    from tumorscope.training import (  # noqa: PLC0415
        fit,
        open_loggers,
        processes,
        settle_precision,
    )

    store, found = job.survey.store, job.found
    if resume:
        recipe = resumed_recipe(folder, recipe, store)
    else:
        recipe = settle_precision(recipe, job.device)
        create_run(folder, recipe, store, found, job.device, job.place)
        write_exploration(folder, store, found, recipe)
    processes.from_leader(folder)  # the others begin now
    fitted = fit(
        build_classifier(recipe, len(store.manifest.classes)),
        store,
        store.manifest.class_numbers(),
        found,
        recipe,
        folder,
        device=job.device,
        progress=job.progress,
        loggers=open_loggers(job.loggers, folder),
    )
    export_bundle(folder / "bundle", fitted.model, int(fitted.best["epoch"]), store, found, recipe)
    assess_run(folder, job.survey, found, progress=job.progress)
    processes.wait()
    return Run(folder, read_results(folder))


def stem_of(data: Path) -> str:
    """Return how a run on this data is called."""
    return data.resolve().stem if data.suffix else data.resolve().name
