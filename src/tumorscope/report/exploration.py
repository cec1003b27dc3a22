"""The data before training: sizes, shares, grey or colour, and what augmentation does to it."""

from collections.abc import Iterable
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import seaborn as sns
import torch
from matplotlib.figure import Figure

from tumorscope.data.store import Facts, Store
from tumorscope.grouping.partition import class_counts
from tumorscope.model.augmentation import augment, augment_boxes, draw_uniforms
from tumorscope.records import Partition
from tumorscope.report import figures
from tumorscope.report.tiles import Tile, draw_rows
from tumorscope.schema.recipe import Recipe

COLOURED = 8  # grey levels between channels, beyond what JPEG does to a grey image
KINDS = ("one channel", "three equal channels", "colour")
SAMPLES = 8
FIGURES = ("class_distribution", "image_sizes", "grey_or_colour", "training_samples")


def write_exploration(
    folder: Path, store: Store, partition: Partition, recipe: Recipe
) -> dict[str, bytes]:
    """Write the figures of the data into a run's folder, and return them by name.

    They are drawn before a model is trained, and read again where they already lie there.
    """
    paths = [folder / "figures" / f"{name}.png" for name in FIGURES]
    if all(path.is_file() for path in paths):
        return {path.stem: path.read_bytes() for path in paths}
    return figures.write_figures(folder / "figures", _draw(store, partition, recipe))


def _draw(store: Store, partition: Partition, recipe: Recipe) -> dict[str, Figure]:
    classes = store.manifest.classes
    return {
        "class_distribution": figures.class_distribution(
            class_counts(store.manifest.rows, partition, classes), classes
        ),
        "image_sizes": image_sizes(store),
        "grey_or_colour": grey_or_colour(store),
        "training_samples": figures.grid(training_tiles(store, partition, recipe)),
    }


def image_sizes(store: Store) -> Figure:
    """Width and height of the files as they are, one point per image."""
    table = pd.DataFrame(
        {
            "class": [row.label for row in store.manifest.rows],
            "width": [facts.width for facts in store.facts],
            "height": [facts.height for facts in store.facts],
        }
    )
    classes = store.manifest.classes
    with mpl.rc_context(figures.STYLE):
        figure = figures.empty_figure(7, 4.2)
        axes = figure.subplots()
        sns.scatterplot(
            table.sample(frac=1, random_state=0),  # no class lies on top of the others
            x="width",
            y="height",
            hue="class",
            hue_order=classes,
            style="class",
            style_order=classes,
            palette=figures.class_colours(classes),
            alpha=0.7,
            s=28,
            ax=axes,
        )
        sizes = len({(facts.width, facts.height) for facts in store.facts})
        axes.set(xlabel="width in pixels", ylabel="height in pixels", xlim=(0, None))
        axes.set_ylim(0, None)
        axes.set_title(f"{len(table)} images of {sizes} sizes", loc="left", fontsize=11)
        axes.legend(title="", frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def grey_or_colour(store: Store) -> Figure:
    """How many files of each class hold grey levels, in one channel or three, or colour."""
    table = pd.DataFrame(
        {
            "class": [row.label for row in store.manifest.rows],
            "kind": [_kind(facts) for facts in store.facts],
        }
    )
    counts = table.value_counts().rename("images").reset_index()
    with mpl.rc_context(figures.STYLE):
        figure = figures.empty_figure(7, 1.4 + 0.75 * len(store.manifest.classes))
        axes = figure.subplots()
        sns.barplot(
            counts,
            y="class",
            x="images",
            hue="kind",
            order=store.manifest.classes,
            hue_order=KINDS,
            palette=figures.PALETTE[:3],
            ax=axes,
        )
        for bars in axes.containers:
            axes.bar_label(bars, padding=3, fontsize=9)  # type: ignore[arg-type]
        axes.set(ylabel="", xlabel="images")
        axes.margins(x=0.1)
        figures.legend_above(axes)
    return figure


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
