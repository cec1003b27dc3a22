"""The labels of a run's test images in the order in which they are worth a second look."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores

from tumorscope.data.store import MIDDLE, Store, open_store
from tumorscope.errors import DataError
from tumorscope.report.figures import grid
from tumorscope.report.style import write_figure
from tumorscope.report.tiles import Tile
from tumorscope.runs.folder import (
    PREDICTIONS,
    REVIEW,
    read_probabilities,
    read_results,
    run_manifest,
)
from tumorscope.support.files import read_csv, write_csv
from tumorscope.support.progress import Progress

SHOWN = 24  # on the contact sheet
COLUMNS = 6  # of the contact sheet
HEADER = ("rank", "image", "label", "suggested", "quality", "disputed")


@dataclass(frozen=True)
class LabelIssue:
    """One image in the order in which labels are worth a second look.

    Attributes:
        image: its path in the data set.
        label: what it is filed as.
        suggested: the class that the model finds most likely.
        quality: of the label, in [0, 1]; low where the model is sure of another class.
        disputed: whether confident learning takes the label to be wrong.
    """

    image: str
    label: str
    suggested: str
    quality: float
    disputed: bool


def rank_labels(folder: Path) -> tuple[LabelIssue, ...]:
    """Return the test images of a run or of a cross-validation, most doubtful label first.

    Raises:
        UsageError: the folder holds neither.
        DataError: a class has no image among them.
    """
    names = read_results(folder, pooled=True).classes
    answers, probabilities = read_csv(folder / PREDICTIONS), read_probabilities(folder, names)
    labels = np.array([names.index(row["truth"]) for row in answers], np.intp)
    if len(np.unique(labels)) < len(names):
        raise DataError(f"{folder} has no answer for an image of every class: review needs some.")
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    quality = get_label_quality_scores(labels, probabilities, method="normalized_margin")
    disputed = find_label_issues(labels, probabilities, n_jobs=1)
    return tuple(
        LabelIssue(
            answers[n]["image"],
            names[labels[n]],
            names[probabilities[n].argmax()],
            float(quality[n]),
            bool(disputed[n]),
        )
        for n in np.argsort(quality, kind="stable")
    )


def write_review(folder: Path, rows: Sequence[LabelIssue], progress: Progress) -> tuple[Path, Path]:
    """Write `review.csv` and `review.png` into a run's folder and return their paths.

    Raises:
        UsageError: the data is not where it was.
    """
    table, sheet = folder / REVIEW, folder / "review.png"
    lines = [
        (n, row.image, row.label, row.suggested, f"{row.quality:.6f}", int(row.disputed))
        for n, row in enumerate(rows, 1)
    ]
    write_csv(table, HEADER, lines)
    store = open_store(run_manifest(folder), MIDDLE, progress=progress)
    write_figure(sheet, grid(_tiles(store, rows), COLUMNS))
    return table, sheet


def _tiles(store: Store, rows: Sequence[LabelIssue]) -> list[Tile]:
    number = {row.image: n for n, row in enumerate(store.manifest.rows)}
    shown = [(rank, row) for rank, row in enumerate(rows, 1) if row.image in number][:SHOWN]
    pixels = store.pixels([number[row.image] for _, row in shown])
    return [
        Tile(image, row.image, row.label, row.suggested, caption=f"{rank}. {Path(row.image).name}")
        for image, (rank, row) in zip(pixels, shown, strict=True)
    ]
