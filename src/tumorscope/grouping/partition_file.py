"""Partitions as files: a CSV with a row for each image, and a JSON file on how it was made.

`NAME.csv` has the columns `image,label,group,patient_id` and `part` or `fold`; `NAME.json` holds
the settings, the versions, the digest of the data and the digest of the CSV, which later stages
check.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from tumorscope._version import __version__
from tumorscope.data.store import Store
from tumorscope.errors import DataError
from tumorscope.grouping.division import Division, DrawSettings
from tumorscope.grouping.survey import Survey
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
    path: Path, survey: Survey, division: Division, settings: DrawSettings
) -> None:
    """Write a division and its provenance.

    Args:
        path: the CSV; the provenance goes to the same name with `.json`.
        survey: the data set.
        division: which row goes where.
        settings: how it was drawn.
    """
    column = "part" if settings.folds is None else "fold"
    rows = [
        (row.image, row.label, group, patient, member)
        for row, group, patient, member in zip(
            survey.rows, division.groups, survey.patients, division.members, strict=True
        )
    ]
    write_csv(path, (*HEADER, column), rows)
    write_json(
        path.with_suffix(".json"),
        {
            "format": 1,
            "tumorscope": __version__,
            "settings": asdict(settings),
            "note": division.note,
            "data_digest": survey.store.digest,
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
            f"{path} is not a partition with its {path.with_suffix('.json').name} beside it: "
            "make one with 'tumorscope split DATA --out partition.csv'."
        ) from error
    if hashlib.sha256(content).hexdigest() != made.get("partition_digest"):
        raise DataError(f"{path} was changed since it was made: make it again.")
    if made.get("data_digest") != store.digest:
        raise DataError(
            f"{path} was made for other data than {store.manifest.root}: images, labels or "
            "contents differ; make it again with 'tumorscope split'."
        )
    return _parse(path, rows, store, str(made.get("note", "")))


def _parse(path: Path, rows: list[dict[str, str]], store: Store, note: str) -> PartitionFile:
    if [row.get("image") for row in rows] != [row.image for row in store.manifest.rows]:
        raise DataError(f"{path} does not list the images of {store.manifest.root}: make it again.")
    groups = tuple(row["group"] for row in rows)
    if "fold" in rows[0]:
        return PartitionFile(groups, None, tuple(int(row["fold"]) for row in rows), note)
    parts = tuple(row["part"] for row in rows)
    if not set(parts) <= set(get_args(Part)):
        raise DataError(f"{path} has unknown parts: make it again.")
    return PartitionFile(groups, parts, None, note)  # type: ignore[arg-type]
