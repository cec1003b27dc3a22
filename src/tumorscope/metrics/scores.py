"""Scores of predictions as pure functions of arrays.

Scores of the confusion matrix take one matrix, int or float, shape (classes, classes), rows the
truth, columns the prediction, or a stack of them, shape (..., classes, classes), and return float64
of shape (...). A score that is not defined for its input (no image of a class, say) is nan here;
nothing that leaves the package is ever nan.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Classes = NDArray[np.intp]
Probabilities = NDArray[np.floating]
Counts = NDArray[Any]  # confusion matrices, of whole or of weighted images
Values = NDArray[np.float64]

SMALLEST = 1e-12  # keeps the log loss of a probability that rounds to zero finite
TINY = 1e-30  # the same where a probability's logarithm is divided by a temperature


def confusion_matrix(truth: Classes, predicted: Classes, classes: int) -> NDArray[np.intp]:
    """Count pairs of true and predicted class.

    Args:
        truth: class numbers, int, shape (n,).
        predicted: the same, as the model says.
        classes: how many there are.

    Returns:
        int, shape (classes, classes); rows are the truth, columns the prediction.

    >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
    array([[1, 1],
           [0, 1]])
    """
    counts: NDArray[np.intp] = np.bincount(truth * classes + predicted, minlength=classes**2)
    return counts.reshape(classes, classes)


def accuracy(confusion: Counts) -> Values:
    """Share of images whose class is right, in [0, 1]."""
    return _ratio(_hits(confusion).sum(-1), confusion.sum((-2, -1)))


def sensitivity(confusion: Counts) -> Values:
    """Share of each class's images that are recognised (recall), shape (..., classes)."""
    return _ratio(_hits(confusion), confusion.sum(-1))


def specificity(confusion: Counts) -> Values:
    """Share of the other classes' images that are not taken for a class, shape (..., classes)."""
    others = confusion.sum((-2, -1))[..., None] - confusion.sum(-1)
    return 1 - _ratio(confusion.sum(-2) - _hits(confusion), others)


def ppv(confusion: Counts, prevalence: ArrayLike | None = None) -> Values:
    """Share of the answers "this class" that are right (precision), in [0, 1].

    Args:
        confusion: the counts.
        prevalence: of each class where the model is to be used, in [0, 1], shape (classes,); as
            among these images unless given.

    Returns:
        float64, shape (..., classes).
    """
    if prevalence is None:
        return _ratio(_hits(confusion), confusion.sum(-2))
    share = np.asarray(prevalence, np.float64)
    hits, alarms = sensitivity(confusion) * share, (1 - specificity(confusion)) * (1 - share)
    return _ratio(hits, hits + alarms)


def npv(confusion: Counts, prevalence: ArrayLike | None = None) -> Values:
    """Share of the answers "another class" that are right, in [0, 1], shape (..., classes).

    Args:
        confusion: the counts.
        prevalence: as for `ppv`.
    """
    if prevalence is None:
        total, answered = confusion.sum((-2, -1))[..., None], confusion.sum(-2)
        missed = confusion.sum(-1) - _hits(confusion)
        return 1 - _ratio(missed, total - answered)
    share = np.asarray(prevalence, np.float64)
    rest, missed = specificity(confusion) * (1 - share), (1 - sensitivity(confusion)) * share
    return _ratio(rest, rest + missed)


def f1(confusion: Counts) -> Values:
    """Harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN), shape (..., classes)."""
    return _ratio(2 * _hits(confusion), confusion.sum(-1) + confusion.sum(-2))


def balanced_accuracy(confusion: Counts) -> Values:
    """Mean sensitivity of the classes that have images, in [0, 1]."""
    return _mean(sensitivity(confusion))


def precision(confusion: Counts) -> Values:
    """PPV as a classification report has it: 0 for a class that is never answered.

    Shape (..., classes); nan for a class that has no images.
    """
    return _where_present(np.nan_to_num(ppv(confusion)), confusion)


def macro_precision(confusion: Counts) -> Values:
    """Mean precision of the classes that have images, in [0, 1]."""
    return _mean(precision(confusion))


def class_f1(confusion: Counts) -> Values:
    """F1 of each class, nan for a class that has no images, shape (..., classes)."""
    return _where_present(f1(confusion), confusion)


def macro_f1(confusion: Counts) -> Values:
    """Mean F1 of the classes that have images, in [0, 1]."""
    return _mean(class_f1(confusion))


def weighted_precision(confusion: Counts) -> Values:
    """Mean precision of the classes, each by the number of its images, in [0, 1]."""
    return _weighted(precision(confusion), confusion)


def weighted_f1(confusion: Counts) -> Values:
    """Mean F1 of the classes, each by the number of its images, in [0, 1]."""
    return _weighted(f1(confusion), confusion)


def kappa(confusion: Counts) -> Values:
    """Cohen's kappa, in [-1, 1]: agreement beyond what the margins alone would give.

    (po - pe) / (1 - pe), with po the accuracy and pe that of independent answers. Source: Cohen
    (1960), A coefficient of agreement for nominal scales.
    """
    total = confusion.sum((-2, -1))
    chance = _ratio((confusion.sum(-1) * confusion.sum(-2)).sum(-1), total.astype(np.float64) ** 2)
    return _ratio(accuracy(confusion) - chance, 1 - chance)


def mcc(confusion: Counts) -> Values:
    """Matthews correlation coefficient of several classes, in [-1, 1].

    Source: Gorodkin (2004), Comparing two K-category assignments by a K-category correlation
    coefficient, equation 8. Not defined where all images, or all answers, are of one class.
    """
    counts = confusion.astype(np.float64)
    total, truth, answers = counts.sum((-2, -1)), counts.sum(-1), counts.sum(-2)
    shared = _hits(counts).sum(-1) * total - (truth * answers).sum(-1)
    spread = (total**2 - (truth**2).sum(-1)) * (total**2 - (answers**2).sum(-1))
    return _ratio(shared, np.sqrt(spread))


class Ranking:
    """Images in the order of their probability of one class: what AUROC and precision come from.

    Scikit-learn's functions give the same and take twenty times as long; intervals need each score
    a thousand times.
    """

    def __init__(self, is_class: NDArray[np.bool_], probability: Probabilities) -> None:
        """Sort images once.

        Args:
            is_class: which images are of the class, bool, shape (n,).
            probability: of the class, or any score that is higher for it, shape (n,).
        """
        self._order = np.argsort(-probability, kind="stable")
        self._is_class = is_class[self._order].astype(np.float64)
        ranked = probability[self._order]
        self._ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)[: len(ranked)])

    def auroc(self, weights: Values) -> float:
        """Area under the ROC curve, in [0, 1].

        The chance that an image of the class is ranked above another; ties count half.

        Args:
            weights: how often each image counts, float64, shape (n,).
        """
        hits, alarms = self._counts(weights)
        area = float((np.diff(alarms) * (hits[1:] + hits[:-1]) / 2).sum())
        return area / (hits[-1] * alarms[-1]) if hits[-1] and alarms[-1] else float("nan")

    def average_precision(self, weights: Values) -> float:
        """Mean precision over the recalls that are reached, in [0, 1].

        The sum of (R_n - R_n-1) P_n over thresholds, without interpolation.

        Args:
            weights: how often each image counts, float64, shape (n,).
        """
        hits, alarms = self._counts(weights)
        if not hits[-1]:
            return float("nan")
        precision = hits[1:] / np.maximum(hits[1:] + alarms[1:], SMALLEST)
        return float((np.diff(hits) * precision).sum() / hits[-1])

    def _counts(self, weights: Values) -> tuple[Values, Values]:
        """Return true and false positives at no image, and at each threshold from the top."""
        ranked = weights[self._order]
        hits = np.append(0.0, np.cumsum(ranked * self._is_class)[self._ends])
        every = np.append(0.0, np.cumsum(ranked)[self._ends])
        return hits, every - hits


def log_losses(truth: Classes, probabilities: Probabilities) -> Values:
    """Negative log-likelihood of each image's true class, natural logarithm, shape (n,).

    >>> log_losses(np.array([0]), np.array([[0.5, 0.5]])).round(4)
    array([0.6931])
    """
    chosen = probabilities[np.arange(len(truth)), truth].astype(np.float64)
    return -np.log(np.maximum(chosen, SMALLEST))


def brier_scores(truth: Classes, probabilities: Probabilities) -> Values:
    """Squared distance of each image's probabilities from its class, in [0, 2], shape (n,).

    The sum over classes of (p - y)². Source: Brier (1950), Verification of forecasts expressed in
    terms of probability.

    >>> brier_scores(np.array([0]), np.array([[0.5, 0.5]]))
    array([0.5])
    """
    distance = probabilities.astype(np.float64)
    distance[np.arange(len(truth)), truth] -= 1
    return np.asarray((distance**2).sum(axis=1))


def risk_at_coverage(wrong: NDArray[np.bool_], confidence: Values, weights: Values) -> Values:
    """Share of wrong answers among the most confident images, for each number of them.

    Args:
        wrong: which answers are wrong, bool, shape (n,).
        confidence: how sure the model is of each, shape (n,); of equally sure ones, the mean.
        weights: how often each image counts, float64, shape (n,).

    Returns:
        float64 in [0, 1], shape (n,); the last is the error rate.

    >>> risk_at_coverage(np.array([True, False]), np.array([0.6, 0.9]), np.ones(2))
    array([0. , 0.5])
    """
    order = np.argsort(-confidence, kind="stable")
    ranked = confidence[order]
    ties = np.cumsum(np.append(True, ranked[1:] != ranked[:-1])[: len(ranked)]) - 1
    counted = np.bincount(ties, weights[order])
    shares = _ratio(np.bincount(ties, (weights * wrong)[order]), counted)
    risky = np.cumsum(weights[order] * np.nan_to_num(shares)[ties])
    return _ratio(risky, np.cumsum(weights[order]))


def area_under_risk(wrong: NDArray[np.bool_], confidence: Values, weights: Values) -> float:
    """Area under the risk-coverage curve, in [0, 1]: mean risk over all coverages, less is better.

    Source: Geifman and El-Yaniv (2017), Selective classification for deep neural networks.

    Args:
        wrong: which answers are wrong, bool, shape (n,).
        confidence: how sure the model is of each, shape (n,).
        weights: how often each image counts, float64, shape (n,).
    """
    risks = risk_at_coverage(wrong, confidence, weights)
    ranked = weights[np.argsort(-confidence, kind="stable")]
    return float((np.nan_to_num(risks) * ranked).sum() / ranked.sum())


def _hits(confusion: Counts) -> Counts:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def _ratio(part: ArrayLike, whole: ArrayLike) -> Values:
    """Divide, nan where there is nothing to divide by."""
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = np.divide(part, whole, dtype=np.float64)
    return np.asarray(np.where(np.asarray(whole) == 0, np.nan, quotient))


def _where_present(values: Values, confusion: Counts) -> Values:
    """Return a score of each class, nan where the class has no images."""
    return np.where(confusion.sum(-1) > 0, values, np.nan)


def _weighted(values: Values, confusion: Counts) -> Values:
    """Return the mean over classes by their number of images."""
    support = confusion.sum(-1)
    return _ratio((np.nan_to_num(values) * support).sum(-1), support.sum(-1))


def _mean(values: Values) -> Values:
    """Return the mean of what is defined, over the last axis."""
    return _ratio(np.nansum(values, axis=-1), (~np.isnan(values)).sum(axis=-1))
