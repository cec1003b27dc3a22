"""The report of a run: one self-contained HTML file, and its figures as files."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from tumorscope._version import __version__
from tumorscope.evaluation import Evaluation
from tumorscope.files import write_text
from tumorscope.recipe import Recipe, dump_recipe
from tumorscope.records import Partition
from tumorscope.report import figures
from tumorscope.report.exploration import exploration_figures
from tumorscope.report.tiles import Tile, predicted_tiles, sample_tiles
from tumorscope.results import Score
from tumorscope.store import Store

TEMPLATE = files("tumorscope") / "report" / "report.html.j2"


@dataclass(frozen=True)
class Made:
    """How a run was made, for the report's last part.

    Attributes:
        title: the data set and the recipe.
        recipe: what was trained.
        environment: the content of `environment.json`.
        history: each epoch's scores.
        kept_epoch: the epoch whose weights were kept, counted from 1.
    """

    title: str
    recipe: Recipe
    environment: Mapping[str, Any]
    history: Sequence[Mapping[str, float]]
    kept_epoch: int


def write_report(
    folder: Path, store: Store, partition: Partition, evaluation: Evaluation, made: Made
) -> None:
    """Write `report.html` and `figures/` into a run's folder."""
    classes = store.manifest.classes
    samples = sample_tiles(store, evaluation.labels)
    validation = predicted_tiles(store, evaluation, partition, "validation")
    test = predicted_tiles(store, evaluation, partition, "test")
    drawn = {
        **exploration_figures(store, partition, made.recipe),
        "curves": figures.curves(made.history, made.kept_epoch),
        "confusion": figures.confusion(np.array(evaluation.results.confusion), classes),
        "samples": figures.grid([tile for tiles in samples for tile in tiles]),
        "validation_images": figures.grid(validation),
        "test_images": figures.grid(test),
    }
    pictures = figures.write_figures(folder / "figures", drawn)
    page = _template().render(
        made=made,
        recipe=dump_recipe(made.recipe),
        results=evaluation.results,
        manifest=store.manifest,
        pictures={name: _uri(content) for name, content in pictures.items()},
        tile_groups=_tile_groups(samples, validation, test),
        version=__version__,
    )
    write_text(folder / "report.html", page)


def _tile_groups(
    samples: list[list[Tile]], validation: list[Tile], test: list[Tile]
) -> list[tuple[str, str, list[Tile]]]:
    return [
        (
            "Test images",
            "Drawn at random. Wrong answers are framed and marked ✗; boxes are those of the data.",
            test,
        ),
        (
            "Validation images",
            "Drawn at random from the part that training was watched on.",
            validation,
        ),
        ("Samples of each class", "Drawn at random.", [tile for row in samples for tile in row]),
    ]


def _uri(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode()


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["share"] = _share
    environment.filters["number"] = _number
    environment.filters["interval"] = _interval
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8"))


def _share(score: Score) -> str:
    return "not applicable" if score.value is None else f"{score.value:.1%}"


def _number(score: Score) -> str:
    return "not applicable" if score.value is None else f"{score.value:.3f}"


def _interval(score: Score) -> str:
    """Return the 95 % interval as a clause, empty where there is none."""
    if score.low is None or score.high is None:
        return ""
    return f"; 95 % interval {score.low:.1%} to {score.high:.1%}"
