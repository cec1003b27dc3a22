"""The data before training: sizes, shares, grey or colour, and what augmentation does to it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from matplotlib.figure import Figure

from tumorscope.data.store import Store
from tumorscope.grouping.partition import class_counts
from tumorscope.model.augmentation import augment, augment_boxes, draw_uniforms
from tumorscope.records import Partition
from tumorscope.report import figures
from tumorscope.report.files import files_figures, varied
from tumorscope.report.style import write_figures
from tumorscope.report.tiles import Tile, draw_rows
from tumorscope.schema.recipe import Recipe

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
    names = ["class_distribution", *varied(store), "training_samples"]
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
    return drawn | files_figures(store)


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
