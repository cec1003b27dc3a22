"""Scores of predictions as pure functions of arrays.

Every function takes `truth`, class numbers, int, shape (n,), and either `predicted`, the same, or
`probabilities`, float in [0, 1], shape (n, classes), rows summing to 1. A score that is not defined
for its input (no image of a class, say) is None, never nan.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics as sklearn_metrics

Classes = NDArray[np.intp]
Probabilities = NDArray[np.floating]

SMALLEST = 1e-12  # keeps the log loss of a probability that rounds to zero finite


def confusion_matrix(truth: Classes, predicted: Classes, classes: int) -> NDArray[np.intp]:
    """Count pairs of true and predicted class.

    Returns:
        int, shape (classes, classes); rows are the truth, columns the prediction.

    >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
    array([[1, 1],
           [0, 1]])
    """
    counts: NDArray[np.intp] = np.bincount(truth * classes + predicted, minlength=classes**2)
    return counts.reshape(classes, classes)


def accuracy(confusion: NDArray[np.intp]) -> float | None:
    """Share of images whose class is right, in [0, 1]; None of no images."""
    return _ratio(int(np.trace(confusion)), int(confusion.sum()))


def recall(confusion: NDArray[np.intp], number: int) -> float | None:
    """Share of a class's images that are recognised (sensitivity); None where it has none."""
    return _ratio(int(confusion[number, number]), int(confusion[number].sum()))


def precision(confusion: NDArray[np.intp], number: int) -> float | None:
    """Share of the answers "this class" that are right; None where it is never answered."""
    return _ratio(int(confusion[number, number]), int(confusion[:, number].sum()))


def f1(confusion: NDArray[np.intp], number: int) -> float | None:
    """Harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN); None where all are 0."""
    hits = int(confusion[number, number])
    return _ratio(2 * hits, int(confusion[number].sum() + confusion[:, number].sum()))


def balanced_accuracy(confusion: NDArray[np.intp]) -> float | None:
    """Mean recall of the classes that have images."""
    return _mean([recall(confusion, number) for number in range(len(confusion))])


def macro_f1(confusion: NDArray[np.intp]) -> float | None:
    """Mean F1 of the classes that are present or answered."""
    return _mean([f1(confusion, number) for number in range(len(confusion))])


def auroc(truth: Classes, probabilities: Probabilities, number: int) -> float | None:
    """Area under the ROC curve of one class against the rest, in [0, 1].

    The chance that an image of the class gets a higher probability of it than another image; ties
    count half. None where all images or none are of the class.
    """
    is_class = truth == number
    if is_class.all() or not is_class.any():
        return None
    return float(sklearn_metrics.roc_auc_score(is_class, probabilities[:, number]))


def macro_auroc(truth: Classes, probabilities: Probabilities) -> float | None:
    """Mean one-vs-rest AUROC of the classes for which it is defined."""
    return _mean([auroc(truth, probabilities, n) for n in range(probabilities.shape[1])])


def log_loss(truth: Classes, probabilities: Probabilities) -> float | None:
    """Mean negative log-likelihood of the true class, natural logarithm; None of no images.

    >>> round(log_loss(np.array([0]), np.array([[0.5, 0.5]])), 4)
    0.6931
    """
    if not len(truth):
        return None
    chosen = probabilities[np.arange(len(truth)), truth].astype(np.float64)
    return float(-np.log(np.maximum(chosen, SMALLEST)).mean())


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _mean(values: list[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None
