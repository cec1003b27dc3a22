"""Pictures of where a model looks, for its report."""

from io import BytesIO

import matplotlib as mpl
from matplotlib.figure import Figure

from tumorscope.explanation.examine import Examination
from tumorscope.explanation.overlay import draw_sheet
from tumorscope.report.style import GUIDE, MODEL, NARROW, STYLE, empty_figure
from tumorscope.schema.explained import Sanity


def example_sheet(found: Examination) -> bytes:
    """Return the examples of an examination as a PNG."""
    buffer = BytesIO()
    draw_sheet([(one, own.boxes[0], str(own.labels[0])) for one, own in found.examples]).save(
        buffer, "PNG"
    )
    return buffer.getvalue()


def likeness(sanity: Sanity) -> Figure:
    """How like the maps stay to themselves as weights are drawn anew, block by block."""
    with mpl.rc_context(STYLE):
        figure = empty_figure(NARROW, 2.3)
        axes = figure.subplots()
        steps = range(len(sanity.likeness) + 1)
        axes.plot(steps, (1.0, *sanity.likeness), "o-", color=MODEL)
        axes.axhline(0, **GUIDE)
        axes.set_xticks(list(steps), ["trained", *sanity.blocks], rotation=40, ha="right")
        axes.set_ylim(-1.05, 1.05)
        axes.set_ylabel("rank correlation")
    return figure
