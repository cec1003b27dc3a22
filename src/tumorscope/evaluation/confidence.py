"""Whether the model knows what it does not know: calibration, conformal sets, selection."""

from collections.abc import Callable, Sequence

import numpy as np

from tumorscope.evaluation.scores import Cases, brier_score, log_loss, make_score, share_score
from tumorscope.metrics import scores as metrics
from tumorscope.metrics.calibration import (
    Gaps,
    calibration_gaps,
    gaps_of,
    tempered,
    weighted_mean,
)
from tumorscope.metrics.conformal import label_sets
from tumorscope.metrics.intervals import interval
from tumorscope.metrics.scores import Values
from tumorscope.schema.card import ModelCalibration
from tumorscope.schema.results import Bin, Calibration, Reliability, Selection, SetCoverage, Sets
from tumorscope.schema.scores import Score

POINTS = 100  # of the risk-coverage curve


def score_calibration(cases: Cases, calibration: ModelCalibration) -> Calibration:
    """Compare probabilities with shares of right answers, without the temperature and with it.

    Args:
        cases: the test images; their probabilities are those with the temperature.
        calibration: what validation images gave.
    """
    undone = tempered(cases.probabilities, 1 / calibration.temperature)
    before = Cases(cases.truth, undone, cases.groups)
    return Calibration(
        temperature=calibration.temperature,
        note=calibration.note,
        before=_reliability(before),
        after=_reliability(cases),
    )


def _reliability(cases: Cases) -> Reliability:
    confidence = cases.probabilities.max(axis=1).astype(np.float64)
    gaps = calibration_gaps(confidence, cases.right, cases.clusters)
    everyone, clusters = np.ones(len(cases)), cases.clusters

    def moved(error: Callable[[Values], Values]) -> Values:
        """Return a mean error over bins without each cluster in turn."""
        return clusters.scores(
            lambda w: weighted_mean(error(gaps_of(gaps, confidence, cases.right, w)), gaps.counts)
        )

    noise = weighted_mean(gaps.errors**2, gaps.counts)
    squares = interval(gaps.squared, moved(np.square) - noise, clusters, everyone, "gap")
    ends = (float(np.sqrt(squares[0])), float(np.sqrt(squares[1]))) if squares else None
    plain = interval(gaps.plain, moved(np.abs), clusters, everyone, "gap")
    return Reliability(
        expected_error=make_score(gaps.expected, ends, len(cases)),
        plain_error=make_score(gaps.plain, plain, len(cases)),
        maximum_error=Score(value=gaps.maximum, n=len(cases)),
        brier=brier_score(cases),
        log_loss=log_loss(cases),
        bins=_bins(cases, gaps),
    )


def _bins(cases: Cases, gaps: Gaps) -> tuple[Bin, ...]:
    """Return each bin with the interval of its share of right answers."""
    bins = []
    for number, count in enumerate(gaps.counts):
        inside = gaps.members == number
        share = share_score(cases.right[inside], cases.some(inside).clusters)
        confidence, accuracy = float(gaps.confidence[number]), float(gaps.accuracy[number])
        ends = {"low": share.low, "high": share.high}
        bins.append(Bin(confidence=confidence, accuracy=accuracy, n=int(count), **ends))
    return tuple(bins)


def score_sets(cases: Cases, calibration: ModelCalibration, names: Sequence[str]) -> Sets:
    """Measure how often conformal sets hold the true class."""
    sets = label_sets(cases.probabilities, calibration.thresholds or [None] * len(names))
    holds, sizes = sets[np.arange(len(cases)), cases.truth], sets.sum(axis=1)
    per_class = {}
    for number, name in enumerate(names):
        own = cases.truth == number
        threshold = calibration.thresholds[number] if calibration.thresholds else None
        per_class[name] = SetCoverage(
            calibration=calibration.images[number] if calibration.images else 0,
            threshold=threshold,
            coverage=share_score(holds[own], cases.some(own).clusters),
        )
    return Sets(
        error_rate=calibration.error_rate,
        coverage=share_score(holds, cases.clusters),
        one_label=share_score(sizes == 1, cases.clusters),
        no_label=share_score(sizes == 0, cases.clusters),
        mean_labels=float(sizes.mean()) if len(cases) else None,
        per_class=per_class,
    )


def score_selection(cases: Cases) -> Selection:
    """Measure the risk among the most confident answers."""
    wrong, confidence = ~cases.right, cases.probabilities.max(axis=1).astype(np.float64)
    everyone = np.ones(len(cases))
    area = metrics.area_under_risk(wrong, confidence, everyone)
    moved = cases.clusters.scores(lambda w: metrics.area_under_risk(wrong, confidence, w))
    ends = interval(area, moved, cases.clusters, everyone)
    risks = metrics.risk_at_coverage(wrong, confidence, everyone)
    places = np.unique(np.linspace(0, len(cases) - 1, min(POINTS, len(cases))).round().astype(int))
    return Selection(
        area=make_score(area, ends, len(cases)),
        coverage=tuple(float((p + 1) / len(cases)) for p in places),
        risk=tuple(float(risks[p]) for p in places),
    )
