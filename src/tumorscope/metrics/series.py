"""The slices of a series to one answer: the mean of the most suspicious.

A tumour shows on some slices of a series. What all slices say together therefore says little, and
the single most suspicious one is the likeliest to be wrong; how many to take is learned.
"""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from tumorscope.metrics.scores import Classes, Probabilities, Values, log_losses

COUNTS = (1, 2, 3, 5, 8, 13, 21)  # of slices, that are tried
FEWEST = 10  # series that can teach how many


def suspicion(probabilities: Probabilities, healthy: int | None) -> Values:
    """Return how suspicious slices are, in [0, 1], shape (n,).

    Args:
        probabilities: of slices, shape (n, classes).
        healthy: the class that stands for no tumour. Without one, suspicion is how sure the model
            is of any class: where it was trained on tumours alone, others leave it unsure.

    >>> suspicion(np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]]), 0).round(1)
    array([0.3, 0.9])
    """
    wide = probabilities.astype(np.float64)
    return np.asarray(wide.max(axis=1) if healthy is None else 1 - wide[:, healthy])


def deciding_slices(
    probabilities: Probabilities, healthy: int | None, count: int
) -> NDArray[np.intp]:
    """Return the numbers of the most suspicious slices, in order, at most `count`."""
    order = np.argsort(-suspicion(probabilities, healthy), kind="stable")
    return np.sort(order[:count])


def members_of(owners: Sequence[Hashable | None]) -> list[NDArray[np.intp]]:
    """Return the numbers of what belongs to each owner, in order of first appearance.

    >>> [own.tolist() for own in members_of(["b", None, "a", "b"])]
    [[0, 3], [2]]
    """
    members: dict[Hashable, list[int]] = {}
    for number, owner in enumerate(owners):
        if owner is not None:
            members.setdefault(owner, []).append(number)
    return [np.array(own, np.intp) for own in members.values()]


def series_chances(probabilities: Probabilities, healthy: int | None, count: int) -> Values:
    """Return the probability of each class for a series, summing to 1, shape (classes,).

    Args:
        probabilities: of its slices, shape (n, classes), n at least 1.
        healthy: as in `suspicion`.
        count: how many slices decide; all where there are fewer.
    """
    deciding = deciding_slices(probabilities, healthy, count)
    return np.asarray(probabilities[deciding].astype(np.float64).mean(axis=0))


def fit_count(
    truth: Classes, series: Sequence[Probabilities], healthy: int | None
) -> tuple[int, str]:
    """Return how many slices should decide, and a sentence on it: what gives the least log loss.

    Args:
        truth: the class number of each series, int, shape (n,).
        series: the probabilities of its slices, each of shape (slices, classes).
        healthy: as in `suspicion`.
    """
    if len(series) < FEWEST:
        return 1, f"Not fitted: {len(series)} validation series, of which {FEWEST} would do."
    losses = [
        log_losses(truth, np.array([series_chances(own, healthy, count) for own in series])).mean()
        for count in COUNTS
    ]
    return COUNTS[int(np.argmin(losses))], f"Fitted on {len(series)} validation series."
