"""Scores of cases with their intervals over groups."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tumorscope.errors import DataError
from tumorscope.metrics import scores as metrics
from tumorscope.metrics.intervals import Clusters, Interval, Range, interval
from tumorscope.metrics.scores import Classes, Counts, Values
from tumorscope.schema.labels import canonical
from tumorscope.schema.scores import Averages, ClassScores, Score, Scores

SUM_TOLERANCE = 1e-3  # by which probabilities may miss a sum of 1, as rounded ones do


@dataclass(frozen=True)
class Cases:
    """Images, or patients, with their true class and what a model says.

    Attributes:
        truth: class numbers, int, shape (n,).
        probabilities: float, shape (n, classes), rows summing to 1.
        groups: what belongs together, one a case.
    """

    truth: Classes
    probabilities: NDArray[np.floating]
    groups: Sequence[str]

    def __post_init__(self) -> None:
        values = self.probabilities
        if not np.isfinite(values).all():
            raise DataError("Some probabilities are not numbers: predict again.")
        if len(values) and np.abs(values.sum(axis=1) - 1).max() > SUM_TOLERANCE:
            raise DataError("Some probabilities do not sum to 1: predict again.")

    def __len__(self) -> int:
        return len(self.truth)

    @cached_property
    def predicted(self) -> Classes:
        """The most probable class number of each case."""
        numbers: Classes = self.probabilities.argmax(axis=1)
        return numbers

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the most probable class is the true one."""
        return np.asarray(self.predicted == self.truth)

    @cached_property
    def clusters(self) -> Clusters:
        """What is left out together."""
        return Clusters.of(self.groups)

    @cached_property
    def confusion(self) -> Counts:
        """Counts, int, shape (classes, classes); rows are the truth."""
        return metrics.confusion_matrix(self.truth, self.predicted, self.probabilities.shape[1])

    @cached_property
    def left_out(self) -> Counts:
        """The confusion matrix without each cluster, int, shape (clusters, classes, classes)."""
        classes = self.probabilities.shape[1]
        return self.clusters.confusions(self.truth, self.predicted, classes)

    def some(self, chosen: NDArray[np.bool_]) -> "Cases":
        """Return some of the cases."""
        groups = [group for group, taken in zip(self.groups, chosen, strict=True) if taken]
        return Cases(self.truth[chosen], self.probabilities[chosen], groups)


def make_score(value: float, ends: Interval | None, n: int) -> Score:
    """Return a score; where it is not defined, without value and interval."""
    if np.isnan(value):
        return Score(value=None, n=n)
    low, high = ends or (None, None)
    return Score(value=value, low=low, high=high, n=n)


def share_score(values: NDArray[np.bool_], clusters: Clusters) -> Score:
    """Return the share of cases of which something is true, with its interval."""
    return mean_score(values.astype(np.float64), clusters)


def mean_score(values: Values, clusters: Clusters, within: Range = "share") -> Score:
    """Return the mean of a value a case, with its interval.

    Args:
        values: of the cases, shape (n,).
        clusters: what belongs together.
        within: the range of the values; see `tumorscope.metrics.intervals.interval`.
    """
    if not len(values):
        return Score(value=None, n=0)
    whole, everyone = float(values.mean()), np.ones(len(values))
    return make_score(
        whole, interval(whole, clusters.means(values), clusters, everyone, within), len(values)
    )


def brier_score(cases: Cases) -> Score:
    """Return the mean squared distance of probabilities from the truth."""
    scores = metrics.brier_scores(cases.truth, cases.probabilities)
    return mean_score(scores, cases.clusters, "positive")


def log_loss(cases: Cases) -> Score:
    """Return the mean negative log-likelihood."""
    losses = metrics.log_losses(cases.truth, cases.probabilities)
    return mean_score(losses, cases.clusters, "positive")


def score_cases(
    cases: Cases, names: Sequence[str], prevalence: Sequence[float] | None = None
) -> Scores:
    """Score cases in every way.

    Args:
        cases: with truth and probabilities.
        names: the classes.
        prevalence: of each class, for predictive values; as among the cases unless given.
    """
    everyone, present = np.ones(len(cases)), np.bincount(cases.truth, minlength=len(names))
    alike = 1 / np.maximum(present, 1)[cases.truth]  # each class weighs the same
    rankings = [_Ranked(cases, number) for number in range(len(names))]

    def counted(score: Callable[[Counts], Values], shares: Values, within: Range) -> Score:
        """Return a score of the confusion matrix."""
        value = float(score(cases.confusion))
        ends = interval(value, score(cases.left_out), cases.clusters, shares, within)
        return make_score(value, ends, len(cases))

    return Scores(
        n=len(cases),
        groups=len(set(cases.groups)),
        accuracy=counted(metrics.accuracy, everyone, "share"),
        balanced_accuracy=counted(metrics.balanced_accuracy, alike, "share"),
        macro_f1=counted(metrics.macro_f1, alike, "share"),
        macro=Averages(
            precision=counted(metrics.macro_precision, alike, "share"),
            recall=counted(metrics.balanced_accuracy, alike, "share"),
            f1=counted(metrics.macro_f1, alike, "share"),
        ),
        weighted=Averages(
            precision=counted(metrics.weighted_precision, everyone, "share"),
            recall=counted(metrics.accuracy, everyone, "share"),
            f1=counted(metrics.weighted_f1, everyone, "share"),
        ),
        macro_auroc=_macro([r.auroc for r in rankings], cases, alike),
        macro_average_precision=_macro([r.average_precision for r in rankings], cases, alike),
        kappa=counted(metrics.kappa, everyone, "signed"),
        mcc=counted(metrics.mcc, everyone, "signed"),
        brier=brier_score(cases),
        log_loss=log_loss(cases),
        per_class=_per_class(cases, names, rankings, prevalence),
        confusion=cases.confusion.tolist(),
    )


LeaveOneOut = tuple[float, Values]  # a score, and what it is without each cluster


class _Ranked:
    """AUROC and average precision of one class, of all cases and without each cluster."""

    def __init__(self, cases: Cases, number: int) -> None:
        own = cases.truth == number
        ranking = metrics.Ranking(own, cases.probabilities[:, number])
        everyone = np.ones(len(cases))
        defined = own.any() and not own.all()
        nowhere = float("nan"), np.full(cases.clusters.count, np.nan)
        self.auroc: LeaveOneOut = nowhere
        self.average_precision: LeaveOneOut = nowhere
        if defined:
            scores = cases.clusters.scores
            self.auroc = ranking.auroc(everyone), scores(ranking.auroc)
            self.average_precision = (
                ranking.average_precision(everyone),
                scores(ranking.average_precision),
            )


def _macro(moved: Sequence[LeaveOneOut], cases: Cases, shares: Values) -> Score:
    """Return the mean over the classes for which a score is defined."""
    defined = [(value, left) for value, left in moved if not np.isnan(value)]
    if not defined:
        return Score(value=None, n=len(cases))
    whole = float(np.mean([value for value, _ in defined]))
    left = np.mean([np.where(np.isnan(left), value, left) for value, left in defined], axis=0)
    return make_score(whole, interval(whole, left, cases.clusters, shares), len(cases))


def _per_class(
    cases: Cases,
    names: Sequence[str],
    rankings: Sequence[_Ranked],
    prevalence: Sequence[float] | None,
) -> dict[str, ClassScores]:
    clusters, own_counts = cases.clusters, np.bincount(cases.truth, minlength=len(names))

    def scored(moved: LeaveOneOut, basis: NDArray[np.bool_] | Values) -> Score:
        """Return a score that rests on some cases, which may weigh differently."""
        value, left = moved
        ends = interval(value, left, clusters, basis.astype(np.float64))
        return make_score(value, ends, int((basis > 0).sum()))

    def moved(score: Callable[[Counts], Values], number: int) -> LeaveOneOut:
        """Return a class's score from the confusion matrices."""
        return float(score(cases.confusion)[number]), score(cases.left_out)[:, number]

    scores = {}
    for number, name in enumerate(names):
        own, answered = cases.truth == number, cases.predicted == number
        sides = np.where(own, 1 / max(own.sum(), 1), 1 / max((~own).sum(), 1))
        stated = prevalence is not None
        scores[name] = ClassScores(
            canonical=canonical(name),
            support=int(own_counts[number]),
            prevalence=_prevalence(prevalence, number, own),
            precision=scored(moved(metrics.precision, number), answered),
            sensitivity=scored(moved(metrics.sensitivity, number), own),
            specificity=scored(moved(metrics.specificity, number), ~own),
            ppv=scored(
                moved(lambda c: metrics.ppv(c, prevalence), number), sides if stated else answered
            ),
            npv=scored(
                moved(lambda c: metrics.npv(c, prevalence), number), sides if stated else ~answered
            ),
            f1=scored(moved(metrics.class_f1, number), own | answered),
            auroc=scored(rankings[number].auroc, sides),
            average_precision=scored(rankings[number].average_precision, sides),
        )
    return scores


def _prevalence(
    stated: Sequence[float] | None, number: int, own: NDArray[np.bool_]
) -> float | None:
    if stated is not None:
        return float(stated[number])
    return float(own.mean()) if len(own) else None
