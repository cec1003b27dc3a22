"""A manifest as a table that can be read again."""

import os
from pathlib import Path

from tumorscope.errors import UsageError
from tumorscope.records import Manifest, Row
from tumorscope.support.files import explained, refuse_inside, write_csv

BOX = ("x_center", "y_center", "width", "height")
COLUMNS = ("image", "label", "patient_id", "split", "fold", *BOX)


def write_manifest_table(path: Path, manifest: Manifest) -> None:
    """Write a manifest, a row an image, or one for each of its boxes.

    Raises:
        UsageError: the file does not end in .csv, lies in the data, or cannot be written.
    """
    if path.suffix.lower() != ".csv":
        raise UsageError(f"{path} does not end in .csv: a manifest is a CSV file.")
    refuse_inside(path, manifest.root)
    others = sorted({name for row in manifest.rows for name, _ in row.others})
    home = path.resolve().parent
    lines = []
    for row in manifest.rows:
        image = Path(os.path.relpath(manifest.root.resolve() / row.image, home)).as_posix()
        said = dict(row.others)
        extra = tuple(said.get(name, "") for name in others)
        lines += [(image, *fields, *extra) for fields in _fields(row)]
    with explained(path):
        home.mkdir(parents=True, exist_ok=True)
        write_csv(path, (*COLUMNS, *others), lines)


def _fields(row: Row) -> list[tuple[object, ...]]:
    """Return what follows the image in each of its rows."""
    same = (row.label, row.patient_id or "", row.split or "", "" if row.fold is None else row.fold)
    if not row.boxes:
        return [(*same, *("" for _ in BOX))]
    return [(*same, *(getattr(box, name) for name in BOX)) for box in row.boxes]
