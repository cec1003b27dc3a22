"""Tables of known sets: made once from a manifest, kept as arrays, read without pickle."""

import os
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_data_path

from tumorscope.data.store import Store
from tumorscope.errors import DataError, UsageError
from tumorscope.grouping.likeness import LENGTH, fingerprints
from tumorscope.support.files import CACHE, explained, write_bytes

FORMAT = 2  # 1 had a frequency more
FIELDS = ("format", "prints", "names", "patients", "patient", "labels", "label")


@dataclass(frozen=True)
class Table:
    """The slices of one known set.

    Attributes:
        set_name: how the set is called.
        prints: fingerprints in 8 bits, scaled row by row, int8, shape (n, LENGTH).
        names: the path or number of each slice in its set.
        patients, labels: of each slice.
    """

    set_name: str
    prints: NDArray[np.int8]
    names: tuple[str, ...]
    patients: tuple[str, ...]
    labels: tuple[str, ...]

    @cached_property
    def vectors(self) -> NDArray[np.float32]:
        """The fingerprints at length 1, float32, shape (n, LENGTH)."""
        wide = self.prints.astype(np.float32)
        lengths = np.linalg.norm(wide, axis=1, keepdims=True)
        return np.asarray(wide / np.maximum(lengths, 1), np.float32)


def make_table(set_name: str, store: Store) -> Table:
    """Make the table of a set from its images.

    Raises:
        DataError: its manifest does not say whose the images are.
    """
    rows = store.manifest.rows
    lost = sum(row.patient_id is None for row in rows)
    if lost:
        raise DataError(
            f"{lost} of {len(rows)} images have no patient_id: a lineage table is there to tell "
            "patients, so give it a manifest with that column filled."
        )
    prints = fingerprints(store.thumbnails)
    scale = 127 / np.maximum(np.abs(prints).max(axis=1, keepdims=True), 1e-9)
    return Table(
        set_name,
        np.rint(prints * scale).astype(np.int8),
        tuple(row.image for row in rows),
        tuple(row.patient_id or "" for row in rows),
        tuple(row.label for row in rows),
    )


def dump_table(table: Table) -> bytes:
    """Return a table as a compressed archive of plain arrays."""
    patients, patient = np.unique(table.patients, return_inverse=True)
    labels, label = np.unique(table.labels, return_inverse=True)
    buffer = BytesIO()
    np.savez_compressed(
        buffer,
        format=np.array(FORMAT),
        prints=table.prints,
        names=np.array("\n".join(table.names)),
        patients=patients,
        patient=patient.astype(np.uint32),
        labels=labels,
        label=label.astype(np.uint16),
    )
    return buffer.getvalue()


def parse_table(set_name: str, content: bytes) -> Table:
    """Read a table back.

    Raises:
        DataError: it is no table of a known format.
    """
    try:
        with np.load(BytesIO(content), allow_pickle=False) as arrays:
            if set(arrays.files) != set(FIELDS) or int(arrays["format"]) != FORMAT:
                raise ValueError("another format")
            prints = arrays["prints"]
            names = tuple(str(arrays["names"]).split("\n"))
            patients = tuple(arrays["patients"][arrays["patient"]].tolist())
            labels = tuple(arrays["labels"][arrays["label"]].tolist())
    except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"The lineage table '{set_name}' is damaged or of another version: add it again."
        ) from error
    sound = prints.dtype == np.int8 and prints.shape == (len(names), LENGTH)
    if not sound or not len(names) == len(patients) == len(labels):
        raise DataError(f"The lineage table '{set_name}' is inconsistent: add it again.")
    return Table(set_name, prints, names, patients, labels)


def own_folder() -> Path:
    """Return where a user's tables are: `$TUMORSCOPE_LINEAGE`, else the place for user data."""
    chosen = os.environ.get("TUMORSCOPE_LINEAGE")
    return Path(chosen) if chosen else user_data_path("tumorscope") / "lineage"


def add_table(set_name: str, store: Store) -> Path:
    """Make the table of a user's own set and keep it for all later audits.

    Raises:
        UsageError: the name cannot be a file's name, or is that of a table in the package.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,40}", set_name):
        raise UsageError(
            f"'{set_name}' cannot name a lineage table: use letters, digits, - and _ only."
        )
    if set_name in _shipped():
        raise UsageError(f"The package has a lineage table '{set_name}': choose another name.")
    path = own_folder() / f"{set_name}.npz"
    with explained(path, CACHE):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, dump_table(make_table(set_name, store)))
    return path


def _shipped() -> dict[str, bytes]:
    tables = files("tumorscope.grouping.lineage")
    return {
        Path(item.name).stem: item.read_bytes()
        for item in tables.iterdir()
        if item.name.endswith(".npz")
    }


def load_tables() -> Sequence[Table]:
    """Return the tables of the package and the user's own.

    Raises:
        DataError: one is damaged.
    """
    contents = _shipped()
    if own_folder().is_dir():
        contents |= {p.stem: p.read_bytes() for p in sorted(own_folder().glob("*.npz"))}
    return [parse_table(name, content) for name, content in contents.items()]
