"""Images of a run's data: those whose label its review disputes, and those it learned from."""

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tumorscope.errors import TumorscopeError, UnreadableImage, UsageError
from tumorscope.inference.examples import drawn_examples
from tumorscope.records import Manifest
from tumorscope.runs.folder import PARTITION, REVIEW, run_manifest
from tumorscope.serve.limits import RefusedUpload
from tumorscope.serve.reader import Reader
from tumorscope.support.files import read_csv
from tumorscope.watching.cases import ListEntry

FIRST = 24  # the most doubtful, listed even where none is disputed
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReviewedSet:
    """A data set whose labels are looked at again.

    Attributes:
        list: what the list is called: the run's folder, and a digest of its review.
        manifest: the data set.
        entries: the images to look at, by their paths in the set, the most doubtful first.
    """

    list: str
    manifest: Manifest
    entries: dict[str, ListEntry]


def read_reviewed(run: Path) -> ReviewedSet:
    """Return the data set of a run, and the images whose label its review disputes.

    Raises:
        UsageError: there is no review, or the data is not where it was.
    """
    table = run / REVIEW
    if not run.is_dir():
        raise UsageError(f"There is no folder {run}: give the folder of a run to --review.")
    if not table.is_file():
        raise UsageError(f"There is no {table}: run 'tumorscope review {run}' first.")
    manifest = run_manifest(run)
    there = {row.image for row in manifest.rows}
    name = f"{run.resolve().name} ({hashlib.sha256(table.read_bytes()).hexdigest()[:8]})"
    entries = {
        row["image"]: ListEntry(name, int(row["rank"]), row["label"], row["suggested"])
        for row in read_csv(table)
        if row["image"] in there and (int(row["disputed"]) or int(row["rank"]) <= FIRST)
    }
    return ReviewedSet(name, manifest, entries)


def training_images(run: Path) -> list[Path]:
    """Return where the training images lie that a run's bundle has embeddings of, in their order.

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
    root = run_manifest(run).root
    return [root / names[n] for n in drawn_examples(np.arange(len(names)))]


def take_list(reader: Reader, reviewed: ReviewedSet) -> None:
    """Take in the images of a list in its order, but for those that the log has already."""
    known = reader.log.on_list(reviewed.list)
    for image, entry in reviewed.entries.items():
        if image in known:
            continue
        if reader.closing.is_set():
            break
        try:
            reader.take_listed(image, reviewed.manifest.root / image, entry)
        except (UnreadableImage, RefusedUpload) as error:
            logger.warning("%s is not shown: %s", image, error)
        except TumorscopeError as error:  # no room, or another server has taken it in
            logger.error("%s is not on the list: %s", image, error)
