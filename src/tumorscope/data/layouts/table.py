"""Manifest tables: a CSV with one row per image."""

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tumorscope.data.layouts.boxes import make_box
from tumorscope.data.layouts.folders import SPLIT_NAMES
from tumorscope.data.layouts.listing import visible_files
from tumorscope.errors import DataError
from tumorscope.records import Box, Manifest, Part, Row
from tumorscope.schema.labels import same_class, squeeze

REQUIRED = ("image", "label")
OPTIONAL = ("patient_id", "split", "fold", "x_center", "y_center", "width", "height")
BOX = ("x_center", "y_center", "width", "height")


def find_table(folder: Path) -> Path | None:
    """Return the one CSV file in a folder that has the columns of a manifest."""
    tables = [p for p in visible_files(folder) if p.suffix.lower() == ".csv" and _is_manifest(p)]
    return tables[0] if len(tables) == 1 else None


def _is_manifest(path: Path) -> bool:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return set(REQUIRED) <= set(next(csv.reader(file), []))
    except (OSError, UnicodeDecodeError, csv.Error):
        return False


def read_table(path: Path) -> Manifest:
    """Read a manifest table; image paths are relative to the folder it lies in.

    Rows that repeat an image with the same label add a box each.

    Raises:
        DataError: no such table, a column missing, a label missing, a value that cannot be, two
            labels for one image, or an image that does not exist.
    """
    rows: dict[str, Row] = {}
    for number, values in _read_rows(path):
        row = _parse(path, number, values)
        known = rows.get(row.image)
        if known is not None and known.label != row.label:
            raise DataError(
                f"{path}, line {number}: {row.image} is labelled '{row.label}' here and "
                f"'{known.label}' before: keep one."
            )
        rows[row.image] = row if known is None else replace(known, boxes=known.boxes + row.boxes)
    _refuse_spellings(path, rows)
    return _existing(path, tuple(rows.values()))


def _read_rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            header = [name or "" for name in reader.fieldnames or []]
            missing = [name for name in REQUIRED if name not in header]
            if missing:
                raise DataError(
                    f"{path} has no column '{missing[0]}' (found: {', '.join(header) or 'nothing'})"
                    f": a manifest is a CSV with the columns {', '.join(REQUIRED)} and optionally "
                    f"{', '.join(OPTIONAL)}."
                )
            return [
                (reader.line_num, {k: (v or "").strip() for k, v in row.items() if k in header})
                for row in reader
            ]
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text: save it as a UTF-8 CSV file.") from error
    except csv.Error as error:
        raise DataError(f"{path} is not a readable CSV ({error}).") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).") from error


def _parse(path: Path, number: int, values: Mapping[str, str]) -> Row:
    for name in REQUIRED:
        if not values[name]:
            raise DataError(
                f"{path}, line {number}: the {name} is missing: fill it in or delete the row."
            )
    return Row(
        image=Path(values["image"]).as_posix(),
        label=values["label"],
        split=_split(path, number, values.get("split", "")),
        patient_id=values.get("patient_id") or None,
        fold=_fold(path, number, values.get("fold", "")),
        boxes=_boxes(path, number, values),
        others=tuple((k, v) for k, v in values.items() if k not in (*REQUIRED, *OPTIONAL) and k),
    )


def _split(path: Path, number: int, text: str) -> Part | None:
    if not text:
        return None
    try:
        return SPLIT_NAMES[squeeze(text)]
    except KeyError:
        raise DataError(
            f"{path}, line {number}: the split '{text}' is not train, validation or test."
        ) from None


def _fold(path: Path, number: int, text: str) -> int | None:
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        message = f"{path}, line {number}: the fold '{text}' is not a whole number."
        raise DataError(message) from None


def _boxes(path: Path, number: int, values: Mapping[str, str]) -> tuple[Box, ...]:
    texts = [values.get(name, "") for name in BOX]
    if not all(texts):
        return ()
    try:
        x, y, width, height = map(float, texts)
        box = make_box(x, y, width, height)
    except ValueError:
        box = None
    if box is None:
        raise DataError(
            f"{path}, line {number}: the box ({', '.join(texts)}) is not a centre and size in "
            "fractions of the image, each between 0 and 1."
        )
    return (box,)


def _refuse_spellings(path: Path, rows: Mapping[str, Row]) -> None:
    spellings: dict[str, str] = {}
    for row in rows.values():
        twin = spellings.setdefault(same_class(row.label), row.label)
        if twin != row.label:
            raise DataError(
                f"{path}: the labels '{twin}' and '{row.label}' name the same class: "
                "spell them alike."
            )


def _existing(path: Path, rows: tuple[Row, ...]) -> Manifest:
    root = path.parent
    lost = [row.image for row in rows if not (root / row.image).is_file()]
    if lost:
        raise DataError(
            f"{len(lost)} of the {len(rows)} images in {path} do not exist (the first is "
            f"{root / lost[0]}): paths are relative to the folder of the manifest; correct them "
            "or delete the rows."
        )
    layout = "manifest with boxes" if any(row.boxes for row in rows) else "manifest"
    return Manifest(root, layout, rows)
