"""The runs of a cross-validation: which fold tests what, and all test images put together."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.errors import DataError
from tumorscope.evaluation import Cases, control_answers, score_images
from tumorscope.evaluation.summary import summarize_results
from tumorscope.grouping.cautions import cautions
from tumorscope.grouping.origins import image_origins
from tumorscope.grouping.partition import fold_partition, make_folds
from tumorscope.grouping.partition_file import read_partition_file
from tumorscope.grouping.survey import GroupingRules, Survey
from tumorscope.records import Partition
from tumorscope.report.figures import confusion
from tumorscope.report.style import write_figure
from tumorscope.runs.execution import Run
from tumorscope.runs.folder import FOLDS, PREDICTIONS, read_probabilities, write_predictions
from tumorscope.runs.options import TrainOptions
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
        groups = survey.groups(GroupingRules())
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
        survey.groups(GroupingRules()),
        fold_of,
        test_fold=fold,
        seed=recipe.seed,
        validation_share=recipe.validation_share,
    )


def pool_folds(
    folder: Path, survey: Survey, runs: Sequence[Run], partitions: Sequence[Partition]
) -> FoldSummary:
    """Put the test images of all folds together, score them and write what they show."""
    store, names = survey.store, survey.classes
    labels, fold_of = survey.labels, np.zeros(len(survey.rows), np.intp)
    probabilities = np.zeros((len(labels), len(names)))
    controls: dict[str, NDArray[np.intp]] = {}
    leaking = np.zeros(len(labels), np.bool_)
    for fold, (run, partition) in enumerate(zip(runs, partitions, strict=True), 1):
        tested = partition.where("test")
        probabilities[tested], fold_of[tested] = read_probabilities(run.folder, names), fold
        leaking[tested] = image_origins(survey, partition).leaking[tested]
        answers = control_answers(store, labels, partition.where("train"), tested)
        for name, numbers in answers.items():
            controls.setdefault(name, np.zeros(len(labels), np.intp))[tested] = numbers
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    cases = Cases(labels, probabilities, partitions[0].groups)
    pooled, leaks, clean = score_images(cases, controls, names), int(leaking.sum()), None
    if 0 < leaks < len(labels):
        new = {name: answers[~leaking] for name, answers in controls.items()}
        clean = score_images(cases.some(~leaking), new, names)
    summary = FoldSummary(
        summary=summarize_results(pooled, clean, leaks),
        classes=names,
        leaks=leaks,
        pooled=pooled,
        clean=clean,
        folds={fold: run.results.all.accuracy for fold, run in enumerate(runs, 1)},
    )
    write_predictions(folder / PREDICTIONS, survey.rows, probabilities, names, fold_of.tolist())
    write_figure(folder / "confusion.png", confusion(np.array(pooled.confusion), names))
    write_text(folder / FOLDS, summary.model_dump_json(indent=2) + "\n")
    return summary
