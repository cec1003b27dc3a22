"""A model and a divided data set to results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tumorscope._version import __version__
from tumorscope.data.store import Store, batches
from tumorscope.errors import UsageError
from tumorscope.evaluation.breakdown import (
    count_confused,
    image_columns,
    score_patients,
    score_series,
    score_subgroups,
)
from tumorscope.evaluation.confidence import score_calibration, score_selection, score_sets
from tumorscope.evaluation.curves import class_curves
from tumorscope.evaluation.headline import control_answers, score_images
from tumorscope.evaluation.model import ScoredModel
from tumorscope.evaluation.robustness import measure_robustness
from tumorscope.evaluation.scores import Cases, log_loss, share_score
from tumorscope.evaluation.summary import (
    broken_promises,
    explanations,
    summarize_results,
    weaknesses,
)
from tumorscope.grouping.origins import Origins
from tumorscope.inference.predict import READ_BATCH
from tumorscope.metrics.intervals import wilson
from tumorscope.records import PARTS, Part, Partition
from tumorscope.schema.card import ModelCalibration
from tumorscope.schema.results import ImageCounts, PartScores, Results, SplitNote, judged_scores
from tumorscope.schema.scores import Score
from tumorscope.support.progress import Progress


@dataclass(frozen=True)
class EvaluationOptions:
    """What an evaluation looks at beyond its defaults.

    Attributes:
        by: columns of the manifest to break accuracy down by.
        prevalence: of classes where the model is to be used, by name, for predictive values.
        robustness: whether to change the images and look again, which takes forty times as long.
    """

    by: Sequence[str] = ()
    prevalence: Mapping[str, float] | None = None
    robustness: bool = False

    def shares(self, names: Sequence[str]) -> list[float] | None:
        """Return the prevalence of each class; what is not given is shared out equally.

        Raises:
            UsageError: a class is unknown, or the shares do not fit together.
        """
        if not self.prevalence:
            return None
        for name, share in self.prevalence.items():
            if name not in names:
                raise UsageError(f"There is no class '{name}'; classes: {', '.join(names)}.")
            if not 0 <= share <= 1:
                raise UsageError(f"--prevalence {name}={share:g} is not a share between 0 and 1.")
        rest = 1 - sum(self.prevalence.values())
        others = [name for name in names if name not in self.prevalence]
        if rest < -1e-9 or (not others and rest > 1e-9):
            raise UsageError(
                f"The stated prevalences sum to {1 - rest:g}: they are shares of all images, "
                "which sum to 1."
            )
        return [self.prevalence.get(name, rest / max(len(others), 1)) for name in names]


@dataclass(frozen=True)
class Evaluation:
    """What a model says of a data set, and what that is worth.

    Attributes:
        labels: true class numbers of all rows, int, shape (rows,).
        probabilities: of all rows, float, shape (rows, classes); nan for rows
            that were not asked about.
        results: the scores.
    """

    labels: NDArray[np.intp]
    probabilities: NDArray[np.floating]
    results: Results

    @property
    def predicted(self) -> NDArray[np.intp]:
        """The most probable class number of each row."""
        numbers: NDArray[np.intp] = self.probabilities.argmax(axis=1)
        return numbers


@dataclass(frozen=True)
class ModelAnswers:
    """What a model, and the controls, say of a data set.

    Attributes:
        classes: the model's, in the order of its probabilities.
        probabilities: float, shape (rows, classes); nan for rows that were not asked about.
        controls: class numbers of the test rows, by control.
        calibration: what validation images gave the model.
        slices: how many of the most suspicious slices decide for a series.
    """

    classes: tuple[str, ...]
    probabilities: NDArray[np.floating]
    controls: Mapping[str, NDArray[np.intp]]
    calibration: ModelCalibration
    slices: int = 1


def evaluate_store(
    model: ScoredModel,
    store: Store,
    partition: Partition,
    known: Origins,
    *,
    options: EvaluationOptions | None = None,
    parts: Sequence[Part] = PARTS,
    progress: Progress,
) -> Evaluation:
    """Score a model on every part of a data set.

    Args:
        model: what is scored; its classes are the store's.
        store: the pixels, at the model's size.
        partition: which rows form which part.
        known: what else is known of the rows.
        options: what to look at beyond the defaults.
        parts: which to predict; the test part is one of them.
        progress: where to report.

    Raises:
        UsageError: the options do not fit the data.
    """
    options, names = options or EvaluationOptions(), model.card.classes
    tested = partition.where("test")
    options.shares(names)  # what does not fit is refused before the work
    image_columns(store, tested, known.sources, options.by)
    labels = store.manifest.class_numbers(names)
    rows = np.concatenate([partition.where(part) for part in parts])
    answers = ModelAnswers(
        names,
        _predict(model, store, rows, progress),
        control_answers(store, labels, partition.where("train"), tested),
        model.card.calibration,
        model.card.series.slices,
    )
    evaluation = score_answers(answers, store, partition, known, options=options, parts=parts)
    if not options.robustness:
        return evaluation
    cases = _test_cases(answers, labels, partition)
    curves = measure_robustness(model, store, tested, cases, progress)
    results = evaluation.results.model_copy(update={"robustness": curves})
    return replace(evaluation, results=results)


def score_answers(
    answers: ModelAnswers,
    store: Store,
    partition: Partition,
    known: Origins,
    *,
    options: EvaluationOptions | None = None,
    parts: Sequence[Part] = PARTS,
) -> Evaluation:
    """Score answers, whoever gave them.

    Args:
        answers: of the model and the controls.
        store: the images that were asked about.
        partition: which rows form which part.
        known: what else is known of the rows.
        options: what to look at beyond the defaults.
        parts: which were asked about; the test part is one of them.
    """
    options, names = options or EvaluationOptions(), answers.classes
    prevalence = options.shares(names)
    where = {part: partition.where(part) for part in PARTS}
    tested = where["test"]
    labels = store.manifest.class_numbers(names)
    cases = _test_cases(answers, labels, partition)
    whole = score_images(cases, answers.controls, names, prevalence)
    leaking = known.leaking[tested]
    clean, leaks = None, int(leaking.sum())
    if 0 < leaks < len(tested):
        said = {name: numbers[~leaking] for name, numbers in answers.controls.items()}
        clean = score_images(cases.some(~leaking), said, names, prevalence)
    patients = [known.patients[row] for row in tested]
    series = [store.manifest.rows[row].series for row in tested]
    scored = {part: _part_scores(labels, answers.probabilities, partition, part) for part in parts}
    calibration = score_calibration(cases, answers.calibration)
    sets = score_sets(cases, answers.calibration, names)
    columns = image_columns(store, tested, known.sources, options.by)
    results = Results(
        tumorscope=__version__,
        summary=summarize_results(whole, clean, leaks),
        warnings=(
            *broken_promises(calibration, sets),
            *weaknesses(
                whole,
                cases,
                leaks=leaks,
                patients_unknown=sum(patient is None for patient in patients),
            ),
            *explanations(
                judged_scores(whole, clean),
                scored["validation"].accuracy if "validation" in scored else None,
                int(known.doubtful[tested].sum()),
            ),
        ),
        classes=names,
        images=ImageCounts(
            **{part: len(rows) for part, rows in where.items()},
            left_out=store.manifest.files_left_out,
        ),
        split=SplitNote(method=partition.method, note=partition.note),
        leaks=leaks,
        all=whole,
        clean=clean,
        patients=score_patients(cases, patients, names),
        series=score_series(cases, series, names, answers.slices),
        accuracy_over_images=_over_images(cases),
        parts=scored,
        calibration=calibration,
        sets=sets,
        selection=score_selection(cases),
        curves=class_curves(cases, names),
        subgroups=score_subgroups(cases, columns),
        confused=count_confused(np.array(judged_scores(whole, clean).confusion), names),
    )
    return Evaluation(labels, answers.probabilities, results)


def _test_cases(answers: ModelAnswers, labels: NDArray[np.intp], partition: Partition) -> Cases:
    """Return truth, probabilities and groups of the test part."""
    tested = partition.where("test")
    groups = [partition.groups[row] for row in tested]
    return Cases(labels[tested], answers.probabilities[tested], groups)


def _predict(
    model: ScoredModel, store: Store, rows: NDArray[np.intp], progress: Progress
) -> NDArray[np.float32]:
    """Return probabilities of all rows of the store, nan for those that are not asked about."""
    answers = np.full((len(store), len(model.card.classes)), np.nan, np.float32)
    with progress.task("evaluating", len(rows)) as task:
        for numbers in batches(len(rows), READ_BATCH):
            chosen = rows[numbers]
            answers[chosen] = model.probabilities(store.pixels(chosen))
            task.advance(len(chosen))
    return answers


def _over_images(cases: Cases) -> Score:
    """Return accuracy with the interval that takes each image for a group of its own."""
    share = float(cases.right.mean())
    low, high = wilson(share, len(cases))
    return Score(value=share, low=low, high=high, n=len(cases))


def _part_scores(
    labels: NDArray[np.intp],
    answers: NDArray[np.float32],
    partition: Partition,
    part: Part,
) -> PartScores:
    rows = partition.where(part)
    cases = Cases(labels[rows], answers[rows], [partition.groups[row] for row in rows])
    return PartScores(loss=log_loss(cases), accuracy=share_score(cases.right, cases.clusters))
