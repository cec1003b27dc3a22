"""ROC and precision-recall curves of each class against the rest, with intervals over groups."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tumorscope.evaluation.scores import Cases, share_score
from tumorscope.metrics.intervals import Clusters
from tumorscope.schema.results import ClassCurves, Curve
from tumorscope.schema.scores import Score

STEPS = 25  # of each axis that a curve keeps; more cannot be told apart in print


def class_curves(cases: Cases, names: Sequence[str]) -> dict[str, ClassCurves]:
    """Return the curves of each class that some of the cases have and others have not.

    An interval is that of the share which the curve shows, at a fixed threshold: the sensitivity,
    or the PPV. Source: Fawcett (2006), An introduction to ROC analysis, section 5, for the curves.

    Args:
        cases: the test images.
        names: of the classes.
    """
    curves = {}
    for number, name in enumerate(names):
        positive = cases.truth == number
        if positive.any() and not positive.all():
            scores = cases.probabilities[:, number].astype(np.float64)
            curves[name] = ClassCurves(
                roc=_roc(scores, positive, cases.groups),
                precision_recall=_precision_recall(scores, positive, cases.groups),
            )
    return curves


def _roc(scores: NDArray[np.float64], positive: NDArray[np.bool_], groups: Sequence[str]) -> Curve:
    """Sensitivity against 1 - specificity, from "nothing is positive" to "everything is"."""
    thresholds, hits, alarms = _counts(scores, positive)
    sensitivity, fallout = hits / positive.sum(), alarms / (~positive).sum()
    own = scores[positive]
    clusters = Clusters.of([g for g, inside in zip(groups, positive, strict=True) if inside])
    kept = _thinned(fallout, sensitivity)
    points = [share_score(own >= thresholds[k], clusters) for k in kept]
    nothing = Score(value=0.0, low=None, high=None, n=len(own))
    return _curve([0.0, *fallout[kept]], [nothing, *points])


def _precision_recall(
    scores: NDArray[np.float64], positive: NDArray[np.bool_], groups: Sequence[str]
) -> Curve:
    """PPV against sensitivity, from the highest threshold to the lowest."""
    thresholds, hits, alarms = _counts(scores, positive)
    recall, precision = hits / positive.sum(), hits / (hits + alarms)
    names, points = np.asarray(groups), []
    kept = _thinned(recall, precision)
    for k in kept:
        called = scores >= thresholds[k]
        points.append(share_score(positive[called], Clusters.of(names[called].tolist())))
    return _curve(recall[kept], points)


def _counts(
    scores: NDArray[np.float64], positive: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.intp]]:
    """Return the distinct scores, falling, and how many of each kind reach each of them."""
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    last = np.flatnonzero(np.append(np.diff(falling) != 0, True))
    return falling[last], positive[order].cumsum()[last], (~positive[order]).cumsum()[last]


def _thinned(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.intp]:
    """Choose the points at which a curve enters another step of either axis, and its last."""
    cells = np.stack([np.floor(x * STEPS), np.floor(y * STEPS)])
    enters = np.append(True, (np.diff(cells) != 0).any(axis=0))
    enters[-1] = True
    return np.flatnonzero(enters)


def _curve(x: Sequence[float] | NDArray[np.float64], points: Sequence[Score]) -> Curve:
    assert all(point.value is not None for point in points)
    return Curve(
        x=tuple(map(float, x)),
        y=tuple(point.value or 0.0 for point in points),
        low=tuple(point.low for point in points),
        high=tuple(point.high for point in points),
    )
