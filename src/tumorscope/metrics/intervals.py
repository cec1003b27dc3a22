"""How far chance goes: intervals over patients, spreads over seeds, paired tests of two models."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tumorscope.metrics.scores import SMALLEST, Classes, Counts, Values, confusion_matrix

LEVEL = 0.95
MOST_LEFT_OUT = 1000  # that are left out one by one; of more groups, several at a time
RESAMPLES = 2000
FEWEST_RUNS = 3  # whose scores give an interval of their mean
Interval = tuple[float, float]
Range = Literal["share", "signed", "positive", "gap"]


@dataclass(frozen=True)
class Clusters:
    """Images that stand or fall together, and are left out together to see how far a score moves.

    Attributes:
        numbers: the cluster of each image, int, shape (n,).
        count: how many clusters there are.
    """

    numbers: NDArray[np.intp]
    count: int

    @classmethod
    def of(cls, groups: Sequence[object]) -> "Clusters":
        """Return one cluster per group; more than a thousand groups are merged into a thousand."""
        numbers = np.unique([str(group) for group in groups], return_inverse=True)[1].reshape(-1)
        count = int(numbers.max(initial=-1)) + 1
        if count > MOST_LEFT_OUT:
            drawn = np.random.default_rng(0).permutation(np.arange(count) % MOST_LEFT_OUT)
            numbers, count = drawn[numbers], MOST_LEFT_OUT
        return cls(numbers.astype(np.intp), count)

    def sums(self, values: NDArray[np.floating]) -> Values:
        """Return the sum of a value per image over each cluster, float64, shape (count,)."""
        return np.bincount(self.numbers, values, self.count).astype(np.float64)

    def confusions(self, truth: Classes, predicted: Classes, classes: int) -> Counts:
        """Return the confusion matrix of all images without each cluster in turn.

        Returns:
            int, shape (count, classes, classes).
        """
        cells = (self.numbers * classes + truth) * classes + predicted
        own = np.bincount(cells, minlength=self.count * classes**2)
        return confusion_matrix(truth, predicted, classes) - own.reshape(-1, classes, classes)

    def means(self, values: Values) -> Values:
        """Return the mean of a value per image without each cluster in turn."""
        sums, sizes = self.sums(values), self.sums(np.ones(len(values)))
        return np.asarray((sums.sum() - sums) / np.maximum(sizes.sum() - sizes, 1))

    def scores(self, score: Callable[[Values], float]) -> Values:
        """Return a score of weighted images without each cluster in turn; nan of one cluster."""
        if self.count < 2:
            return np.full(self.count, np.nan)
        whole = range(self.count)
        return np.array([score((self.numbers != n).astype(np.float64)) for n in whole])


def interval(
    value: float,
    left: Values,
    clusters: Clusters,
    shares: Values,
    within: Range = "share",
) -> Interval | None:
    """Return the 95 % interval of a score from its values with each cluster left out in turn.

    The delete-one-group jackknife: images of one patient stand or fall together, so that patients
    and not images are left out. The interval is Student's t on a scale where the score has no end
    to overshoot (logit of a share, logarithm of what is positive). Its degrees of freedom are one
    less than the effective number of clusters, (Σ w)² / Σ w², which unequal patients make smaller
    than their number. A share of 0 or 1 has no spread to go by; there the interval is Wilson's,
    each cluster counted once.

    Sources: Efron and Stein (1981), The jackknife estimate of variance; Kish (1965), Survey
    sampling, section 11.7.

    Args:
        value: the score of all images; nan where it is not defined.
        left: the score without each cluster, shape (clusters,).
        clusters: what belongs together.
        shares: how much each image weighs in the score, in any unit, shape (n,); an image that has
            no part in it weighs nothing.
        within: `share` of a score in [0, 1], `signed` in [-1, 1], `positive` above 0, `gap` of a
            distance in [0, 1] that may well be 0.

    Returns:
        The ends; None where the score is not defined or fewer than two clusters have a part in it.
    """
    weights = clusters.sums(shares)
    taking_part = int((weights > 0).sum())
    if math.isnan(value) or taking_part < 2:
        return None
    error = jackknife_error(np.where(np.isnan(left), value, left))
    effective = weights.sum() ** 2 / (weights**2).sum()
    reach = _t_quantile(max(effective - 1, 1)) * error
    if within == "gap":
        return max(0.0, value - reach), min(1.0, max(0.0, value + reach))
    if within == "positive":
        return _around_positive(value, reach)
    if within == "signed":
        low, high = _around_share((value + 1) / 2, reach / 2, taking_part)
        return 2 * low - 1, 2 * high - 1
    return _around_share(value, reach, taking_part)


def jackknife_error(values: NDArray[np.float64]) -> float:
    """Return the standard error of a score from its values with each cluster left out in turn."""
    count = len(values)
    return math.sqrt((count - 1) / count * float(((values - values.mean()) ** 2).sum()))


def _around_share(value: float, reach: float, count: int) -> Interval:
    if not 0 < value < 1 or reach == 0:
        return wilson(min(max(value, 0.0), 1.0), count)
    centre, width = math.log(value / (1 - value)), reach / (value * (1 - value))
    low, high = (1 / (1 + math.exp(min(-(centre + s * width), 700))) for s in (-1, 1))
    return low, high


def _around_positive(value: float, reach: float) -> Interval | None:
    if value <= 0 or reach == 0:
        return None
    factor = math.exp(min(reach / value, 700))
    return value / factor, value * factor


def wilson(share: float, count: int) -> Interval:
    """Return Wilson's 95 % interval of a share of independent cases.

    >>> low, high = wilson(35 / 38, 38)
    >>> round(low, 2), round(high, 2)
    (0.79, 0.97)
    """
    z2 = float(special.ndtri((1 + LEVEL) / 2)) ** 2
    centre = (share + z2 / (2 * count)) / (1 + z2 / count)
    reach = math.sqrt(z2 * (share * (1 - share) / count + z2 / (4 * count**2))) / (1 + z2 / count)
    # At a share of 0 or 1 rounding may leave an end just inside of it.
    return max(0.0, min(share, centre - reach)), min(1.0, max(share, centre + reach))


def unseen_share(count: int) -> float:
    """Return how large a share of all cases may be of a kind that none of some drawn cases is.

    The upper end of Clopper and Pearson's 95 % interval of 0 in `count`.

    >>> round(unseen_share(39), 3), round(unseen_share(736), 4)
    (0.09, 0.005)
    """
    return float(1 - ((1 - LEVEL) / 2) ** (1 / count))


def sign_flip_test(
    first: NDArray[np.bool_], second: NDArray[np.bool_], groups: Sequence[object]
) -> float:
    """Return the exact two-sided p-value of a paired test over groups, in [0, 1].

    Were two models equally good, a group that one of them gains could as well be the other's. The
    p-value is the share of all ways to hand them out whose total is at least as far from zero. With
    one image a group this is McNemar's exact test. Source: Fisher's randomisation test of paired
    differences, with groups as units.

    Args:
        first: whether the first model is right, bool, shape (n,).
        second: the same of the second, on the same images.
        groups: what belongs together, one per image.

    >>> six, none = np.array([True] * 6), np.array([False] * 6)
    >>> round(sign_flip_test(six, none, range(6)), 5)
    0.03125
    >>> round(sign_flip_test(six, none, ["a", "a", "b", "b", "c", "c"]), 5)
    0.25
    """
    numbers = np.unique([str(group) for group in groups], return_inverse=True)[1].reshape(-1)
    gains = np.bincount(numbers, second.astype(float) - first).astype(int)
    chances = np.ones(1)  # of each total, from -reach to reach
    for size, count in zip(*np.unique(np.abs(gains[gains != 0]), return_counts=True), strict=True):
        own = np.zeros(2 * size * count + 1)
        own[:: 2 * size] = _fair_coins(int(count))
        chances = np.convolve(chances, own)
    totals = np.arange(len(chances)) - len(chances) // 2
    return min(1.0, float(chances[np.abs(totals) >= abs(gains.sum())].sum()))


def _fair_coins(count: int) -> Values:
    """Return the chance of each number of heads among fair coins, shape (count + 1,)."""
    heads = np.arange(count + 1)
    ways = (
        special.gammaln(count + 1) - special.gammaln(heads + 1) - special.gammaln(count - heads + 1)
    )
    return np.asarray(np.exp(ways - count * math.log(2)))


def paired_gain(
    first: NDArray[np.bool_] | NDArray[np.float64],
    second: NDArray[np.bool_] | NDArray[np.float64],
    groups: Sequence[object],
) -> tuple[float, Interval | None]:
    """Return how much more often the second model is right, with its 95 % interval over groups.

    The interval is the bootstrap-t of patients, paired: groups are drawn with replacement 2,000
    times, each time the gain is measured in its own standard error, and the quantiles of that take
    the place of Student's, which stay where the models differ on so few groups that many a draw
    has none of them. A plain percentile bootstrap is too short with few patients. The draws are the
    same each time. Where all groups differ alike there is no spread to go by: then at most
    `unseen_share(groups)` of all groups behave otherwise, which bounds the gain. Source: Efron and
    Tibshirani (1993), An introduction to the bootstrap, section 12.5.

    Args:
        first: whether the first model is right, or how often over seeds, in [0, 1], shape (n,).
        second: the same of the second, on the same images.
        groups: what belongs together, one per image.

    Returns:
        The difference of the accuracies in [-1, 1], and its interval; None in place of that where
        there are fewer than two groups.
    """
    differences = second.astype(np.float64) - first
    gain = float(differences.mean())
    numbers = np.unique([str(group) for group in groups], return_inverse=True)[1].reshape(-1)
    clusters = Clusters(numbers, int(numbers.max()) + 1)
    sums, sizes = clusters.sums(differences), clusters.sums(np.ones(len(differences)))
    if len(sizes) < 2:
        return gain, None
    error = float(_ratio_errors(np.ones((1, len(sizes))), sums, sizes)[1][0])
    if error == 0:
        reach = (1 + abs(gain)) * unseen_share(len(sizes))
        return gain, (max(-1.0, gain - reach), min(1.0, gain + reach))
    steps = np.concatenate([_steps(drawn, sums, sizes, gain) for drawn in _resamples(len(sizes))])
    low, high = map(float, np.quantile(steps[~np.isnan(steps)], [(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
    if np.isnan(steps).mean() > (1 - LEVEL) / 2:
        high = _t_quantile(len(sizes) - 1)
        low = -high
    return gain, (max(-1.0, gain - high * error), min(1.0, gain - low * error))


def _resamples(count: int) -> Iterator[Values]:
    """Yield how often each group is drawn, float64, shape (some, count), in bounded memory."""
    generator, some = np.random.default_rng(0), 250
    for _ in range(RESAMPLES // some):
        yield generator.multinomial(count, np.full(count, 1 / count), some).astype(np.float64)


def _ratio_errors(drawn: Values, sums: Values, sizes: Values) -> tuple[Values, Values]:
    """Return the mean of each draw of groups, and its standard error by linearisation."""
    count, total = drawn.shape[1], drawn @ sizes
    means = (drawn @ sums) / total
    squares = drawn @ sums**2 - 2 * means * (drawn @ (sums * sizes)) + means**2 * (drawn @ sizes**2)
    return means, np.sqrt(np.maximum(squares, 0) * count / (count - 1)) / total


def _steps(drawn: Values, sums: Values, sizes: Values, gain: float) -> Values:
    """Return how many of its own standard errors each draw lies from the gain of all groups.

    Nan where a draw has no error to measure in.
    """
    means, errors = _ratio_errors(drawn, sums, sizes)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(errors > SMALLEST, (means - gain) / errors, np.nan))


def mean_interval(shares: Sequence[float]) -> Interval | None:
    """Return the 95 % interval of the mean of independent shares, such as runs' accuracies.

    Student's t on the logit scale, so that it stays within [0, 1].

    Args:
        shares: in [0, 1].

    Returns:
        The ends; None of fewer than three shares, of which two tell next to nothing about their
        spread, and where all are equal.

    >>> low, high = mean_interval([0.86, 0.91, 0.98])
    >>> round(low, 3), round(high, 3)
    (0.608, 0.987)
    """
    if len(shares) < FEWEST_RUNS or max(shares) == min(shares):
        return None
    error = float(np.std(shares, ddof=1)) / len(shares) ** 0.5
    reach = _t_quantile(len(shares) - 1) * error
    return _around_share(float(np.mean(shares)), reach, len(shares))


def _t_quantile(freedom: float) -> float:
    """Return how many standard errors an interval reaches to each side."""
    return float(special.stdtrit(freedom, (1 + LEVEL) / 2))
