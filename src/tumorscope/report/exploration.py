"""The data before training: sizes, shares, grey or colour, and what augmentation does to it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import cycle
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.figure import Figure

from tumorscope.data.store import Facts, Store
from tumorscope.grouping.partition import class_counts
from tumorscope.model.augmentation import augment, augment_boxes, draw_uniforms
from tumorscope.records import Partition
from tumorscope.report import figures
from tumorscope.report.style import MARKERS, STYLE, WIDE, class_colours, empty_figure, write_figures
from tumorscope.report.tiles import Tile, draw_rows
from tumorscope.schema.recipe import Recipe

COLOURED = 8  # grey levels between channels, beyond what JPEG does to a grey image
KINDS = ("one channel", "three equal channels", "colour")
SAMPLES = 8


def write_exploration(
    folder: Path,
    store: Store,
    partition: Partition,
    recipe: Recipe,
    formats: Sequence[str] = (),
) -> dict[str, bytes]:
    """Write the figures of the data into a run's folder, and return them by name.

    They are drawn before a model is trained, and read again where they already lie there. Figures
    that would show one size or one kind of file are left out; `common_facts` says so in words.
    """
    names = ["class_distribution", *_varied(store), "training_samples"]
    paths = [folder / "figures" / f"{name}.{form}" for name in names for form in ("png", *formats)]
    if all(path.is_file() for path in paths):
        return {path.stem: path.read_bytes() for path in paths if path.suffix == ".png"}
    return write_figures(folder / "figures", _draw(store, partition, recipe), formats)


def _draw(store: Store, partition: Partition, recipe: Recipe) -> dict[str, Figure]:
    classes = store.manifest.classes
    drawn = {
        "class_distribution": figures.class_distribution(
            class_counts(store.manifest.rows, partition, classes), classes
        ),
        "training_samples": figures.grid(training_tiles(store, partition, recipe)),
    }
    varied = {"image_sizes": image_sizes, "grey_or_colour": grey_or_colour}
    return drawn | {name: varied[name](store) for name in _varied(store)}


def _varied(store: Store) -> list[str]:
    """Name the figures of what differs between the files."""
    sizes = {(facts.width, facts.height) for facts in store.facts}
    kinds = {_kind(facts) for facts in store.facts}
    return ["image_sizes"] * (len(sizes) > 1) + ["grey_or_colour"] * (len(kinds) > 1)


def common_facts(store: Store) -> list[str]:
    """Say what all files share and no figure shows, one sentence each."""
    sizes = Counter((facts.width, facts.height) for facts in store.facts)
    kinds = Counter(_kind(facts) for facts in store.facts)
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
        (row.label, _kind(facts))
        for row, facts in zip(store.manifest.rows, store.facts, strict=True)
    )
    kinds = [kind for kind in KINDS if any(counts[name, kind] for name in classes)]
    return figures.grouped_bars(
        {kind: [counts[name, kind] for name in classes] for kind in kinds}, classes
    )


def _kind(facts: Facts) -> str:
    if facts.colour > COLOURED:
        return KINDS[2]
    return KINDS[0] if facts.mode in ("1", "L", "I", "I;16", "F") else KINDS[1]


def training_tiles(store: Store, partition: Partition, recipe: Recipe) -> list[Tile]:
    """Draw training images, each as it is and as an early epoch changes it, with their boxes."""
    rows = _prefer_boxes(store, draw_rows(partition.where("train"), 8 * SAMPLES))
    epoch = int(recipe.stages[0].views is not None)  # the first of several views is the plain one
    uniforms = draw_uniforms(recipe.seed, epoch, len(store))[rows]
    pixels = torch.from_numpy(store.pixels(rows)).unsqueeze(1).float()
    changed = augment(pixels, uniforms, recipe.augment).round().byte().squeeze(1).numpy()
    tiles = []
    for row, plain, new, drawn in zip(rows, store.pixels(rows), changed, uniforms, strict=True):
        image = store.manifest.rows[row]
        moved = augment_boxes(image.boxes, drawn, recipe.augment, store.size)
        tiles.append(Tile(plain, image.image, f"{image.label}", boxes=image.boxes))
        tiles.append(Tile(new, image.image, f"{image.label}, changed", boxes=moved))
    return tiles


def _prefer_boxes(store: Store, rows: Iterable[int]) -> list[int]:
    """Return as many rows as are shown, those with boxes first."""
    return sorted(map(int, rows), key=lambda row: not store.manifest.rows[row].boxes)[:SAMPLES]
