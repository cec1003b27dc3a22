"""Figures of training and of the images themselves, as matplotlib objects."""

from collections.abc import Mapping, Sequence
from itertools import cycle, pairwise
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from tumorscope.records import PARTS, Part
from tumorscope.report.colours import PALETTE
from tumorscope.report.style import (
    MARKERS,
    PART_COLOURS,
    SMALL,
    STYLE,
    WIDE,
    WRONG,
    class_colours,
    empty_figure,
    legend_above,
    show_percent,
)
from tumorscope.report.tiles import BOX, Tile, box_corners
from tumorscope.schema.scores import Score

BAR = 0.8  # of the room between two classes, shared by their bars
GAP, LINE = 0.08, 0.11  # between tiles, and a line of the title above them, in widths of a tile


def class_distribution(counts: Mapping[Part, NDArray[np.intp]], classes: Sequence[str]) -> Figure:
    """Bars of the images of each class in each part, with their counts."""
    shown = [part for part in PARTS if part in counts]
    bars: dict[str, list[int]] = {part: counts[part].tolist() for part in shown}
    return grouped_bars(bars, classes, [PART_COLOURS[part] for part in shown])


def grouped_bars(
    counts: Mapping[str, Sequence[int]], classes: Sequence[str], colours: Sequence[str] = PALETTE
) -> Figure:
    """Horizontal bars of images: one group a class, one bar a kind, with their counts."""
    thickness = BAR / len(counts)
    with mpl.rc_context(STYLE):
        figure = empty_figure(WIDE, 0.7 + 0.5 * len(classes))
        axes = figure.subplots()
        for number, ((kind, images), colour) in enumerate(
            zip(counts.items(), colours, strict=False)
        ):
            heights = np.arange(len(classes)) + (number + 0.5) * thickness - BAR / 2
            bars = axes.barh(heights, images, thickness, color=colour, label=kind)
            axes.bar_label(bars, padding=3, fontsize=SMALL)
        axes.set_yticks(range(len(classes)), classes)
        axes.invert_yaxis()
        axes.set_xlabel("images")
        axes.margins(x=0.1)
        if len(counts) > 1:
            legend_above(axes)
    return figure


def curves(history: Sequence[Mapping[str, float]], kept: int) -> Figure:
    """Loss and accuracy of training and validation by epoch, with the kept epoch marked."""
    with mpl.rc_context(STYLE):
        figure = empty_figure(WIDE, 2.9)
        left, right = figure.subplots(1, 2)
        for axes, score in ((left, "loss"), (right, "accuracy")):
            _curve_pair(axes, history, score)
            axes.axvline(kept, color="0.35", linestyle=":", linewidth=1.2)
            for border in stage_borders(history):
                axes.axvline(border, color="0.6", linestyle="-", linewidth=1)
            axes.set(xlabel="epoch", ylabel=score)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        show_percent(right.yaxis)
        lines = left.get_lines()
        names = ["training", "validation", f"kept: epoch {kept}", "next stage"][: len(lines)]
        figure.legend(lines[: len(names)], names, loc="outside upper center", ncols=4)
    return figure


def stage_borders(history: Sequence[Mapping[str, float]]) -> list[float]:
    """Return where one stage ends and the next begins, in epochs."""
    return [
        (before["epoch"] + after["epoch"]) / 2
        for before, after in pairwise(history)
        if before["stage"] != after["stage"]
    ]


def _curve_pair(axes: Axes, history: Sequence[Mapping[str, float]], score: str) -> None:
    epochs = [row["epoch"] for row in history]
    dashes: dict[Part, str] = {"train": "-", "validation": "--"}
    for part, dash in dashes.items():
        values = [row[f"{part}_{score}"] for row in history]
        axes.plot(epochs, values, dash, color=PART_COLOURS[part], marker="o", markersize=3)


def comparison(
    scores: Mapping[str, Score], histories: Mapping[str, Sequence[Mapping[str, float]]]
) -> Figure:
    """Accuracy of several runs with intervals, above their validation curves.

    Args:
        scores: accuracy on the test part, by the name of the run.
        histories: each epoch's scores, by the same names; a run without any has no curve.
    """
    names = list(scores)
    colours, height = dict(zip(names, class_colours(names), strict=True)), 0.5 + 0.3 * len(names)
    with mpl.rc_context(STYLE):
        figure = empty_figure(WIDE, height + (3.1 if histories else 0.3))
        rows: list[Any] = [["score", "score"], ["loss", "accuracy"]][: 2 if histories else 1]
        room = figure.subplot_mosaic(rows, height_ratios=[height, 2.6][: len(rows)])
        dots(room["score"], list(scores.items()), list(colours.values()))
        room["score"].set_xlabel("accuracy on each run's test part, with 95 % interval")
        show_percent(room["score"].xaxis)
        if histories:
            _validation_curves(figure, room, histories, colours)
    return figure


def _validation_curves(
    figure: Figure,
    room: Mapping[str, Axes],
    histories: Mapping[str, Sequence[Mapping[str, float]]],
    colours: Mapping[str, str],
) -> None:
    """Draw loss and accuracy of each run by epoch."""
    for (name, history), marker in zip(histories.items(), cycle(MARKERS), strict=False):
        epochs = [row["epoch"] for row in history]
        for score in ("loss", "accuracy"):
            values = [row[f"validation_{score}"] for row in history]
            room[score].plot(epochs, values, color=colours[name], marker=marker, label=name)
    for score in ("loss", "accuracy"):
        room[score].set(xlabel="epoch", ylabel=f"validation {score}")
        room[score].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    show_percent(room["accuracy"].yaxis)
    lines, labels = room["loss"].get_legend_handles_labels()
    figure.legend(lines, labels, loc="outside lower center", ncols=min(4, len(histories)))


def dots(axes: Axes, rows: Sequence[tuple[str, Score]], colours: Sequence[str]) -> None:
    """Draw shares as dots with their intervals and values, the first on top."""
    for height, ((_, score), colour) in enumerate(zip(rows, colours, strict=True)):
        if score.value is None:
            continue
        if score.low is not None and score.high is not None:
            axes.plot([score.low, score.high], [height, height], color=colour, lw=2)
        axes.plot(score.value, height, "o", color=colour, ms=5.5)
        end = max(score.value, score.high or 0)
        axes.annotate(
            f"{score.value:.1%}",
            (end, height),
            (5, 0),
            textcoords="offset points",
            va="center",
            fontsize=SMALL,
        )
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(-0.015, 1.12)
    axes.set_xticks(np.linspace(0, 1, 6))


def confusion(counts: NDArray[np.intp], classes: Sequence[str]) -> Figure:
    """Counts and row percentages of actual against predicted classes."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(WIDE, 1.7 + 0.62 * len(classes))
    with mpl.rc_context(STYLE):
        figure = empty_figure(side + 0.3, side)
        axes = figure.subplots()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (row, column), share in np.ndenumerate(shares):
            text = f"{counts[row, column]}\n{share:.0%}"
            colour = "white" if share > 0.55 else "black"
            axes.text(column, row, text, ha="center", va="center", color=colour)
        numbers = range(len(classes))
        axes.set_xticks(numbers, classes, rotation=30, ha="right", rotation_mode="anchor")
        axes.set_yticks(numbers, classes)
        axes.set_xticks(np.arange(len(classes) + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(len(classes) + 1) - 0.5, minor=True)
        axes.grid(which="minor", color="white", linewidth=1)
        axes.tick_params(which="both", length=0)
        axes.spines[:].set_visible(False)
        axes.set(xlabel="predicted", ylabel="actual")
    return figure


def grid(tiles: Sequence[Tile], columns: int = 4) -> Figure:
    """Images with their classes; wrong answers carry a coloured frame and a cross.

    All tiles lie in one axes, since making one for each takes as long as drawing them.
    """
    rows = max(1, -(-len(tiles) // columns))
    title = LINE * max((len(_title(tile).splitlines()) for tile in tiles), default=1)
    across, down = 1 + GAP, 1 + GAP + title
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDE, WIDE * rows * down / (columns * across)))
        axes = figure.add_axes((0, 0, 1, 1))
        for number, tile in enumerate(tiles):
            left, top = number % columns * across, number // columns * down + title
            _draw_tile(axes, tile, left + GAP / 2, top + GAP / 2)
        axes.set(xlim=(0, columns * across), ylim=(rows * down, 0))
        axes.set_axis_off()
    return figure


def _clipped(name: str, length: int) -> str:
    return name if len(name) <= length else f"{name[: length - 1]}…"


def _draw_tile(axes: Axes, tile: Tile, left: float, top: float) -> None:
    """Draw a tile of side 1, with its title above it."""
    axes.imshow(tile.pixels, cmap="gray", vmin=0, vmax=255, extent=(left, left + 1, top + 1, top))
    for box in tile.boxes:
        x0, y0, x1, y1 = (
            end / tile.pixels.shape[1] for end in box_corners(box, tile.pixels.shape[1])
        )
        axes.add_patch(
            Rectangle((left + x0, top + y0), x1 - x0, y1 - y0, fill=False, edgecolor=BOX, lw=1.2)
        )
    frame = WRONG if tile.wrong else "0.7"
    axes.add_patch(
        Rectangle((left, top), 1, 1, fill=False, edgecolor=frame, lw=2.2 if tile.wrong else 0.8)
    )
    colour = WRONG if tile.wrong else "black"
    axes.text(
        left + 0.5, top - 0.02, _title(tile), ha="center", va="bottom", fontsize=SMALL, color=colour
    )


def _title(tile: Tile) -> str:
    """Return what is written above a tile: its caption, its class, and the model's."""
    lines = [_clipped(tile.caption, 20)] if tile.caption else []
    if tile.predicted is None:
        return "\n".join([*lines, _clipped(tile.actual, 24)])
    mark = "✗" if tile.wrong else "✓"
    lines += [f"actual {_clipped(tile.actual, 18)}"]
    lines += [f"{mark} {_clipped(tile.predicted, 16)} {tile.sure}".rstrip()]
    return "\n".join(lines)
