"""Whether probabilities mean what they say: a temperature, and errors of calibration."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from tumorscope.metrics.intervals import Clusters
from tumorscope.metrics.scores import TINY, Classes, Probabilities, Values, log_losses

WARMEST = 20.0
MOST_BINS, BIN_IMAGES = 15, 20


def tempered(probabilities: Probabilities, temperature: float) -> Values:
    """Return probabilities with their logarithms divided by a temperature, and summing to 1 again.

    The same as dividing the logits. Above 1 answers become less sure; the classes do not change.

    Args:
        probabilities: shape (n, classes).
        temperature: above 0.

    >>> tempered(np.array([[0.8, 0.2]]), 2.0).round(3)
    array([[0.667, 0.333]])
    """
    logarithms = np.log(np.maximum(probabilities.astype(np.float64), TINY))
    return np.asarray(special.softmax(logarithms / temperature, axis=1))


def fit_temperature(truth: Classes, probabilities: Probabilities) -> tuple[float, str]:
    """Return the temperature that makes some images most likely, and a sentence on it.

    Source: Guo et al. (2017), On calibration of modern neural networks.

    Args:
        truth: class numbers, int, shape (n,), of images that chose nothing else if possible.
        probabilities: of the same images, shape (n, classes).

    Returns:
        The temperature in [1/20, 20]; 1 where the images hold no mistake, and so nothing to learn
        from how unsure to be.
    """
    wrong = int((probabilities.argmax(axis=1) != truth).sum())
    if wrong == 0:
        return 1.0, f"Not fitted: no mistake among the {len(truth)} validation images."

    def loss(exponent: float) -> float:
        """Return the mean log loss at a temperature."""
        return float(log_losses(truth, tempered(probabilities, float(np.exp(exponent)))).mean())

    ends = (-np.log(WARMEST), np.log(WARMEST))
    fitted = optimize.minimize_scalar(loss, bounds=ends, method="bounded")
    note = f"Fitted on {len(truth)} validation images, which hold {wrong} mistakes."
    return float(np.exp(fitted.x)), note


@dataclass(frozen=True)
class Gaps:
    """Bins of equally many images by confidence, and how far each is from its promise.

    Attributes:
        members: the bin of each image, int, shape (n,).
        confidence, accuracy: means in each bin, float64, shape (bins,).
        counts: images in each bin.
        gaps: confidence less accuracy in each bin.
        errors: standard errors of the gaps over clusters.
    """

    members: NDArray[np.intp]
    confidence: Values
    accuracy: Values
    counts: NDArray[np.intp]
    gaps: Values
    errors: Values

    @property
    def squared(self) -> float:
        """Mean square of the gaps less what chance alone adds to it; may come out below 0.

        Σ w (d² - σ²) over bins, which is right on average; groups give the σ, so that patients
        count and not slices. Source: Kumar, Liang and Ma (2019), Verified uncertainty calibration,
        definition 5.2.
        """
        return weighted_mean(self.gaps**2 - self.errors**2, self.counts)

    @property
    def expected(self) -> float:
        """Expected calibration error, root mean square and debiased, in [0, 1]."""
        return float(np.sqrt(max(0.0, self.squared)))

    @property
    def plain(self) -> float:
        """The mean distance, as it is usually given: chance alone makes it positive."""
        return weighted_mean(np.abs(self.gaps), self.counts)

    @property
    def maximum(self) -> float:
        """The largest gap of a bin, in [0, 1]."""
        return float(np.abs(self.gaps).max())


def calibration_gaps(confidence: Values, right: NDArray[np.bool_], clusters: Clusters) -> Gaps:
    """Compare confidence with the share of right answers.

    Args:
        confidence: probability of each answer, float64, shape (n,).
        right: whether it is right, bool, shape (n,).
        clusters: what belongs together.

    Returns:
        At most 15 bins of 20 images or more.
    """
    count = len(confidence)
    bins = min(MOST_BINS, max(1, count // BIN_IMAGES))
    members = np.empty(count, np.intp)
    members[np.argsort(confidence, kind="stable")] = np.arange(count) * bins // count
    counts = np.bincount(members, minlength=bins)
    means = np.bincount(members, confidence, bins) / counts
    shares = np.bincount(members, right, bins) / counts
    strays = confidence - right - (means - shares)[members]
    cells = np.bincount(members * clusters.count + clusters.numbers, strays, bins * clusters.count)
    filled = np.unique(members * clusters.count + clusters.numbers) // clusters.count
    own = np.maximum(np.bincount(filled, minlength=bins), 2)  # clusters in each bin
    errors = np.sqrt((cells.reshape(bins, -1) ** 2).sum(axis=1) * own / (own - 1)) / counts
    return Gaps(members, means, shares, counts, means - shares, errors)


def gaps_of(gaps: Gaps, confidence: Values, right: NDArray[np.bool_], weights: Values) -> Values:
    """Return the gaps of weighted images in bins that stay as they are, 0 in an empty one."""
    bins = len(gaps.counts)
    sums = np.bincount(gaps.members, weights * (confidence - right), bins)
    return np.asarray(sums / np.maximum(np.bincount(gaps.members, weights, bins), TINY))


def weighted_mean(values: Values, counts: NDArray[np.intp]) -> float:
    """Return the mean over bins, each as large as it is."""
    return float((counts * values).sum() / counts.sum())
