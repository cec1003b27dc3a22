"""The report of a run: one self-contained HTML file, and its figures as files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tumorscope.data.store import Store
from tumorscope.evaluation import Evaluation
from tumorscope.explanation.examine import Examination
from tumorscope.records import Partition
from tumorscope.report import figures
from tumorscope.report.evidence import evidence_rows, write_documents
from tumorscope.report.exploration import write_exploration
from tumorscope.report.files import common_facts
from tumorscope.report.html import data_uri, render_page
from tumorscope.report.looking import example_sheet, likeness
from tumorscope.report.outcome import outcome_figures
from tumorscope.report.style import write_figures
from tumorscope.report.tiles import (
    Tile,
    draw_rows,
    predicted_tiles,
    sample_tiles,
    worst_mistakes,
)
from tumorscope.schema import wording
from tumorscope.schema.card import Card
from tumorscope.schema.recipe import Recipe, dump_recipe
from tumorscope.schema.results import Results
from tumorscope.schema.scores import Score
from tumorscope.support.files import write_bytes, write_text

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

    @property
    def of_first(self) -> str:
        """Words that say whose training the history is, where several networks were trained."""
        return wording.of_first(self.recipe.members)


def write_report(
    folder: Path,
    store: Store,
    partition: Partition,
    evaluation: Evaluation,
    made: RunRecord,
    formats: Sequence[str] = (),
    looked: Examination | None = None,
) -> None:
    """Write `report.html`, `figures/`, `looking.png` and the two documents into a folder.

    Args:
        folder: where to write.
        store: the pixels that were scored.
        partition: which rows form which part.
        evaluation: what the model says of them, and what that is worth.
        made: how the run was made.
        formats: of the figures besides PNG: `svg`, `pdf`.
        looked: where the model looks, with examples; None where that was not asked.
    """
    results = evaluation.results
    tiles = _tiles(store, partition, evaluation)
    drawn = {
        "curves": figures.curves(made.history, made.kept_epoch),
        **_result_figures(results, tiles),
    }
    pictures = write_exploration(folder, store, partition, made.recipe, formats)
    if looked is not None:
        pictures["examples"] = example_sheet(looked)
        write_bytes(folder / "looking.png", pictures["examples"])
        if looked.explained.sanity is not None:
            drawn["likeness"] = likeness(looked.explained.sanity)
    pictures |= write_figures(folder / "figures", drawn, formats)
    values = {
        **_result_values(store, results, pictures, tiles),
        "title": made.title,
        "made": made,
        "recipe": dump_recipe(made.recipe),
        "common": common_facts(store),
        "evidence": evidence_rows(results, made.card, made.environment),
    }
    write_text(folder / "report.html", render_page("report", values))
    write_documents(folder, results, made.card, made.environment)


@dataclass(frozen=True)
class FoldsRecord:
    """How a cross-validation was made.

    Attributes:
        title: the data set and the recipe.
        recipe: what was trained on each fold.
        command: with which it was started.
        scores: accuracy on each fold, by its name.
        histories: each epoch's scores, by the same names.
    """

    title: str
    recipe: Recipe
    command: str
    scores: Mapping[str, Score]
    histories: Mapping[str, Sequence[Mapping[str, float]]]


def write_folds_report(
    folder: Path,
    store: Store,
    partition: Partition,
    evaluation: Evaluation,
    made: FoldsRecord,
    formats: Sequence[str] = (),
) -> None:
    """Write `report.html` and `figures/` of a cross-validation into a folder.

    Args:
        folder: where to write.
        store: the images, each tested once.
        partition: all of them as test images, with their groups.
        evaluation: the answers of all folds put together, and what they are worth.
        made: how they came about.
        formats: of the figures besides PNG: `svg`, `pdf`.
    """
    tiles = _tiles(store, partition, evaluation)
    drawn = {
        "folds": figures.comparison(made.scores, made.histories),
        **_result_figures(evaluation.results, tiles),
    }
    pictures = write_figures(folder / "figures", drawn, formats)
    values = {
        **_result_values(store, evaluation.results, pictures, tiles),
        "title": made.title,
        "made": made,
        "recipe": dump_recipe(made.recipe),
    }
    write_text(folder / "report.html", render_page("folds", values))


def _tiles(store: Store, partition: Partition, evaluation: Evaluation) -> dict[str, list[Tile]]:
    """Choose the images that a report shows."""
    tested = partition.where("test")
    tiles = {
        "mistakes": predicted_tiles(store, evaluation, worst_mistakes(evaluation, tested)),
        "test_images": predicted_tiles(store, evaluation, draw_rows(tested)),
    }
    if "validation" in evaluation.results.parts:
        watched = draw_rows(partition.where("validation"))
        tiles["validation_images"] = predicted_tiles(store, evaluation, watched)
    samples = sample_tiles(store, evaluation.labels, len(evaluation.results.classes))
    return tiles | {"samples": [tile for own in samples for tile in own]}


def _result_figures(results: Results, tiles: Mapping[str, Sequence[Tile]]) -> dict[str, Figure]:
    """Draw what every evaluation has."""
    of_all = {}
    if results.judged != results.all:
        of_all["confusion_of_all"] = figures.confusion(
            np.array(results.all.confusion), results.classes
        )
    return {
        "confusion": figures.confusion(np.array(results.judged.confusion), results.classes),
        **of_all,
        **outcome_figures(results),
        **{name: figures.grid(shown) for name, shown in tiles.items() if shown},
    }


def _result_values(
    store: Store,
    results: Results,
    pictures: Mapping[str, bytes],
    tiles: Mapping[str, Sequence[Tile]],
) -> dict[str, Any]:
    """Return what every report of an evaluation shows, for its template."""
    return {
        "results": results,
        "judged": results.judged,
        "summed_up": SUMMED_UP,
        "control_labels": wording.CONTROL_LABELS,
        "absent": wording.ABSENT,
        "manifest": store.manifest,
        "pictures": {name: data_uri(content) for name, content in pictures.items()},
        "tiles": tiles,
    }
