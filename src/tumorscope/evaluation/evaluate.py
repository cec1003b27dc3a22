"""Predictions and truth to results."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorscope import metrics
from tumorscope._version import __version__
from tumorscope.labels import canonical
from tumorscope.predict import BATCH, Predictor
from tumorscope.progress import Progress
from tumorscope.records import PARTS, Part, Partition
from tumorscope.results import (
    ClassScores,
    Controls,
    ImageCounts,
    PartScores,
    Results,
    Score,
    SplitNote,
)
from tumorscope.spread import confusion_interval
from tumorscope.store import Store, batches


@dataclass(frozen=True)
class Evaluation:
    """What a model says of a data set, and what that is worth.

    Attributes:
        labels: true class numbers of all rows, int, shape (rows,).
        probabilities: of all rows, float32, shape (rows, classes).
        results: the scores.
    """

    labels: NDArray[np.intp]
    probabilities: NDArray[np.float32]
    results: Results

    @property
    def predicted(self) -> NDArray[np.intp]:
        """The most probable class number of each row."""
        numbers: NDArray[np.intp] = self.probabilities.argmax(axis=1)
        return numbers


def class_numbers(store: Store) -> NDArray[np.intp]:
    """Return the class number of each row: the place of its label among the class names."""
    place = {name: number for number, name in enumerate(store.manifest.classes)}
    return np.array([place[row.label] for row in store.manifest.rows], dtype=np.intp)


def evaluate_store(
    predictor: Predictor, store: Store, partition: Partition, *, leaks: int, progress: Progress
) -> Evaluation:
    """Score a model on every part of a data set.

    Args:
        predictor: the model; its classes are the store's.
        store: the pixels, at the model's size.
        partition: which rows form which part.
        leaks: how many test images are not new to training, as far as known.
        progress: where to report.
    """
    labels = class_numbers(store)
    answers = np.empty((len(store), len(store.manifest.classes)), np.float32)
    with progress.task("evaluating", len(store)) as task:
        for rows in batches(len(store), BATCH):
            answers[rows] = predictor.probabilities(store.pixels(rows))
            task.advance(len(rows))
    return Evaluation(labels, answers, _results(store, partition, labels, answers, leaks))


def _results(
    store: Store,
    partition: Partition,
    labels: NDArray[np.intp],
    answers: NDArray[np.float32],
    leaks: int,
) -> Results:
    names = store.manifest.classes
    where = {part: partition.where(part) for part in PARTS}
    truth, probabilities = labels[where["test"]], answers[where["test"]]
    predicted = probabilities.argmax(axis=1)
    confusion = metrics.confusion_matrix(truth, predicted, len(names))
    n = len(truth)
    groups = [partition.groups[row] for row in where["test"]]

    def scored(score: Callable[[NDArray[np.intp]], float | None]) -> Score:
        """Return a score of the confusion matrix with its interval over groups."""
        ends = confusion_interval(score, truth, predicted, groups, len(names))
        low, high = ends or (None, None)
        return Score(value=score(confusion), low=low, high=high, n=n)

    return Results(
        tumorscope=__version__,
        classes=names,
        images=ImageCounts(
            **{part: len(rows) for part, rows in where.items()},
            left_out=len(store.manifest.left_out),
        ),
        split=SplitNote(method=partition.method, note=partition.note),
        leaks=leaks,
        accuracy=scored(metrics.accuracy),
        balanced_accuracy=scored(metrics.balanced_accuracy),
        macro_f1=scored(metrics.macro_f1),
        macro_auroc=Score(value=metrics.macro_auroc(truth, probabilities), n=n),
        per_class={
            name: _class_scores(number, name, confusion, truth, probabilities)
            for number, name in enumerate(names)
        },
        confusion=confusion.tolist(),
        parts=_part_scores(where, labels, answers),
        controls=Controls(majority=_majority(labels[where["train"]], truth)),
    )


def _class_scores(
    number: int,
    name: str,
    confusion: NDArray[np.intp],
    truth: NDArray[np.intp],
    probabilities: NDArray[np.float32],
) -> ClassScores:
    support = int(confusion[number].sum())
    answered = int(confusion[:, number].sum())
    return ClassScores(
        canonical=canonical(name),
        precision=Score(value=metrics.precision(confusion, number), n=answered),
        recall=Score(value=metrics.recall(confusion, number), n=support),
        f1=Score(value=metrics.f1(confusion, number), n=len(truth)),
        auroc=Score(value=metrics.auroc(truth, probabilities, number), n=len(truth)),
        support=support,
    )


def _part_scores(
    where: Mapping[Part, NDArray[np.intp]],
    labels: NDArray[np.intp],
    answers: NDArray[np.float32],
) -> dict[Part, PartScores]:
    scores: dict[Part, PartScores] = {}
    for part, rows in where.items():
        truth, probabilities = labels[rows], answers[rows]
        right = float((probabilities.argmax(axis=1) == truth).mean()) if len(rows) else None
        scores[part] = PartScores(
            loss=Score(value=metrics.log_loss(truth, probabilities), n=len(rows)),
            accuracy=Score(value=right, n=len(rows)),
        )
    return scores


def _majority(training: NDArray[np.intp], truth: NDArray[np.intp]) -> Score:
    most = np.bincount(training).argmax()
    return Score(value=float((truth == most).mean()) if len(truth) else None, n=len(truth))
