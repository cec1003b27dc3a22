"""The page of a model that is watched: what it was right on over time, and what drifts."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from tumorscope.report.html import data_uri, render_page
from tumorscope.report.style import (
    GUIDE,
    MODEL,
    STYLE,
    WIDE,
    empty_figure,
    render_figure,
    show_percent,
)
from tumorscope.schema.watch import Watched
from tumorscope.support.files import write_text


def write_watch_page(path: Path, watched: Watched) -> None:
    """Write what is known of a model in use as one HTML file."""
    picture = data_uri(render_figure(over_time(watched))) if watched.moments else None
    write_text(path, render_page("watch", {"watched": watched, "picture": picture}))


def over_time(watched: Watched) -> Figure:
    """Accuracy so far with bounds that hold at every moment together, and what was expected."""
    with mpl.rc_context(STYLE):
        figure = empty_figure(WIDE, 2.6)
        axes = figure.subplots()
        numbers = range(1, len(watched.moments) + 1)
        low, high = ([getattr(own, end) for own in watched.moments] for end in ("low", "high"))
        axes.fill_between(numbers, low, high, color=MODEL, alpha=0.2, linewidth=0)
        axes.plot(numbers, [own.accuracy for own in watched.moments], color=MODEL, label="so far")
        axes.axhline(watched.expected, **GUIDE)
        axes.annotate("expected", (1, watched.expected), va="bottom", fontsize=7)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("patients with a truth, in the order in which they came")
        axes.set_ylabel("accuracy")
        show_percent(axes.yaxis)
    return figure
