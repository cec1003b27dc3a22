"""How far chance goes: intervals over patients, spreads over seeds, paired tests of two models."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tumorscope.metrics import Classes, confusion_matrix
from tumorscope.results import Results, SeedSummary, Spread

LEVEL = 0.95
SCORES = ("accuracy", "balanced_accuracy", "macro_f1")
Interval = tuple[float, float]


def confusion_interval(
    score: Callable[[NDArray[np.intp]], float | None],
    truth: Classes,
    predicted: Classes,
    groups: Sequence[object],
    classes: int,
) -> Interval | None:
    """Return the 95 % interval of a score of the confusion matrix, by leaving out each group.

    The delete-one-group jackknife: images of one patient stand or fall together, so that patients
    and not images are left out in turn. The interval is Student's t with one degree of freedom
    less than there are groups, on the logit scale, where a share near 1 has no room to overshoot.
    A score of 0 or 1 has no spread to go by; there the interval is Wilson's, each group counted
    once. Source: Efron and Stein (1981), The jackknife estimate of variance.

    Args:
        score: of a confusion matrix, in [0, 1].
        truth: class numbers, int, shape (n,).
        predicted: the same, as the model says.
        groups: what belongs together, one an image.
        classes: how many there are.

    Returns:
        The ends in [0, 1]; None where the score is not defined or there are fewer than two groups.
    """
    whole = confusion_matrix(truth, predicted, classes)
    value = score(whole)
    numbers = np.unique([str(group) for group in groups], return_inverse=True)[1].reshape(-1)
    count = int(numbers.max(initial=-1)) + 1
    if value is None or count < 2:
        return None
    cells = (numbers * classes + truth) * classes + predicted
    inside = np.bincount(cells, minlength=count * classes**2).reshape(count, classes, classes)
    left = [score(whole - own) for own in inside]
    values = np.array([value if v is None else v for v in left])
    return _around(value, jackknife_error(values), count)


def jackknife_error(values: NDArray[np.float64]) -> float:
    """Return the standard error of a score from its values with each group left out in turn."""
    count = len(values)
    return math.sqrt((count - 1) / count * float(((values - values.mean()) ** 2).sum()))


def _around(value: float, error: float, count: int) -> Interval:
    if not 0 < value < 1 or error == 0:
        return wilson(value, count)
    reach = float(stats.t.ppf((1 + LEVEL) / 2, count - 1)) * error / (value * (1 - value))
    centre = math.log(value / (1 - value))
    low, high = (1 / (1 + math.exp(-(centre + sign * reach))) for sign in (-1, 1))
    return low, high


def wilson(share: float, count: int) -> Interval:
    """Return Wilson's 95 % interval of a share of independent cases.

    >>> low, high = wilson(35 / 38, 38)
    >>> round(low, 2), round(high, 2)
    (0.79, 0.97)
    """
    z2 = float(stats.norm.ppf((1 + LEVEL) / 2)) ** 2
    centre = (share + z2 / (2 * count)) / (1 + z2 / count)
    reach = math.sqrt(z2 * (share * (1 - share) / count + z2 / (4 * count**2))) / (1 + z2 / count)
    return max(0.0, centre - reach), min(1.0, centre + reach)


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Return the exact two-sided p-value of McNemar's test, in [0, 1].

    Args:
        first: whether the first model is right, bool, shape (n,).
        second: the same of the second, on the same images.

    >>> mcnemar(np.array([True] * 6), np.array([False] * 6))
    0.03125
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(stats.binomtest(only_first, only_first + only_second).pvalue)


def paired_gain(
    first: NDArray[np.bool_] | NDArray[np.float64],
    second: NDArray[np.bool_] | NDArray[np.float64],
    groups: Sequence[object],
) -> tuple[float, Interval | None]:
    """Return how much more often the second model is right, with its 95 % interval over groups.

    Args:
        first: whether the first model is right, or how often over seeds, in [0, 1], shape (n,).
        second: the same of the second, on the same images.
        groups: what belongs together, one an image.

    Returns:
        The difference of the accuracies in [-1, 1], and its interval by the delete-one-group
        jackknife with Student's t; None in place of that where there are fewer than two groups.
    """
    differences = second.astype(np.float64) - first
    gain = float(differences.mean())
    numbers = np.unique([str(group) for group in groups], return_inverse=True)[1].reshape(-1)
    sums, sizes = np.bincount(numbers, differences), np.bincount(numbers)
    if len(sizes) < 2:
        return gain, None
    left = (sums.sum() - sums) / (sizes.sum() - sizes)
    reach = float(stats.t.ppf((1 + LEVEL) / 2, len(sizes) - 1)) * jackknife_error(left)
    return gain, (max(-1.0, gain - reach), min(1.0, gain + reach))


def spread_of(values: Sequence[float]) -> Spread:
    """Return mean, standard deviation and 95 % interval of the mean of two values or more."""
    mean, deviation = float(np.mean(values)), float(np.std(values, ddof=1))
    reach = float(stats.t.ppf((1 + LEVEL) / 2, len(values) - 1)) * deviation / len(values) ** 0.5
    return Spread(
        mean=mean,
        standard_deviation=deviation,
        low=mean - reach,
        high=mean + reach,
        values=tuple(values),
    )


def summarize_seeds(seeds: Sequence[int], results: Sequence[Results]) -> SeedSummary:
    """Put the scores of trainings that differ in the seed alone together."""
    scores: dict[str, Spread] = {}
    for name in SCORES:
        values = [getattr(found, name).value for found in results]
        if None not in values:
            scores[name] = spread_of(values)
    return SeedSummary(
        seeds=tuple(seeds),
        images=results[0].images.test,
        scores=scores,
        majority=results[0].controls.majority,
    )
