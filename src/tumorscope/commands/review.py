"""Labels that someone should look at again, by confident learning."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tumorscope.commands.folds import SUMMARY, read_probabilities
from tumorscope.data.layouts import read_manifest
from tumorscope.data.store import MIDDLE, Store, open_store
from tumorscope.errors import DataError, UsageError
from tumorscope.report.figures import grid, write_figure
from tumorscope.report.tiles import Tile
from tumorscope.runs.folder import read_environment, read_results
from tumorscope.schema.summaries import FoldSummary
from tumorscope.support.extras import require_extra
from tumorscope.support.files import read_csv, write_csv
from tumorscope.support.progress import Progress, Quiet

SHOWN = 24  # on the contact sheet
HEADER = ("rank", "image", "label", "suggested", "quality", "disputed")


@dataclass(frozen=True)
class LabelIssue:
    """One image in the order in which labels are worth a second look.

    Attributes:
        image: its path in the data set.
        label: what it is filed as.
        suggested: the class that the model holds for most likely.
        quality: of the label, in [0, 1]; low where the model is sure of another class.
        disputed: whether confident learning takes the label for wrong.
    """

    image: str
    label: str
    suggested: str
    quality: float
    disputed: bool


@dataclass(frozen=True)
class Review:
    """A finished review.

    Attributes:
        table: a CSV with every image, the label most worth a look first.
        sheet: a picture of the first of them.
        rows: the same as the table.
        out_of_fold: whether every image was judged by a model that had not seen it.
    """

    table: Path
    sheet: Path
    rows: tuple[LabelIssue, ...]
    out_of_fold: bool


def review(*, run: str | Path, progress: Progress | None = None) -> Review:
    """List the images whose label a model disputes, in the order in which to look at them.

    Source: Northcutt, Jiang and Chuang (2021), Confident learning: estimating uncertainty in
    dataset labels; computed by cleanlab.

    Args:
        run: the folder of a cross-validation (`train --folds`), which judges every image; or of one
            training, which judges its test part.
        progress: where to report; nowhere unless given.

    Raises:
        TumorscopeError: the run or its data cannot be used.
    """
    require_extra("train", "tumorscope review")
    from cleanlab.filter import find_label_issues  # noqa: PLC0415 (slow to import)
    from cleanlab.rank import get_label_quality_scores  # noqa: PLC0415

    folder = Path(run)
    whole = (folder / SUMMARY).is_file()
    names = _classes(folder, whole=whole)
    answers, chances = read_csv(folder / "predictions.csv"), read_probabilities(folder, names)
    labels = np.array([names.index(row["truth"]) for row in answers], np.intp)
    if len(np.unique(labels)) < len(names):
        raise DataError(f"{folder} has no answer for an image of every class: review needs some.")
    chances /= chances.sum(axis=1, keepdims=True)
    quality = get_label_quality_scores(labels, chances, method="normalized_margin")
    issues = find_label_issues(labels, chances, n_jobs=1)
    rows = tuple(
        LabelIssue(
            answers[n]["image"],
            names[labels[n]],
            names[chances[n].argmax()],
            float(quality[n]),
            bool(issues[n]),
        )
        for n in np.argsort(quality, kind="stable")
    )
    table, sheet = folder / "review.csv", folder / "review.png"
    write_csv(
        table,
        HEADER,
        [
            (n, row.image, row.label, row.suggested, f"{row.quality:.6f}", int(row.disputed))
            for n, row in enumerate(rows, 1)
        ],
    )
    write_figure(sheet, grid(_tiles(_data_of(folder, progress or Quiet(), whole=whole), rows), 6))
    return Review(table, sheet, rows, whole)


def _classes(folder: Path, *, whole: bool) -> tuple[str, ...]:
    if whole:
        return FoldSummary.model_validate_json((folder / SUMMARY).read_bytes()).classes
    return read_results(folder).classes


def _data_of(folder: Path, progress: Progress, *, whole: bool) -> Store:
    """Open the data that a run was made from."""
    place = Path(read_environment(folder / "fold-1" if whole else folder)["data"]["path"])
    if not place.exists():
        raise UsageError(f"The data of {folder} is not at {place} any more: bring it back.")
    return open_store(read_manifest(place), MIDDLE, progress=progress)


def _tiles(store: Store, rows: tuple[LabelIssue, ...]) -> list[Tile]:
    place = {row.image: number for number, row in enumerate(store.manifest.rows)}
    shown = [row for row in rows if row.image in place][:SHOWN]
    pixels = store.pixels([place[row.image] for row in shown])
    return [
        Tile(image, row.image, row.label, row.suggested)
        for image, row in zip(pixels, shown, strict=True)
    ]
