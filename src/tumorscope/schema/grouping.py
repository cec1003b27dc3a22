"""What a user says of which images belong together."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tumorscope.errors import UsageError

PAIR = ("image", "copy")  # columns of a list of pairs, as an audit's copies.csv has them


@dataclass(frozen=True)
class GroupingRules:
    """What holds images together when parts are drawn; each rule can be switched off.

    Attributes:
        patients: the patient that the manifest gives.
        lineage: the patient that a known public set gives.
        copies: exact, near and augmented copies.
        series: neighbours in a series of file names whose images agree, where no patient is known.
        apart: pairs of images that are no copies, whatever the search says; paths as in the data.
    """

    patients: bool = True
    lineage: bool = True
    copies: bool = True
    series: bool = True
    apart: tuple[tuple[str, str], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return what differs from the defaults, as a run's `environment.json` keeps it."""
        return {name: value for name, value in vars(self).items() if value != getattr(ALL, name)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "GroupingRules":
        """Return the rules that `as_json` gave."""
        apart = tuple((first, second) for first, second in content.get("apart", ()))
        return cls(**{**content, "apart": apart})


ALL = GroupingRules()


def read_pairs(path: Path) -> tuple[tuple[str, str], ...]:
    """Read pairs of images that are no copies: a CSV with the columns `image` and `copy`.

    Raises:
        UsageError: it cannot be read, or lacks a column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            missing = [name for name in PAIR if name not in (rows.fieldnames or ())]
            found = tuple((row["image"], row["copy"]) for row in rows) if not missing else ()
    except (OSError, ValueError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read: give rows of an audit's copies.csv.") from error
    if missing:
        raise UsageError(
            f"{path} has no column '{missing[0]}': give rows of an audit's copies.csv, its first "
            "line included."
        )
    return found
