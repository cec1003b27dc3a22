"""Small pictures with a caption, chosen at random from a part or a class."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tumorscope.data.store import Store
from tumorscope.evaluation import Evaluation
from tumorscope.records import Box

SHOWN = 12  # images of a kind
BOX = "#ece133"  # yellow of the colour-blind palette, on grey


@dataclass(frozen=True)
class Tile:
    """One picture of a grid.

    Attributes:
        pixels: uint8, shape (side, side).
        image: its path in the data set.
        actual: its class.
        predicted: what the model says; None where it was not asked.
        boxes: the lesions marked on it.
        sure: the probability of what the model says, as text.
        caption: written above all that, where there is something more to say.
    """

    pixels: NDArray[np.uint8]
    image: str
    actual: str
    predicted: str | None = None
    boxes: tuple[Box, ...] = ()
    sure: str = ""
    caption: str = ""

    @property
    def wrong(self) -> bool:
        """Whether the model says something else than the label."""
        return self.predicted is not None and self.predicted != self.actual

    @property
    def uri(self) -> str:
        """The picture as a data URI, with its boxes."""
        buffer = BytesIO()
        picture = Image.fromarray(self.pixels)
        if self.boxes:
            picture = _with_boxes(picture, self.boxes)
        picture.save(buffer, "PNG")
        return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def box_corners(box: Box, side: int) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of a box in pixels."""
    left, top = box.x_center - box.width / 2, box.y_center - box.height / 2
    return side * left, side * top, side * (left + box.width), side * (top + box.height)


def _with_boxes(picture: Image.Image, boxes: Sequence[Box]) -> Image.Image:
    coloured = picture.convert("RGB")
    pen = ImageDraw.Draw(coloured)
    for box in boxes:
        pen.rectangle(
            box_corners(box, picture.width), outline=BOX, width=max(1, picture.width // 90)
        )
    return coloured


def predicted_tiles(store: Store, evaluation: Evaluation, rows: NDArray[np.intp]) -> list[Tile]:
    """Return some images with their actual and predicted class."""
    names = evaluation.results.classes
    return [
        Tile(
            pixels,
            store.manifest.rows[row].image,
            names[evaluation.labels[row]],
            names[evaluation.predicted[row]],
            store.manifest.rows[row].boxes,
            f"{evaluation.probabilities[row].max():.0%}",
        )
        for row, pixels in zip(rows, store.pixels(rows), strict=True)
    ]


def worst_mistakes(
    evaluation: Evaluation, rows: NDArray[np.intp], count: int = SHOWN
) -> NDArray[np.intp]:
    """Return the wrongly answered rows of which the model was surest, surest first."""
    wrong = rows[evaluation.predicted[rows] != evaluation.labels[rows]]
    sure = evaluation.probabilities[wrong].max(axis=1)
    chosen: NDArray[np.intp] = wrong[np.argsort(-sure, kind="stable")[:count]]
    return chosen


def sample_tiles(
    store: Store, labels: NDArray[np.intp], classes: int, each: int = 4
) -> list[list[Tile]]:
    """Draw images of each class at random, a list a class."""
    return [
        _class_tiles(store, draw_rows(np.flatnonzero(labels == number), each))
        for number in range(classes)
    ]


def _class_tiles(store: Store, rows: NDArray[np.intp]) -> list[Tile]:
    shown: Sequence[NDArray[np.uint8]] = list(store.pixels(rows))
    listed = [store.manifest.rows[row] for row in rows]
    return [
        Tile(pixels, r.image, r.label, boxes=r.boxes)
        for pixels, r in zip(shown, listed, strict=True)
    ]


def draw_rows(rows: NDArray[np.intp], count: int = SHOWN) -> NDArray[np.intp]:
    """Draw without replacement; the same rows give the same draw, so that reports repeat."""
    generator = np.random.default_rng(len(rows))
    return generator.choice(rows, size=min(count, len(rows)), replace=False)
