"""Partitions as files: a CSV with one row an image, and beside it how it was made.

`NAME.csv` has the columns `image,label,group,patient_id` and `part` or `fold`; `NAME.json` holds
the settings, the versions, the digest of the data and the digest of the CSV, which later stages
check.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from tumorscope._version import __version__
from tumorscope.data.store import Store
from tumorscope.errors import DataError
from tumorscope.records import Part, Partition
from tumorscope.support.files import read_csv, write_csv, write_json

HEADER = ("image", "label", "group", "patient_id")


@dataclass(frozen=True)
class PartitionFile:
    """What a partition file says of a data set, in the order of its rows.

    Attributes:
        groups: the group of each row.
        parts: the part of each row; None where the file has folds.
        folds: the fold of each row; None where the file has parts.
        note: how it came about.
    """

    groups: tuple[str, ...]
    parts: tuple[Part, ...] | None
    folds: tuple[int, ...] | None
    note: str

    def partition(self) -> Partition:
        """Return the parts.

        Raises:
            DataError: the file has folds.
        """
        if self.parts is None:
            raise DataError("The partition has folds: name the one to test on with --test-fold.")
        return Partition(self.parts, self.groups, "drawn", self.note)


def write_partition_file(
    path: Path,
    store: Store,
    groups: Sequence[str],
    patients: Sequence[str | None],
    places: Sequence[Part] | Sequence[int],
    *,
    settings: dict[str, Any],
    note: str,
) -> None:
    """Write a partition and its provenance.

    Args:
        path: the CSV; the provenance goes to the same name with `.json`.
        store: the data set.
        groups: the group of each row.
        patients: the patient of each row, as far as known.
        places: the part, or the fold, of each row.
        settings: how it was asked for.
        note: how it came about.
    """
    column = "fold" if isinstance(places[0], int) else "part"
    rows = [
        (row.image, row.label, group, patient, place)
        for row, group, patient, place in zip(
            store.manifest.rows, groups, patients, places, strict=True
        )
    ]
    write_csv(path, (*HEADER, column), rows)
    write_json(
        path.with_suffix(".json"),
        {
            "format": 1,
            "tumorscope": __version__,
            "settings": settings,
            "note": note,
            "data_digest": store.digest,
            "partition_digest": hashlib.sha256(path.read_bytes()).hexdigest(),
        },
    )


def read_partition_file(path: Path, store: Store) -> PartitionFile:
    """Read a partition for a data set.

    Raises:
        DataError: it is missing or damaged, was changed since, or does not fit the data.
    """
    try:
        content = path.read_bytes()
        rows = read_csv(path)
        made: dict[str, Any] = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} is no partition with its {path.with_suffix('.json').name} beside it: "
            "make one with 'tumorscope split DATA --out partition.csv'."
        ) from error
    if hashlib.sha256(content).hexdigest() != made.get("partition_digest"):
        raise DataError(f"{path} was changed since it was made: make it anew.")
    if made.get("data_digest") != store.digest:
        raise DataError(
            f"{path} was made for other data than {store.manifest.root}: images, labels or "
            "contents differ; make it anew with 'tumorscope split'."
        )
    return _parse(path, rows, store, str(made.get("note", "")))


def _parse(path: Path, rows: list[dict[str, str]], store: Store, note: str) -> PartitionFile:
    if [row.get("image") for row in rows] != [row.image for row in store.manifest.rows]:
        raise DataError(f"{path} does not list the images of {store.manifest.root}: make it anew.")
    groups = tuple(row["group"] for row in rows)
    if "fold" in rows[0]:
        return PartitionFile(groups, None, tuple(int(row["fold"]) for row in rows), note)
    parts = tuple(row["part"] for row in rows)
    if not set(parts) <= set(get_args(Part)):
        raise DataError(f"{path} has parts that are unknown: make it anew.")
    return PartitionFile(groups, parts, None, note)  # type: ignore[arg-type]
