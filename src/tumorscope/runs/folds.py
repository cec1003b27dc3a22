"""The runs of a cross-validation: which fold tests what, and all test images put together."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.errors import DataError
from tumorscope.evaluation import Evaluation, ModelAnswers, control_answers, score_answers
from tumorscope.grouping.cautions import cautions
from tumorscope.grouping.origins import image_origins
from tumorscope.grouping.partition import fold_partition, make_folds
from tumorscope.grouping.partition_file import read_partition_file
from tumorscope.grouping.survey import Survey
from tumorscope.inference.predict import Predictor
from tumorscope.records import Part, Partition
from tumorscope.report.page import FoldsRecord, write_folds_report
from tumorscope.runs.evaluation import run_record
from tumorscope.runs.execution import Run
from tumorscope.runs.folder import (
    FOLDS,
    PREDICTIONS,
    RESULTS,
    read_history,
    read_probabilities,
    write_predictions,
)
from tumorscope.runs.options import TrainOptions
from tumorscope.schema.card import ModelCalibration
from tumorscope.schema.recipe import Recipe
from tumorscope.schema.summaries import FoldSummary
from tumorscope.support.files import write_text


def choose_folds(
    options: TrainOptions, survey: Survey, recipe: Recipe, folds: int
) -> Sequence[int]:
    """Return the fold of each row, from 1: those of a partition file, else drawn by group.

    Raises:
        DataError: the file has other folds, or a class too few groups.
    """
    if options.partition is None:
        groups = survey.groups()
        fold_of: Sequence[int] = make_folds(survey.rows, groups, folds=folds, seed=recipe.seed)
    else:
        file = read_partition_file(Path(options.partition), survey.store)
        if file.folds is None or len(set(file.folds)) != folds:
            there = "no folds" if file.folds is None else f"{len(set(file.folds))} folds"
            raise DataError(
                f"{options.partition} has {there}, not {folds}: ask for as many as it has."
            )
        fold_of = file.folds
    for sentence in cautions(survey, fold_of):
        options.reporter.say(f"Note: {sentence}")
    return fold_of


def fold_parts(survey: Survey, recipe: Recipe, fold_of: Sequence[int], fold: int) -> Partition:
    """Return the parts with one fold as the test part."""
    return fold_partition(
        survey.rows,
        survey.groups(),
        fold_of,
        test_fold=fold,
        seed=recipe.seed,
        validation_share=recipe.validation_share,
    )


def pool_folds(
    folder: Path,
    survey: Survey,
    runs: Sequence[Run],
    partitions: Sequence[Partition],
    formats: Sequence[str] = (),
) -> FoldSummary:
    """Put the test images of all folds together, score them and write what they show."""
    names, count = survey.classes, len(survey.rows)
    fold_of, probabilities = np.zeros(count, np.intp), np.zeros((count, len(names)))
    controls: dict[str, NDArray[np.intp]] = {}
    leaking = np.zeros(count, np.bool_)
    for fold, (run, partition) in enumerate(zip(runs, partitions, strict=True), 1):
        tested, trained = partition.where("test"), partition.where("train")
        probabilities[tested], fold_of[tested] = read_probabilities(run.folder, names), fold
        leaking[tested] = image_origins(survey, partition).leaking[tested]
        answers = control_answers(survey.store, survey.labels, trained, tested)
        for name, numbers in answers.items():
            controls.setdefault(name, np.zeros(count, np.intp))[tested] = numbers
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    pooled = _score_pooled(survey, partitions, probabilities, controls, leaking)
    results = pooled.results
    summary = FoldSummary(
        summary=results.summary,
        classes=names,
        leaks=results.leaks,
        pooled=results.all,
        clean=results.clean,
        folds={fold: run.results.all.accuracy for fold, run in enumerate(runs, 1)},
    )
    write_predictions(folder / PREDICTIONS, survey.rows, probabilities, names, fold_of.tolist())
    whole = _all_tested(partitions)
    write_folds_report(folder, survey.store, whole, pooled, _record(runs), formats)
    write_text(folder / RESULTS, results.model_dump_json(indent=2) + "\n")
    write_text(folder / FOLDS, summary.model_dump_json(indent=2) + "\n")
    return summary


def _score_pooled(
    survey: Survey,
    partitions: Sequence[Partition],
    probabilities: NDArray[np.float64],
    controls: Mapping[str, NDArray[np.intp]],
    leaking: NDArray[np.bool_],
) -> Evaluation:
    """Score the answers of all folds as those of one test part."""
    whole = _all_tested(partitions)
    calibrated = ModelCalibration(note="Each fold's model has a temperature of its own.")
    answers = ModelAnswers(survey.classes, probabilities, controls, calibrated)
    known = replace(image_origins(survey, whole), leaking=leaking)
    return score_answers(answers, survey.store, whole, known, parts=("test",))


def _all_tested(partitions: Sequence[Partition]) -> Partition:
    """Return a partition in which every image is a test image, as over all folds it is."""
    groups = partitions[0].groups
    note = f"{len(partitions)} folds were tested one after the other."
    tested: list[Part] = ["test"] * len(groups)
    return Partition(tuple(tested), groups, "folds", note)


def _record(runs: Sequence[Run]) -> FoldsRecord:
    """Return how a cross-validation was made."""
    first = run_record(runs[0].folder, Predictor.load(runs[0].folder))
    return FoldsRecord(
        title=f"{first.title}, {len(runs)} folds",
        recipe=first.recipe,
        command=str(first.environment["command"]),
        scores={run.folder.name: run.results.all.accuracy for run in runs},
        histories={run.folder.name: read_history(run.folder) for run in runs},
    )
