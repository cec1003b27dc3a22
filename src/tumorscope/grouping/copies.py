"""All copies in a data set whose pixels differ, found once and kept in the cache."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.data.store import Store, cache_folder
from tumorscope.grouping.alignment import Images
from tumorscope.grouping.augmented import augmented_copies
from tumorscope.grouping.likeness import NearCopy, near_pairs
from tumorscope.support.files import CACHE, explained, replacing

VERSION = 1  # of the search; what another version has found is not used
KIND = np.dtype(
    [
        *(("first", "i8"), ("second", "i8"), ("similarity", "f8"), ("turn", "i8")),
        *(("margin", "f8"), ("warp", "f8", 6)),
    ]
)


def find_copies(store: Store, rows: NDArray[np.intp]) -> list[NearCopy]:
    """Find the near and augmented copies among some rows of a store, which they are numbered by.

    Raises:
        UsageError: the cache folder cannot be written to.
        DiskFull: it has no space left.
    """
    thumbnails = store.thumbnails[rows]
    key = hashlib.sha256(f"{VERSION} {len(rows)}".encode())
    key.update(thumbnails.data)
    path = cache_folder() / "copies" / f"{key.hexdigest()[:32]}.npy"
    kept = _read(path)
    if kept is None:
        kept = _table(search_copies(thumbnails, lambda numbers: store.at_128(rows[numbers])))
        _write(path, kept)
    return [
        NearCopy(
            *(int(rows[copy["first"]]), int(rows[copy["second"]]), float(copy["similarity"])),
            *(int(copy["turn"]), float(copy["margin"])),
            tuple(copy["warp"].tolist()) if copy["warp"].any() else (),
        )
        for copy in kept
    ]


def search_copies(
    thumbnails: Images, at_128: Callable[[NDArray[np.intp]], Images]
) -> list[NearCopy]:
    """Find near copies, and what else augmented copies are.

    Args:
        thumbnails: uint8, shape (n, 64, 64).
        at_128: returns some of the images by their numbers, uint8, shape (m, 128, 128).
    """
    near = near_pairs(thumbnails)
    known = [(copy.first, copy.second) for copy in near]
    return near + augmented_copies(thumbnails, at_128, known)


def _table(copies: list[NearCopy]) -> NDArray[np.void]:
    """Return copies as an array."""
    table = np.zeros(len(copies), KIND)
    for place, copy in zip(table, copies, strict=True):
        place["first"], place["second"] = copy.first, copy.second
        place["similarity"], place["turn"] = copy.similarity, copy.turn
        place["margin"], place["warp"] = copy.margin, copy.warp or 0
    return table


def _read(path: Path) -> NDArray[np.void] | None:
    try:
        table = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return table if table.dtype == KIND else None


def _write(path: Path, table: NDArray[np.void]) -> None:
    with explained(path, CACHE):
        path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, table, allow_pickle=False)
