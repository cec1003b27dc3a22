"""Images of a run's data: the list that `tumorscope review` wrote, and what the model learned."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tumorscope.data.layouts import read_manifest
from tumorscope.errors import UnreadableImage, UsageError
from tumorscope.inference.examples import drawn_examples
from tumorscope.records import Manifest
from tumorscope.runs.folder import (
    PARTITION,
    REVIEW,
    layout_options,
    read_environment,
    representative_run,
)
from tumorscope.serve.limits import RefusedUpload
from tumorscope.serve.reader import Reader
from tumorscope.support.files import read_csv
from tumorscope.watching.cases import Listed

FIRST = 24  # the most doubtful, listed even where none is disputed
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """One image of a list.

    Attributes:
        image: its path in the data set.
        path: where it lies.
        patient: whom it belongs to; empty where unknown.
        listed: its place on the list, and what was said of it.
    """

    image: str
    path: Path
    patient: str
    listed: Listed


def read_list(run: Path) -> list[Entry]:
    """Return the images whose label a run's review disputes, the most doubtful first.

    Raises:
        UsageError: there is no review, or the data is not where it was.
    """
    table = run / REVIEW
    if not run.is_dir():
        raise UsageError(f"There is no folder {run}: give the folder of a run to --review.")
    if not table.is_file():
        raise UsageError(f"There is no {table}: run 'tumorscope review {run}' first.")
    manifest = _data_of(run)
    patients = {row.image: row.patient_id or "" for row in manifest.rows}
    name = run.resolve().name
    return [
        Entry(
            row["image"],
            manifest.root / row["image"],
            patients[row["image"]],
            Listed(name, int(row["rank"]), row["label"], row["suggested"]),
        )
        for row in read_csv(table)
        if row["image"] in patients and (int(row["disputed"]) or int(row["rank"]) <= FIRST)
    ]


def learned_images(run: Path) -> list[Path]:
    """Return where the training images lie that a run's bundle keeps as examples, in their order.

    Raises:
        UsageError: it is no run, or the data is not where it was.
    """
    table = run / PARTITION
    if not table.is_file():
        raise UsageError(
            f"{run} is not the folder of a run, so that its training images are unknown: serve a "
            "run of 'tumorscope train', or leave out --training-images."
        )
    names = [row["image"] for row in read_csv(table) if row["part"] == "train"]
    root = _data_of(run).root
    return [root / names[n] for n in drawn_examples(np.arange(len(names)))]


def _data_of(run: Path) -> Manifest:
    own = representative_run(run)
    data = Path(read_environment(own)["data"]["path"])
    if not data.exists():
        raise UsageError(f"The data of {run} is not at {data} any more: restore it.")
    return read_manifest(data, layout_options(own))


def take_list(reader: Reader, entries: Sequence[Entry]) -> None:
    """Take in the images of a list in its order, but for those that the log has already."""
    known = {name for entry in entries[:1] for name in reader.log.on_list(entry.listed.list)}
    for entry in entries:
        if entry.image in known:
            continue
        if reader.closing.is_set():
            break
        try:
            reader.take_listed(entry.image, entry.path, entry.patient, entry.listed)
        except (UnreadableImage, RefusedUpload) as error:
            logger.warning("%s is not shown: %s", entry.image, error)
