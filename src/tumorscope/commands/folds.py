"""Cross-validation: every image tested once, by a model that did not train on its fold."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from tumorscope.commands.train import (
    Options,
    Run,
    chosen_recipe,
    make_job,
    refuse_unknown,
    stem_of,
    survey_data,
    train_one,
)
from tumorscope.errors import DataError, UsageError
from tumorscope.evaluation import Cases, control_answers, score_images
from tumorscope.evaluation.summary import summarize_results
from tumorscope.grouping.choice import cautions
from tumorscope.grouping.origins import image_origins
from tumorscope.grouping.partition import fold_partition, make_folds
from tumorscope.grouping.partition_file import read_partition_file
from tumorscope.grouping.survey import Rules, Survey
from tumorscope.records import Partition
from tumorscope.report.figures import confusion, write_figure
from tumorscope.runs.folder import is_run, next_run, refuse_series
from tumorscope.schema.recipe import Recipe
from tumorscope.schema.summaries import FoldSummary
from tumorscope.support.files import read_csv, write_csv, write_text
from tumorscope.support.progress import Quiet

SUMMARY, POOLED = "folds.json", "predictions.csv"


@dataclass(frozen=True)
class Folds:
    """A finished cross-validation.

    Attributes:
        folder: where each fold has its run, with `folds.json` and the pooled `predictions.csv`.
        runs: one a fold.
        summary: pooled scores and those of each fold, as in `folds.json`.
    """

    folder: Path
    runs: tuple[Run, ...]
    summary: FoldSummary


def train_folds(*, folds: int, **options: Unpack[Options]) -> Folds:
    """Train and evaluate on every fold, and pool the predictions.

    The folds are drawn by group, as `split` draws them, or are those of a partition file. Each fold
    is the test part once; validation is cut by group from the others. With `resume`, finished folds
    are kept.

    Args:
        folds: how many.
        **options: as in `train`; `partition` may be a file with as many folds.

    Raises:
        TumorscopeError: as `train`, or the file has other folds.
    """
    _refuse(folds, options)
    resume, recipe = options.get("resume", False), chosen_recipe(options)
    place, out = Path(options["data"]), options.get("out")
    stem = f"{stem_of(place)}-{recipe.name}-folds"
    folder = Path(out) if out else next_run(stem, resume=resume)
    inner = [folder / f"fold-{n}" for n in range(1, folds + 1)]
    refuse_series(folder, inner, place, overwrite=options.get("overwrite", False), resume=resume)
    survey, progress = survey_data(recipe, options), options.get("progress") or Quiet()
    numbers = _fold_numbers(survey, recipe, folds, options.get("partition"))
    for sentence in cautions(survey, numbers):
        progress.say(f"Mind: {sentence}")
    runs, parts = [], []
    for number, run_folder in enumerate(inner, 1):
        found = _parts_of(survey, recipe, numbers, number)
        progress.say(f"fold {number} of {folds}")
        job = make_job(survey, found, options)
        runs.append(train_one(job, recipe, run_folder, resume=resume and is_run(run_folder)))
        parts.append(found)
    summary = _pool(folder, survey, runs, parts)
    return Folds(folder, tuple(runs), summary)


def _refuse(folds: int, options: Options) -> None:
    refuse_unknown(options)
    if folds < 2:
        raise UsageError(f"--folds {folds} divides nothing: ask for two or more.")
    if options.get("devices", 1) * options.get("nodes", 1) > 1:
        raise UsageError("--folds trains in one process: leave --devices and --nodes out.")
    for name in ("keep_test", "published_split", "test_fold"):
        if options.get(name):
            raise UsageError(
                f"--folds tests every image once: leave --{name.replace('_', '-')} out."
            )


def _fold_numbers(
    survey: Survey, recipe: Recipe, folds: int, partition: str | Path | None
) -> Sequence[int]:
    if partition is None:
        groups = survey.groups(Rules())
        return make_folds(survey.rows, groups, folds=folds, seed=recipe.seed)
    file = read_partition_file(Path(partition), survey.store)
    if file.folds is None or len(set(file.folds)) != folds:
        found = "no folds" if file.folds is None else f"{len(set(file.folds))} folds"
        raise DataError(f"{partition} has {found}, not {folds}: ask for as many as it has.")
    return file.folds


def _parts_of(survey: Survey, recipe: Recipe, numbers: Sequence[int], number: int) -> Partition:
    return fold_partition(
        survey.rows,
        survey.groups(Rules()),
        numbers,
        test_fold=number,
        seed=recipe.seed,
        validation_share=recipe.validation_share,
    )


def _pool(
    folder: Path, survey: Survey, runs: Sequence[Run], parts: Sequence[Partition]
) -> FoldSummary:
    """Put the test images of all folds together, score them and write what was found."""
    store, names = survey.store, survey.classes
    labels, fold_of = store.manifest.class_numbers(), np.zeros(len(survey.rows), np.intp)
    chances = np.zeros((len(labels), len(names)))
    said: dict[str, NDArray[np.intp]] = {}
    leaking = np.zeros(len(labels), np.bool_)
    for number, (run, found) in enumerate(zip(runs, parts, strict=True), 1):
        tested = found.where("test")
        chances[tested], fold_of[tested] = read_probabilities(run.folder, names), number
        leaking[tested] = image_origins(survey, found).leaking[tested]
        for name, answers in control_answers(store, labels, found.where("train"), tested).items():
            said.setdefault(name, np.zeros(len(labels), np.intp))[tested] = answers
    cases = Cases(labels, chances / chances.sum(axis=1, keepdims=True), parts[0].groups)
    whole, leaks, clean = score_images(cases, said, names), int(leaking.sum()), None
    if 0 < leaks < len(labels):
        new = {name: answers[~leaking] for name, answers in said.items()}
        clean = score_images(cases.some(~leaking), new, names)
    summary = FoldSummary(
        summary=summarize_results(whole, clean, leaks),
        classes=names,
        leaks=leaks,
        pooled=whole,
        clean=clean,
        folds={n: run.results.all.accuracy for n, run in enumerate(runs, 1)},
    )
    header = ("image", "truth", "predicted", "fold", *(f"probability_{name}" for name in names))
    rows = [
        (row.image, row.label, names[c.argmax()], fold, *(f"{p:.6f}" for p in c))
        for row, c, fold in zip(survey.rows, cases.probabilities, fold_of, strict=True)
    ]
    write_csv(folder / POOLED, header, rows)
    write_figure(folder / "confusion.png", confusion(np.array(whole.confusion), names))
    write_text(folder / SUMMARY, summary.model_dump_json(indent=2) + "\n")
    return summary


def read_probabilities(folder: Path, names: Sequence[str]) -> NDArray[np.float64]:
    """Return the probabilities that a run or a cross-validation has written, a row an image."""
    rows = read_csv(folder / POOLED)
    return np.array([[float(row[f"probability_{name}"]) for name in names] for row in rows])
