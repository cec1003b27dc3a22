"""Figures of an evaluation: against controls, thresholds, calibration, where it fails."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tumorscope.report.figures import dots
from tumorscope.report.style import (
    CONTROL,
    GUIDE,
    MODEL,
    NARROW,
    STYLE,
    WIDE,
    class_colours,
    empty_figure,
    show_percent,
)
from tumorscope.schema.results import (
    Calibration,
    ClassCurves,
    Curve,
    Reliability,
    Results,
    RobustnessCurve,
    Selection,
    Subgroup,
)
from tumorscope.schema.scores import ImageScores, Score
from tumorscope.schema.wording import CONTROL_LABELS, number

DASHES = ("-", "--", "-.", ":")


def outcome_figures(results: Results) -> dict[str, Figure]:
    """Return the figures of an evaluation, by name."""
    drawn = {
        "against_controls": against_controls(results),
        "reliability": reliability(results.calibration),
        "risk_coverage": risk_coverage(results.selection),
    }
    if results.curves:
        drawn["thresholds"] = thresholds(results.curves, results.all)
    if results.subgroups:
        drawn["subgroups"] = subgroups(results.subgroups, results.all.accuracy)
    if results.robustness:
        drawn["robustness"] = robustness(results.robustness, results.all.accuracy)
    return drawn


def against_controls(results: Results) -> Figure:
    """Accuracy of the model and the controls with intervals, on all and on new test images."""
    panels: list[tuple[str, ImageScores]] = [(f"all {results.all.n} test images", results.all)]
    if results.clean:
        panels.append((f"the {results.clean.n} that are new to the model", results.clean))
    with mpl.rc_context(STYLE):
        figure = empty_figure(WIDE, 0.5 + 1.3 * len(panels))
        for axes, (title, scores) in zip(
            figure.subplots(len(panels), 1, sharex=True, squeeze=False).ravel(),
            panels,
            strict=True,
        ):
            rows = [("model", scores.accuracy)]
            rows += [(CONTROL_LABELS[n], getattr(scores.controls, n)) for n in CONTROL_LABELS]
            dots(axes, rows, [MODEL, *[CONTROL] * len(CONTROL_LABELS)])
            axes.set_title(title)
        axes.set_xlabel("accuracy, with 95 % interval")
        show_percent(axes.xaxis)
    return figure


def thresholds(curves: Mapping[str, ClassCurves], scores: ImageScores) -> Figure:
    """ROC and precision-recall curves of each class against the rest, with 95 % bands.

    Args:
        curves: by class.
        scores: of the same images, for the areas under the curves.
    """
    own = scores.per_class
    with mpl.rc_context(STYLE):
        figure = empty_figure(WIDE, 3.6 + 0.17 * len(curves))
        left, right = figure.subplots(1, 2)
        left.plot([0, 1], [0, 1], **GUIDE)
        looks = zip(curves.items(), class_colours(list(curves)), cycle(DASHES), strict=False)
        for (name, both), colour, dash in looks:
            roc, area = both.roc, number(own[name].auroc)
            _band(left, roc, colour, dash, f"{name}: AUROC {area}")
            area = number(own[name].average_precision)
            _band(right, both.precision_recall, colour, dash, f"{name}: average precision {area}")
            prevalence = own[name].prevalence
            if prevalence is not None:
                right.axhline(prevalence, color=colour, linestyle=":", linewidth=0.8)
        left.set(xlabel="1 − specificity", ylabel="sensitivity")
        right.set(xlabel="sensitivity (recall)", ylabel="PPV (precision)")
        for axes in (left, right):
            axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
            show_percent(axes.xaxis, axes.yaxis)
            axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0))
    return figure


def _band(axes: Axes, curve: Curve, colour: str, dash: str, label: str) -> None:
    """Draw a curve over its band; where no interval can be given the band has no width."""
    low = [y if end is None else end for y, end in zip(curve.y, curve.low, strict=True)]
    high = [y if end is None else end for y, end in zip(curve.y, curve.high, strict=True)]
    axes.fill_between(curve.x, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(curve.x, curve.y, dash, color=colour, label=label)


def reliability(calibration: Calibration) -> Figure:
    """Share of correct answers against confidence, before and after the temperature."""
    with mpl.rc_context(STYLE):
        pairs = [("before the temperature: ", calibration.before)]
        pairs += [("after the temperature: ", calibration.after)]
        if calibration.temperature == 1:  # nothing to compare
            pairs = [("", calibration.after)]
        figure = empty_figure(WIDE, 3.5)
        panels = figure.subplots(1, len(pairs), sharey=True, squeeze=False).ravel()
        for axes, (name, measured) in zip(panels, pairs, strict=True):
            axes.plot([0, 1], [0, 1], **GUIDE)
            _bins(axes, measured)
            error = measured.expected_error.value
            axes.set_title(name + ("no error known" if error is None else f"error {error:.3f}"))
            axes.set(xlabel="confidence", xlim=(0, 1.02), ylim=(0, 1.02), aspect="equal")
            show_percent(axes.xaxis, axes.yaxis)
        panels[0].set_ylabel("share of correct answers")
    return figure


def _bins(axes: Axes, measured: Reliability) -> None:
    """Draw a dot a bin, with the interval of its share."""
    confidence = [own.confidence for own in measured.bins]
    axes.plot(confidence, [own.accuracy for own in measured.bins], "o-", color=MODEL, ms=4.5)
    for own in measured.bins:
        if own.low is not None and own.high is not None:
            ends = [own.low, own.high]
            axes.plot([own.confidence] * 2, ends, color=MODEL, lw=1.6, alpha=0.5)


def risk_coverage(selection: Selection) -> Figure:
    """Share of wrong answers when only the most confident ones are given."""
    with mpl.rc_context(STYLE):
        figure = empty_figure(NARROW, 2.4)
        axes = figure.subplots()
        axes.plot(selection.coverage, selection.risk, color=MODEL)
        axes.axhline(selection.risk[-1], **GUIDE)
        axes.set(xlabel="share answered, most confident first", ylabel="wrong answers")
        axes.set(xlim=(0, 1), ylim=(0, max(0.05, 1.15 * max(selection.risk))))
        show_percent(axes.xaxis, axes.yaxis)
    return figure


def subgroups(groups: Sequence[Subgroup], whole: Score) -> Figure:
    """Accuracy on images that share a value, with intervals; a line at that of all."""
    columns = list(dict.fromkeys(group.column for group in groups))
    counts = [sum(group.column == column for group in groups) for column in columns]
    with mpl.rc_context(STYLE):
        figure = empty_figure(WIDE, 0.7 + sum(0.27 * count + 0.4 for count in counts))
        panels = figure.subplots(
            len(columns), 1, sharex=True, squeeze=False, height_ratios=[n + 0.6 for n in counts]
        ).ravel()
        for axes, column in zip(panels, columns, strict=True):
            own = [group for group in groups if group.column == column]
            rows = [(f"{g.value} ({g.accuracy.n})", g.accuracy) for g in own]
            dots(axes, rows, [MODEL] * len(rows))
            axes.set_title(column)
            if whole.value is not None:
                axes.axvline(whole.value, **GUIDE)
        axes.set_xlabel("accuracy, with 95 % interval")
        show_percent(axes.xaxis)
    return figure


def robustness(curves: Sequence[RobustnessCurve], whole: Score) -> Figure:
    """Accuracy under each change at five strengths, with intervals; a line at that without."""
    with mpl.rc_context(STYLE):
        figure = empty_figure(WIDE, 3.8)
        panels = figure.subplots(2, 4, sharey=True).ravel()
        for axes, changed in zip(panels, curves, strict=True):
            values = np.array([np.nan if s.value is None else s.value for s in changed.accuracy])
            pairs = list(zip(values, changed.accuracy, strict=True))
            low = [v if s.low is None else s.low for v, s in pairs]
            high = [v if s.high is None else s.high for v, s in pairs]
            steps = np.arange(1, len(values) + 1)
            if whole.value is not None:
                axes.axhline(whole.value, **GUIDE)
            axes.fill_between(steps, low, high, color=MODEL, alpha=0.2, lw=0)
            axes.plot(steps, values, "o-", color=MODEL)
            axes.set_xticks(steps, [f"{s:g}" for s in changed.strengths])
            axes.set(title=changed.change, xlabel=changed.unit, ylim=(0, 1.02))
            show_percent(axes.yaxis)
        for axes in panels[::4]:
            axes.set_ylabel("accuracy")
    return figure
