"""Figures of what an evaluation found: against controls, calibration, selection, where it fails."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from tumorscope.report.figures import PALETTE, STYLE, empty_figure
from tumorscope.schema.results import Calibration, Results, RobustnessCurve, Selection, Subgroup
from tumorscope.schema.scores import ImageScores, Score
from tumorscope.schema.wording import CONTROL_LABELS

MODEL, CONTROL = PALETTE[0], PALETTE[1]


def outcome_figures(results: Results) -> dict[str, Figure]:
    """Return the figures of an evaluation, by name."""
    drawn = {
        "against_controls": against_controls(results),
        "reliability": reliability(results.calibration),
        "risk_coverage": risk_coverage(results.selection),
    }
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
        figure = empty_figure(8, 0.6 + 1.75 * len(panels))
        for axes, (title, scores) in zip(
            figure.subplots(len(panels), 1, sharex=True, squeeze=False).ravel(),
            panels,
            strict=True,
        ):
            rows = [("model", scores.accuracy)]
            rows += [(CONTROL_LABELS[n], getattr(scores.controls, n)) for n in CONTROL_LABELS]
            _dots(axes, rows, [MODEL, *[CONTROL] * len(CONTROL_LABELS)])
            axes.set_title(title, loc="left", fontsize=11)
        axes.set(xlabel="accuracy, with 95 % interval", xlim=(0, 1.12))
        axes.set_xticks(np.linspace(0, 1, 6))
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return figure


def _dots(axes: Axes, rows: Sequence[tuple[str, Score]], colours: Sequence[object]) -> None:
    """Draw scores as dots with their intervals and values, the first on top."""
    for height, ((_, score), colour) in enumerate(zip(rows, colours, strict=True)):
        if score.value is None:
            continue
        if score.low is not None and score.high is not None:
            axes.plot([score.low, score.high], [height, height], color=colour, lw=2.5)
        axes.plot(score.value, height, "o", color=colour, ms=7)
        end = max(score.value, score.high or 0)
        axes.annotate(
            f"{score.value:.1%}",
            (end, height),
            (6, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)


def reliability(calibration: Calibration) -> Figure:
    """Share of correct answers against confidence, before and after the temperature."""
    with mpl.rc_context(STYLE):
        figure = empty_figure(8, 3.9)
        panels = figure.subplots(1, 2, sharey=True)
        pairs = (("before", calibration.before), ("after", calibration.after))
        for axes, (name, reliability) in zip(panels, pairs, strict=True):
            axes.plot([0, 1], [0, 1], ":", color="0.35", lw=1.5)
            axes.plot(
                [b.confidence for b in reliability.bins],
                [b.accuracy for b in reliability.bins],
                "o-",
                color=MODEL,
                ms=6,
            )
            error = reliability.expected_error.value
            label = "" if error is None else f": error {error:.3f}"
            axes.set_title(f"{name} the temperature{label}", fontsize=11, loc="left")
            axes.set(xlabel="confidence", xlim=(0, 1.02), ylim=(0, 1.02), aspect="equal")
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_formatter(PercentFormatter(1, decimals=0))
        panels[0].set_ylabel("share of correct answers")
    return figure


def risk_coverage(selection: Selection) -> Figure:
    """Share of wrong answers when only the most confident ones are given."""
    with mpl.rc_context(STYLE):
        figure = empty_figure(5.6, 3.4)
        axes = figure.subplots()
        axes.plot(selection.coverage, selection.risk, color=MODEL, lw=2)
        axes.axhline(selection.risk[-1], color="0.35", ls=":", lw=1.5)
        axes.set(xlabel="share of images answered, most confident first", ylabel="wrong answers")
        axes.set(xlim=(0, 1), ylim=(0, max(0.05, 1.15 * max(selection.risk))))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1, decimals=0))
    return figure


def subgroups(groups: Sequence[Subgroup], whole: Score) -> Figure:
    """Accuracy on images that share a value, with intervals; a line at that of all."""
    columns = list(dict.fromkeys(group.column for group in groups))
    counts = [sum(group.column == column for group in groups) for column in columns]
    with mpl.rc_context(STYLE):
        figure = empty_figure(8, 0.9 + sum(0.38 * count + 0.55 for count in counts))
        panels = figure.subplots(
            len(columns), 1, sharex=True, squeeze=False, height_ratios=[n + 0.6 for n in counts]
        ).ravel()
        for axes, column in zip(panels, columns, strict=True):
            own = [group for group in groups if group.column == column]
            rows = [(f"{g.value} ({g.accuracy.n})", g.accuracy) for g in own]
            _dots(axes, rows, [MODEL] * len(rows))
            axes.set_title(column, loc="left", fontsize=11)
            if whole.value is not None:
                axes.axvline(whole.value, color="0.35", ls=":", lw=1.5)
        axes.set(xlabel="accuracy, with 95 % interval", xlim=(0, 1.12))
        axes.set_xticks(np.linspace(0, 1, 6))
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return figure


def robustness(curves: Sequence[RobustnessCurve], whole: Score) -> Figure:
    """Accuracy under each change at five strengths, with intervals; a line at that without."""
    with mpl.rc_context(STYLE):
        figure = empty_figure(10, 5)
        panels = figure.subplots(2, 4, sharey=True).ravel()
        for axes, strained in zip(panels, curves, strict=True):
            values = np.array([np.nan if s.value is None else s.value for s in strained.accuracy])
            pairs = list(zip(values, strained.accuracy, strict=True))
            low = [v if s.low is None else s.low for v, s in pairs]
            high = [v if s.high is None else s.high for v, s in pairs]
            places = np.arange(1, len(values) + 1)
            if whole.value is not None:
                axes.axhline(whole.value, color="0.35", ls=":", lw=1.5)
            axes.fill_between(places, low, high, color=MODEL, alpha=0.2, lw=0)
            axes.plot(places, values, "o-", color=MODEL, ms=5)
            axes.set_xticks(places, [f"{s:g}" for s in strained.strengths])
            axes.set_title(strained.change, fontsize=11, loc="left")
            axes.set_xlabel(strained.unit, fontsize=9)
            axes.set_ylim(0, 1.02)
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        for axes in panels[::4]:
            axes.set_ylabel("accuracy")
    return figure
