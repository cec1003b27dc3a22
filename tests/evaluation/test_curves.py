"""ROC and precision-recall curves, against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve, roc_curve

from tumorscope.evaluation.curves import class_curves
from tumorscope.evaluation.scores import Cases

NAMES = ("a", "b", "c")


def cases(count: int = 400, patients: int = 50) -> Cases:
    """Answers that are better than chance, some with equal probabilities, in groups."""
    generator = np.random.default_rng(3)
    truth = generator.integers(0, len(NAMES), count)
    logits = generator.normal(size=(count, len(NAMES))) + 1.2 * np.eye(len(NAMES))[truth]
    chances = np.exp(logits.round(1))
    groups = [f"g{number}" for number in generator.integers(0, patients, count)]
    return Cases(truth, chances / chances.sum(axis=1, keepdims=True), groups)


@pytest.mark.parametrize("number", range(len(NAMES)))
def test_points_lie_on_the_curves_of_scikit_learn(number: int) -> None:
    """Every kept point is one of theirs, ends included, and no step of an axis is passed over."""
    own = cases()
    curves = class_curves(own, NAMES)[NAMES[number]]
    positive, scores = own.truth == number, own.probabilities[:, number]
    fallout, sensitivity, _ = roc_curve(positive, scores, drop_intermediate=False)
    theirs = set(zip(fallout.round(9), sensitivity.round(9), strict=True))
    assert set(zip(np.round(curves.roc.x, 9), np.round(curves.roc.y, 9), strict=True)) <= theirs
    assert (curves.roc.x[0], curves.roc.y[0]) == (0, 0)
    assert (curves.roc.x[-1], curves.roc.y[-1]) == (1, 1)
    precision, recall, _ = precision_recall_curve(positive, scores)
    theirs = set(zip(recall.round(9), precision.round(9), strict=True))
    kept = curves.precision_recall
    assert set(zip(np.round(kept.x, 9), np.round(kept.y, 9), strict=True)) <= theirs
    assert np.diff(curves.roc.x).max() < 0.08
    assert len(curves.roc.x) < 60


def test_bands_hold_their_curve_and_stay_between_0_and_1() -> None:
    """Also at the ends, where every answer is alike; few patients make them wide."""
    for many, few in zip(
        class_curves(cases(patients=100), NAMES).values(),
        class_curves(cases(patients=6), NAMES).values(),
        strict=True,
    ):
        for curve in (many.roc, many.precision_recall):
            for y, low, high in zip(curve.y[1:], curve.low[1:], curve.high[1:], strict=True):
                assert low is not None
                assert high is not None
                assert 0 <= low <= y <= high <= 1
        widths = [
            np.mean(
                [
                    top - end
                    for end, top in zip(c.roc.low, c.roc.high, strict=True)
                    if end is not None and top is not None
                ]
            )
            for c in (many, few)
        ]
        assert widths[0] < widths[1]


def test_a_class_without_images_has_no_curve() -> None:
    """Neither has one of which all images are."""
    own = cases()
    alone = own.some(own.truth == 0)
    assert class_curves(alone, NAMES) == {}
    assert set(class_curves(own.some(own.truth != 1), NAMES)) == {"a", "c"}
