"""Conformal sets: labels that hold the true one at a stated rate, class by class.

Each class gets a threshold from validation images of its own, so that the rate holds for every
class and not only on average: a label is in an image's set where its probability reaches the
threshold. Source: Vovk (2012), Conditional validity of inductive conformal predictors; the
promise needs validation and new images to be exchangeable, which slices of one patient, and a
checkpoint that was chosen on the same images, are not quite.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tumorscope.metrics.scores import Classes, Probabilities

ERROR_RATE = 0.1


def class_thresholds(
    truth: Classes, probabilities: Probabilities, error_rate: float = ERROR_RATE
) -> tuple[float | None, ...]:
    """Return the probability from which on each class is in a set.

    Of n images of the class, the ⌈(n + 1) (1 - α)⌉-th largest probability of it.

    Args:
        truth: class numbers of calibration images, int, shape (n,).
        probabilities: of the same images, shape (n, classes).
        error_rate: α, how often a set may miss, in (0, 1).

    Returns:
        One a class, in [0, 1]; None where there are fewer than 1/α - 1 images of it, which no
        threshold could promise anything from.

    >>> class_thresholds(np.array([0, 0, 0]), np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3]]), 0.25)
    (0.6, None)
    """
    thresholds: list[float | None] = []
    for number in range(probabilities.shape[1]):
        own = np.sort(probabilities[truth == number, number])[::-1]
        rank = math.ceil((len(own) + 1) * (1 - error_rate) - 1e-9)
        thresholds.append(float(own[rank - 1]) if 0 < rank <= len(own) else None)
    return tuple(thresholds)


def label_sets(
    probabilities: Probabilities, thresholds: Sequence[float | None]
) -> NDArray[np.bool_]:
    """Return which labels are in the set of each image.

    Args:
        probabilities: shape (n, classes).
        thresholds: from `class_thresholds`; a class without one is in every set.

    Returns:
        bool, shape (n, classes); a row without any says that the image is like none of the classes.
    """
    reached = np.array([-1.0 if t is None else t for t in thresholds])
    return np.asarray(probabilities >= reached)
