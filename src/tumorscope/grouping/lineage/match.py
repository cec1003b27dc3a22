"""Images against tables of known slices."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorscope.grouping.likeness import MARGINS, NEAR, Prints, Thumbnails, fingerprints, turned
from tumorscope.grouping.lineage.table import Table

WORTH_TURNING = 0.5  # images that are nothing like any slice of a set are not turned and cropped


@dataclass(frozen=True, slots=True)
class Match:
    """An image that is a slice of a known set.

    Attributes:
        row: the image's row number.
        set_name: the known set.
        name, patient, label: of the slice, as the set has them.
        similarity: correlation of the fingerprints, in [NEAR, 1].
        lead: by how much it is ahead of the most similar slice of any other patient; small leads
            are less sure.
    """

    row: int
    set_name: str
    name: str
    patient: str
    label: str
    similarity: float
    lead: float


def match_slices(
    thumbnails: Thumbnails, tables: Sequence[Table], leave_out: NDArray[np.intp] | None = None
) -> list[Match]:
    """Find the images that are slices of known sets, resized, re-encoded, cropped or turned.

    Args:
        thumbnails: uint8, shape (n, 64, 64).
        tables: the known sets.
        leave_out: for each image the number of a slice of the only table that does not count, for
            testing a set against itself.
    """
    best: dict[int, Match] = {}
    for table in tables:
        for match in _match_table(thumbnails, table, leave_out):
            if match.row not in best or best[match.row].similarity < match.similarity:
                best[match.row] = match
    return [best[row] for row in sorted(best)]


def _match_table(
    thumbnails: Thumbnails, table: Table, leave_out: NDArray[np.intp] | None
) -> list[Match]:
    prints = fingerprints(thumbnails)
    patients = np.unique(table.patients, return_inverse=True)[1]
    top, nearest, second = _closest(prints, table, patients, leave_out)
    open_rows = np.flatnonzero((top < NEAR) & (top > WORTH_TURNING))
    for queries in _variants(thumbnails[open_rows], prints[open_rows]):
        left_out = None if leave_out is None else leave_out[open_rows]
        other_top, other_place, other_second = _closest(queries, table, patients, left_out)
        better = other_top > top[open_rows]
        rows = open_rows[better]
        top[rows], nearest[rows] = other_top[better], other_place[better]
        second[rows] = other_second[better]
    return [
        Match(
            row=int(row),
            set_name=table.set_name,
            name=table.names[nearest[row]],
            patient=table.patients[nearest[row]],
            label=table.labels[nearest[row]],
            similarity=float(min(top[row], 1.0)),
            lead=float(top[row] - second[row]),
        )
        for row in np.flatnonzero(top >= NEAR)
    ]


def _variants(thumbnails: Thumbnails, prints: Prints) -> Sequence[Prints]:
    """Return the fingerprints of images turned, and of images whose twin was cropped less."""
    return [
        *(turned(prints, turn) for turn in range(1, 8)),
        *(fingerprints(thumbnails, margin) for margin in MARGINS),
    ]


def _closest(
    queries: Prints,
    table: Table,
    patients: NDArray[np.intp],
    leave_out: NDArray[np.intp] | None,
) -> tuple[NDArray[np.float32], NDArray[np.intp], NDArray[np.float32]]:
    """Return each query's best similarity, its place, and the best of another patient."""
    top = np.zeros(len(queries), np.float32)
    nearest = np.zeros(len(queries), np.intp)
    second = np.zeros(len(queries), np.float32)
    for start in range(0, len(queries), 1024):
        likeness = queries[start : start + 1024] @ table.vectors.T
        numbers = np.arange(len(likeness))
        if leave_out is not None:
            likeness[numbers, leave_out[start : start + 1024]] = -1
        chosen = likeness.argmax(axis=1)
        top[start : start + 1024] = likeness[numbers, chosen]
        nearest[start : start + 1024] = chosen
        likeness[patients[chosen][:, None] == patients[None]] = -1
        second[start : start + 1024] = likeness.max(axis=1)
    return top, nearest, second
