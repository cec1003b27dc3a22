"""How every figure looks, and how it is written: one style, at a size that journals print."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from tumorscope.errors import UsageError
from tumorscope.records import PARTS, Part
from tumorscope.report.colours import PALETTE
from tumorscope.support.files import write_bytes

MARKERS = "osD^vPX*<>"
MODEL, CONTROL, WRONG = PALETTE[0], PALETTE[1], PALETTE[3]
PART_COLOURS: dict[Part, str] = dict(zip(PARTS, PALETTE, strict=False))
WIDE, NARROW = 7.1, 3.5  # inches: two columns of a journal, and one
SMALL = 7  # points, the least that is printed
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "pdf.fonttype": 42,  # text stays text, to be edited and searched
    "svg.fonttype": "none",
    "svg.hashsalt": "tumorscope",  # the same figure gives the same bytes
}
DPI = 200
GUIDE: Any = {"color": "0.35", "linestyle": ":", "linewidth": 1.0}  # what a curve is compared with
PNG_COMPRESSION = 3  # of 9; more takes twice the time for the same size
FORMATS = ("png", "svg", "pdf")
_UNDATED: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
}


def empty_figure(width: float, height: float) -> Figure:
    """Return an empty figure that belongs to no window and no global state, in inches."""
    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def class_colours(classes: Sequence[str]) -> list[str]:
    """Return one colour per class, told apart by the colour-blind where there are ten or fewer."""
    return [PALETTE[number % len(PALETTE)] for number in range(len(classes))]


def legend_above(axes: Axes) -> None:
    """Put the legend in one line above the axes."""
    axes.legend(title="", loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)


def show_percent(*axes: Any) -> None:
    """Write shares along some axes in percent."""
    for axis in axes:
        axis.set_major_formatter(PercentFormatter(1, decimals=None))


def check_formats(formats: Sequence[str]) -> None:
    """Refuse formats in which no figure can be written.

    Raises:
        UsageError: the message names the formats that there are.
    """
    for form in formats:
        if form not in FORMATS:
            raise UsageError(f"There is no figure format '{form}': choose from svg, pdf.")


def write_figures(
    folder: Path, drawn: Mapping[str, Figure], formats: Sequence[str] = ()
) -> dict[str, bytes]:
    """Write figures as PNG files, and in other formats if wanted; return the PNGs by name."""
    folder.mkdir(exist_ok=True)
    for name, figure in drawn.items():
        for form in formats:
            write_figure(folder / f"{name}.{form}", figure)
    return {name: write_figure(folder / f"{name}.png", figure) for name, figure in drawn.items()}


def write_figure(path: Path, figure: Figure) -> bytes:
    """Write a figure in the format that the path's ending names, and return its content."""
    content = render_figure(figure, path.suffix[1:])
    write_bytes(path, content)
    return content


def render_figure(figure: Figure, form: str = "png") -> bytes:
    """Return a figure as the content of a file: `png`, `svg` or `pdf`."""
    buffer = BytesIO()
    quick: Any = {"pil_kwargs": {"compress_level": PNG_COMPRESSION}} if form == "png" else {}
    with mpl.rc_context(STYLE):
        _lay_out(figure)
        figure.savefig(buffer, format=form, dpi=DPI, metadata=_UNDATED[form], **quick)
    return buffer.getvalue()


def _lay_out(figure: Figure) -> None:
    """Place a figure's parts once; `savefig` would draw all of it for this, for each file."""
    if engine := figure.get_layout_engine():
        engine.execute(figure)
        figure.set_layout_engine("none")
