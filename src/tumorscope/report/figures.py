"""Figures as matplotlib objects; colours from a palette that the colour-blind can tell apart."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from itertools import cycle, pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from tumorscope.records import PARTS, Part
from tumorscope.report.tiles import BOX, Tile, box_corners
from tumorscope.support.files import write_bytes

PALETTE = sns.color_palette("colorblind")
PART_COLOURS = dict(zip(PARTS, (PALETTE[0], PALETTE[1], PALETTE[2]), strict=True))
WRONG = PALETTE[3]
DPI = 150
PNG_COMPRESSION = 3  # of 9; more takes twice the time for the same size
STYLE: Any = {"font.size": 11, "axes.spines.top": False, "axes.spines.right": False}


def empty_figure(width: float, height: float) -> Figure:
    """Return an empty figure that belongs to no window and no global state."""
    return Figure(figsize=(width, height), layout="constrained")


def class_distribution(counts: Mapping[Part, NDArray[np.intp]], classes: Sequence[str]) -> Figure:
    """Bars of the images of each class in each part, with their counts."""
    table = pd.DataFrame(
        [
            {"class": name, "part": part, "images": int(numbers[number])}
            for part, numbers in counts.items()
            for number, name in enumerate(classes)
        ]
    )
    with mpl.rc_context(STYLE):
        figure = empty_figure(7, 1.4 + 0.75 * len(classes))
        axes = figure.subplots()
        sns.barplot(
            table, y="class", x="images", hue="part", hue_order=PARTS, palette=PART_COLOURS, ax=axes
        )
        for bars in axes.containers:
            axes.bar_label(bars, padding=3, fontsize=9)  # type: ignore[arg-type]
        axes.set(ylabel="", xlabel="images")
        axes.margins(x=0.1)
        legend_above(axes)
    return figure


def legend_above(axes: Axes) -> None:
    """Put the legend in one line above the axes."""
    axes.legend(title="", frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)


def class_colours(classes: Sequence[str]) -> list[Any]:
    """Return one colour per class, told apart by the colour-blind where there are ten or fewer."""
    return list(sns.color_palette("colorblind", len(classes)))


def write_figures(folder: Path, drawn: Mapping[str, Figure]) -> dict[str, bytes]:
    """Write figures as PNG files and return their contents by name."""
    folder.mkdir(exist_ok=True)
    return {name: write_figure(folder / f"{name}.png", figure) for name, figure in drawn.items()}


def write_figure(path: Path, figure: Figure) -> bytes:
    """Write a figure as a PNG file and return its content."""
    buffer = BytesIO()
    quick = {"compress_level": PNG_COMPRESSION}
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None}, pil_kwargs=quick)
    write_bytes(path, buffer.getvalue())
    return buffer.getvalue()


def curves(history: Sequence[Mapping[str, float]], kept: int) -> Figure:
    """Loss and accuracy of training and validation by epoch, with the kept epoch marked."""
    table = pd.DataFrame(history)
    with mpl.rc_context(STYLE):
        figure = empty_figure(8, 3.4)
        left, right = figure.subplots(1, 2)
        for axes, score in ((left, "loss"), (right, "accuracy")):
            _curve_pair(axes, table, score)
            axes.axvline(kept, color="0.35", linestyle=":", linewidth=1.5)
            for border in stage_borders(history):
                axes.axvline(border, color="0.6", linestyle="-", linewidth=1)
            axes.set(xlabel="epoch", ylabel=score)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        right.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        lines = left.get_lines()
        names = ["training", "validation", f"kept: epoch {kept}", "next stage"][: len(lines)]
        figure.legend(
            lines[: len(names)], names, loc="outside upper center", ncols=4, frameon=False
        )
    return figure


def compared_curves(histories: Mapping[str, Sequence[Mapping[str, float]]]) -> Figure:
    """Validation loss and accuracy of several runs by epoch, a colour and a marker per run."""
    with mpl.rc_context(STYLE):
        figure = empty_figure(9, 4)
        left, right = figure.subplots(1, 2)
        colours = class_colours(list(histories))
        for (_, history), colour, marker in zip(
            histories.items(), colours, cycle("osD^vPX*"), strict=False
        ):
            table = pd.DataFrame(history)
            for axes, score in ((left, "loss"), (right, "accuracy")):
                axes.plot(
                    table["epoch"],
                    table[f"validation_{score}"],
                    color=colour,
                    marker=marker,
                    markersize=4,
                )
                axes.set(xlabel="epoch", ylabel=f"validation {score}")
                axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        right.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
        figure.legend(left.get_lines(), list(histories), loc="outside lower center", frameon=False)
    return figure


def stage_borders(history: Sequence[Mapping[str, float]]) -> list[float]:
    """Return where one stage ends and the next begins, in epochs."""
    return [
        (before["epoch"] + after["epoch"]) / 2
        for before, after in pairwise(history)
        if before["stage"] != after["stage"]
    ]


def _curve_pair(axes: Axes, table: pd.DataFrame, score: str) -> None:
    for part, name, dash in (("train", "train", "-"), ("validation", "validation", "--")):
        axes.plot(
            table["epoch"],
            table[f"{name}_{score}"],
            dash,
            color=PART_COLOURS[part],
            marker="o",
            markersize=3.5,
        )


def confusion(counts: NDArray[np.intp], classes: Sequence[str]) -> Figure:
    """Counts and row percentages of actual against predicted classes."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    cells = [
        [f"{n}\n{share:.0%}" for n, share in zip(*pair, strict=True)]
        for pair in zip(counts, shares, strict=True)
    ]
    side = 2.6 + 1.05 * len(classes)
    with mpl.rc_context(STYLE):
        figure = empty_figure(side + 0.6, side)
        axes = figure.subplots()
        sns.heatmap(
            shares,
            annot=np.array(cells),
            fmt="",
            cmap="Blues",
            vmin=0,
            vmax=1,
            square=True,
            cbar=False,
            annot_kws={"size": 13},
            linewidths=1,
            xticklabels=classes,
            yticklabels=classes,
            ax=axes,
        )
        axes.set(xlabel="predicted", ylabel="actual")
        axes.tick_params(axis="x", rotation=30)
        for label in axes.get_xticklabels():
            label.set_horizontalalignment("right")
        axes.tick_params(axis="y", rotation=0)
    return figure


def grid(tiles: Sequence[Tile], columns: int = 4) -> Figure:
    """Images with their classes; wrong answers carry a coloured frame and a cross."""
    rows = max(1, -(-len(tiles) // columns))
    with mpl.rc_context(STYLE):
        height = 2.45 * rows
        figure = Figure(figsize=(2.0 * columns, height))
        # All tiles are alike, so that nothing need be laid out, which takes as long as drawing.
        figure.subplots_adjust(0.01, 0.06 / height, 0.99, 1 - 0.43 / height, 0.06, 0.25)
        places = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in places:
            axes.set_axis_off()
        for axes, tile in zip(places, tiles, strict=False):
            axes.set_axis_on()
            _draw_tile(axes, tile)
    return figure


def _clipped(name: str, length: int) -> str:
    return name if len(name) <= length else f"{name[: length - 1]}…"


def _draw_tile(axes: Axes, tile: Tile) -> None:
    axes.imshow(tile.pixels, cmap="gray", vmin=0, vmax=255)
    axes.set(xticks=[], yticks=[])
    for box in tile.boxes:
        left, top, right, bottom = box_corners(box, tile.pixels.shape[1])
        axes.add_patch(
            Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=BOX, lw=1.6)
        )
    title = _clipped(tile.actual, 24)
    if tile.predicted is not None:
        mark = "✗" if tile.wrong else "✓"
        actual, predicted = _clipped(tile.actual, 18), _clipped(tile.predicted, 16)
        title = f"actual {actual}\n{mark} {predicted} {tile.sure}".rstrip()
    axes.set_title(title, fontsize=9, color=WRONG if tile.wrong else "black")
    for spine in axes.spines.values():
        spine.set(
            visible=True, color=WRONG if tile.wrong else "0.7", linewidth=3 if tile.wrong else 1
        )
