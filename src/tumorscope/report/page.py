"""The report of a run: one self-contained HTML file, and its figures as files."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from matplotlib.figure import Figure

from tumorscope._version import __version__
from tumorscope.data.store import Store
from tumorscope.evaluation import Evaluation
from tumorscope.records import Partition
from tumorscope.report import figures
from tumorscope.report.evidence import evidence_rows, write_documents
from tumorscope.report.exploration import write_exploration
from tumorscope.report.outcome import outcome_figures
from tumorscope.report.tiles import (
    draw_rows,
    predicted_tiles,
    sample_tiles,
    worst_mistakes,
)
from tumorscope.schema import wording
from tumorscope.schema.card import Card
from tumorscope.schema.recipe import Recipe, dump_recipe
from tumorscope.support.files import write_text

TEMPLATE = files("tumorscope.report") / "report.html.j2"
SUMMED_UP = (
    ("accuracy", "share", "accuracy"),
    ("balanced_accuracy", "share", "balanced accuracy"),
    ("macro_f1", "share", "macro F1"),
    ("macro_auroc", "number", "macro AUROC, one against the rest"),
    ("macro_average_precision", "number", "macro average precision"),
    ("kappa", "number", "Cohen's kappa"),
    ("mcc", "number", "Matthews correlation"),
    ("brier", "number", "Brier score (0 to 2, less is better)"),
    ("log_loss", "number", "log loss (less is better)"),
)


@dataclass(frozen=True)
class RunRecord:
    """How a run was made, for the report's last part.

    Attributes:
        title: the data set and the recipe.
        card: of the model.
        recipe: what was trained.
        environment: the content of `environment.json`.
        history: each epoch's scores.
    """

    title: str
    card: Card
    recipe: Recipe
    environment: Mapping[str, Any]
    history: Sequence[Mapping[str, float]]

    @property
    def kept_epoch(self) -> int:
        """The epoch whose weights were kept, counted from 1."""
        return self.card.provenance.kept_epoch


def write_report(
    folder: Path, store: Store, partition: Partition, evaluation: Evaluation, made: RunRecord
) -> None:
    """Write `report.html`, `figures/`, `model-card.md` and `evidence.md` into a folder."""
    results, tested = evaluation.results, partition.where("test")
    tiles = {
        "mistakes": predicted_tiles(store, evaluation, worst_mistakes(evaluation, tested)),
        "test_images": predicted_tiles(store, evaluation, draw_rows(tested)),
    }
    if "validation" in results.parts:
        watched = draw_rows(partition.where("validation"))
        tiles["validation_images"] = predicted_tiles(store, evaluation, watched)
    samples = sample_tiles(store, evaluation.labels, len(results.classes))
    tiles["samples"] = [tile for own in samples for tile in own]
    drawn: dict[str, Figure] = {
        "curves": figures.curves(made.history, made.kept_epoch),
        "confusion": figures.confusion(np.array(results.all.confusion), results.classes),
        **outcome_figures(results),
        **{name: figures.grid(shown) for name, shown in tiles.items() if shown},
    }
    pictures = {
        **write_exploration(folder, store, partition, made.recipe),
        **figures.write_figures(folder / "figures", drawn),
    }
    page = _template().render(
        made=made,
        recipe=dump_recipe(made.recipe),
        results=results,
        judged=results.judged,
        summed_up=SUMMED_UP,
        control_labels=wording.CONTROL_LABELS,
        manifest=store.manifest,
        pictures={name: _uri(content) for name, content in pictures.items()},
        tiles=tiles,
        evidence=evidence_rows(results, made.card, made.environment),
        version=__version__,
    )
    write_text(folder / "report.html", page)
    write_documents(folder, results, made.card, made.environment)


def _uri(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode()


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "share": wording.share,
        "number": wording.number,
        "prevalence": wording.prevalence,
        "percent": wording.with_interval,
        "points": wording.points,
        "interval": wording.interval,
    }
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
