"""What the files of a data set are like: their sizes, and whether they hold grey or colour."""

from collections import Counter
from itertools import cycle

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from tumorscope.data.store import KINDS, Store
from tumorscope.report import figures
from tumorscope.report.style import MARKERS, STYLE, WIDE, class_colours, empty_figure


def varied(store: Store) -> list[str]:
    """Name the figures of what differs between the files."""
    sizes = {(facts.width, facts.height) for facts in store.facts}
    kinds = {facts.kind for facts in store.facts}
    return ["image_sizes"] * (len(sizes) > 1) + ["grey_or_colour"] * (len(kinds) > 1)


def files_figures(store: Store) -> dict[str, Figure]:
    """Draw what differs between the files: sizes, and grey or colour."""
    drawn = {"image_sizes": image_sizes, "grey_or_colour": grey_or_colour}
    return {name: drawn[name](store) for name in varied(store)}


def common_facts(store: Store) -> list[str]:
    """Say what all files share and no figure shows, one sentence each."""
    sizes = Counter((facts.width, facts.height) for facts in store.facts)
    kinds = Counter(facts.kind for facts in store.facts)
    sentences = []
    if len(sizes) == 1:
        ((width, height),) = sizes
        sentences.append(f"All images have {width} × {height} pixels.")
    if len(kinds) == 1:
        (kind,) = kinds
        sentences.append(
            f"All files hold {'colour' if kind == KINDS[2] else f'grey levels in {kind}'}."
        )
    return sentences


def image_sizes(store: Store) -> Figure:
    """Width and height of the files as they are, one point per image."""
    classes = store.manifest.classes
    widths = np.array([facts.width for facts in store.facts])
    heights = np.array([facts.height for facts in store.facts])
    labels = store.manifest.class_numbers()
    with mpl.rc_context(STYLE):
        figure = empty_figure(WIDE, 3.4)
        axes = figure.subplots()
        for number, colour, marker in zip(
            range(len(classes)), class_colours(classes), cycle(MARKERS), strict=False
        ):
            own = labels == number
            axes.plot(
                *(widths[own], heights[own], marker),
                color=colour,
                alpha=0.6,
                markersize=3.5,
                markeredgewidth=0,
                label=classes[number],
            )
        sizes = len(set(zip(widths.tolist(), heights.tolist(), strict=True)))
        axes.set(xlabel="width in pixels", ylabel="height in pixels")
        axes.set(xlim=(0, None), ylim=(0, None), title=f"{len(widths)} images of {sizes} sizes")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def grey_or_colour(store: Store) -> Figure:
    """How many files of each class hold grey levels, in one channel or three, or colour."""
    classes = store.manifest.classes
    counts = Counter(
        (row.label, facts.kind) for row, facts in zip(store.manifest.rows, store.facts, strict=True)
    )
    kinds = [kind for kind in KINDS if any(counts[name, kind] for name in classes)]
    return figures.grouped_bars(
        {kind: [counts[name, kind] for name in classes] for kind in kinds}, classes
    )
