"""Manifest tables: one row an image, or one for each of its boxes."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from tumorscope.data.layouts.boxes import make_box
from tumorscope.data.layouts.columns import MISSING, YES, Columns, find_columns, may_be_manifest
from tumorscope.data.layouts.detection import Detection
from tumorscope.data.layouts.folders import count_classes
from tumorscope.data.layouts.naming import part_of
from tumorscope.data.layouts.paths import Finder
from tumorscope.data.layouts.table_file import SUFFIXES, Sheet, read_sheet
from tumorscope.data.layouts.tree import Tree, kinds
from tumorscope.errors import DataError, MissingExtra
from tumorscope.records import Box, LeftOut, Manifest, Part, Row
from tumorscope.schema.labels import same_class
from tumorscope.schema.layout import LayoutOptions

BOX = ("x_center", "y_center", "width", "height")
TRIED = 40  # rows by which a table is recognised
DEEPEST = 4  # folders in which tables are looked for
FEW_LOST = 0.05  # of the images; with more, the table is of another set
NUMBER = re.compile(r"[+-]?\d+(\.0*)?")


@dataclass(frozen=True)
class _Table:
    """A table of a set, with what its columns say and the part that its place stands for."""

    sheet: Sheet
    columns: Columns
    part: Part | None


class Tables:
    """A table with a row an image, or one table a part."""

    name = "a manifest"
    form = "DATA.csv with the columns image,label and optionally patient_id,split,fold, …"

    def detect(self, tree: Tree, options: LayoutOptions) -> Detection | None:
        """Say that a table names images of the tree and their classes.

        Raises:
            DataError: there is a table that cannot be read.
        """
        problems: list[DataError] = []
        found = _tables(tree, options, problems)
        if not found and problems:
            raise problems[0]
        if not found or (not _says_all(tree, found) and _has_class_folders(tree, options)):
            return None
        names = ", ".join(str(path) for path in found)
        return Detection(f"{names} has a row for each image")

    def read(self, tree: Tree, options: LayoutOptions) -> Manifest:
        """Read the tables of a tree.

        Raises:
            DataError: as `read_table`; or several tables fit and none of them is named for a part.
        """
        paths = _tables(tree, options, [])
        parts = [_part_of_table(path) for path in paths]
        if len(paths) > 1 and not all(parts):
            raise DataError(
                f"{tree.root} holds several manifests ({', '.join(map(str, paths))}): give one of "
                "them in place of the folder."
            )
        manifest = read_tables(
            tree.root,
            [(path, part) for path, part in zip(paths, parts, strict=True)],
            options,
            tree,
        )
        return _accounted(manifest, tree, paths)


def _says_all(tree: Tree, paths: Sequence[PurePosixPath]) -> bool:
    """Say whether one table, with the plain names image and label, has a row for each image."""
    sheet = read_sheet(tree.root / paths[0])
    if len(paths) > 1 or not {"image", "label"} <= set(sheet.header):
        return False
    finder = Finder(tree.root, str(paths[0].parent), tree)
    return set(tree.images) <= {finder.find(text) for text in sheet.column("image")}


def _has_class_folders(tree: Tree, options: LayoutOptions) -> bool:
    try:
        return count_classes(tree, options) > 1
    except DataError:
        return False


def read_table(path: Path, options: LayoutOptions) -> Manifest:
    """Read one table; image paths are relative to the folder it lies in.

    Rows that repeat an image with the same label add a box each.

    Raises:
        DataError: no such table, a column missing, a value that cannot be, two labels for one
            image, or many images that do not exist.
    """
    return read_tables(path.parent, [(PurePosixPath(path.name), None)], options, None)


def read_tables(
    root: Path,
    paths: Sequence[tuple[PurePosixPath, Part | None]],
    options: LayoutOptions,
    tree: Tree | None,
) -> Manifest:
    """Read the tables of a set, each perhaps of a part.

    Raises:
        DataError: as `read_table`.
    """
    rows: dict[str, Row] = {}
    left_out: list[LeftOut] = []
    notes: list[str] = []
    for relative, part in paths:
        sheet = read_sheet(root / relative)
        table = _Table(sheet, find_columns(sheet, options.columns), part)
        finder = Finder(root, str(relative.parent), tree)
        for where, row in _rows(table, finder, options, left_out):
            _add(rows, row, where)
        notes += table.columns.notes
    _refuse_lost([path for path, _ in paths], rows, left_out)
    spelled, more = _one_spelling(rows.values())
    layout = "manifest with boxes" if any(row.boxes for row in spelled) else "manifest"
    return Manifest(root, layout, spelled, tuple(left_out), notes=(*dict.fromkeys(notes), *more))


def _rows(
    table: _Table, finder: Finder, options: LayoutOptions, left_out: list[LeftOut]
) -> Iterator[tuple[str, Row]]:
    """Yield the rows that can be used, each with its line; the others are left out."""
    sheet = table.sheet
    numeric = _numeric_columns(table)
    for number, cells in sheet.lines:
        values = dict(zip(sheet.header, cells, strict=True))
        texts = {m: values[column] for m, column in table.columns.names.items()}
        for meaning in numeric:
            texts[meaning] = _whole(texts[meaning])
        if not texts["image"]:
            raise DataError(
                f"{sheet.path}, line {number}: the image is missing: fill it in or delete the row."
            )
        label = texts.get("label", "") if not table.columns.one_hot else _hot(values, table.columns)
        image = finder.find(texts["image"])
        if image is None:
            left_out.append(LeftOut(texts["image"], LOST))
        elif label.casefold() in MISSING:
            left_out.append(LeftOut(image, "its label is missing"))
        elif label == SEVERAL:
            left_out.append(LeftOut(image, "it is of several classes"))
        else:
            where = f"{sheet.path}, line {number}"
            others = {k: v for k, v in values.items() if k and k not in table.columns.others}
            yield where, _row(where, image, label, texts, others, table.part, options)


LOST = "there is no such file, or several fit"
SEVERAL = "\0several"


def _row(
    where: str,
    image: str,
    label: str,
    texts: Mapping[str, str],
    others: Mapping[str, str],
    part: Part | None,
    options: LayoutOptions,
) -> Row:
    patient = texts.get("patient_id", "")
    return Row(
        image=image,
        label=label,
        split=_split(where, texts.get("split", ""), options) or part,
        patient_id=None if patient.casefold() in MISSING else patient,
        fold=_fold(where, texts.get("fold", "")),
        boxes=_boxes(where, texts),
        others=tuple(others.items()),
    )


def _numeric_columns(table: _Table) -> list[str]:
    """Return what is a number in every row, so that 1 and 1.0 are one."""
    found = []
    for meaning in ("label", "patient_id", "fold"):
        if meaning in table.columns.names:
            cells = table.sheet.column(table.columns.names[meaning])
            values = [cell for cell in cells if cell.casefold() not in MISSING]
            if values and all(NUMBER.fullmatch(value) for value in values):
                found.append(meaning)
    return found


def _whole(text: str) -> str:
    """Return a number without its point, what is missing as it is.

    >>> _whole("2.0"), _whole("-1"), _whole("nan")
    ('2', '-1', 'nan')
    """
    return text.split(".", maxsplit=1)[0] if NUMBER.fullmatch(text) else text


def _hot(values: Mapping[str, str], columns: Columns) -> str:
    """Return the class whose column says yes; nothing, or several, where it is not one."""
    hot = [name for name in columns.one_hot if values[name].casefold() in YES]
    return hot[0] if len(hot) == 1 else SEVERAL if hot else ""


def _add(rows: dict[str, Row], row: Row, where: str) -> None:
    """Add a row; one that repeats an image adds its boxes.

    Raises:
        DataError: the image has another label already.
    """
    known = rows.get(row.image)
    if known is not None and same_class(known.label) != same_class(row.label):
        raise DataError(
            f"{where}: {row.image} is labelled '{row.label}' here and '{known.label}' before: keep "
            "one."
        )
    rows[row.image] = row if known is None else replace(known, boxes=known.boxes + row.boxes)


def _split(where: str, text: str, options: LayoutOptions) -> Part | None:
    if text.casefold() in MISSING:
        return None
    part = options.parts.get(text) or part_of(text)
    if part is None:
        raise DataError(
            f"{where}: the split '{text}' is not train, validation or test: say what it is with "
            f"--part {text}=train (or validation, test)."
        )
    return part


def _fold(where: str, text: str) -> int | None:
    if text.casefold() in MISSING:
        return None
    try:
        return int(text)
    except ValueError:
        raise DataError(f"{where}: the fold '{text}' is not a whole number.") from None


def _boxes(where: str, texts: Mapping[str, str]) -> tuple[Box, ...]:
    values = [texts.get(name, "") for name in BOX]
    if any(value.casefold() in MISSING for value in values):
        return ()
    try:
        x, y, width, height = map(float, values)
        box = make_box(x, y, width, height)
    except ValueError:
        box = None
    if box is None:
        raise DataError(
            f"{where}: the box ({', '.join(values)}) is not a centre and size in fractions of the "
            "image, each between 0 and 1."
        )
    return (box,)


def _refuse_lost(
    paths: Sequence[PurePosixPath], rows: Mapping[str, Row], left_out: Sequence[LeftOut]
) -> None:
    """Refuse tables many of whose images are not there."""
    lost = [file.image for file in left_out if file.reason == LOST]
    total = len(rows) + len(left_out)
    if len(lost) > FEW_LOST * total:
        raise DataError(
            f"{len(lost)} of the {total} images in {', '.join(map(str, paths))} do not exist (the "
            f"first is {lost[0]}): they are looked for beside the table, then by the end of their "
            "path anywhere below it; correct the paths or delete the rows."
        )
    if not rows:
        raise DataError(f"{paths[0]} has no row with an image and a label: fill in the labels.")


def _one_spelling(rows: Iterable[Row]) -> tuple[tuple[Row, ...], list[str]]:
    """Give each class the spelling that most of its rows have, and say where others were."""
    rows = tuple(rows)
    counts = Counter(row.label for row in rows)
    best: dict[str, str] = {}
    for label, _ in counts.most_common():
        best.setdefault(same_class(label), label)
    others = [f"{label} for {own}" for label in counts if (own := best[same_class(label)]) != label]
    spelled = tuple(replace(row, label=best[same_class(row.label)]) for row in rows)
    return spelled, [f"One class under two spellings: {', '.join(others)}."] if others else []


def _tables(tree: Tree, options: LayoutOptions, problems: list[DataError]) -> list[PurePosixPath]:
    """Return the tables of a tree that name images of it, and why others cannot be read."""
    fitting = []
    for text in tree.files:
        path = PurePosixPath(text)
        if path.suffix.lower() in SUFFIXES and len(path.parts) <= DEEPEST:
            fit = _fit(tree, path, options, problems)
            if fit is not None:
                fitting.append((path, fit))
    plain = [path for path, is_plain in fitting if is_plain]
    return plain if len(plain) == 1 else [path for path, _ in fitting]


def _fit(
    tree: Tree, path: PurePosixPath, options: LayoutOptions, problems: list[DataError]
) -> bool | None:
    """Say whether a table has the plain names image and label; None where it is no manifest."""
    try:
        sheet = read_sheet(tree.root / path)
    except (DataError, MissingExtra) as problem:
        if path.suffix.lower() != ".txt":
            problems.append(DataError(str(problem)))
        return None
    if not may_be_manifest(sheet, options.columns):
        return None
    try:
        columns = find_columns(sheet, options.columns)
    except DataError as problem:
        problems.append(problem)
        return None
    finder = Finder(tree.root, str(path.parent), tree)
    found = [finder.find(text) for text in sheet.column(columns.names["image"])[:TRIED] if text]
    if sum(one is not None for one in found) * 2 <= len(found):
        return None
    return {"image", "label"} <= set(sheet.header)


def _part_of_table(path: PurePosixPath) -> Part | None:
    """Return the part that a table's name or its folder stands for."""
    named = (part_of(step) for step in (path.stem, *reversed(path.parts[:-1])))
    return next((part for part in named if part), None)


def _accounted(manifest: Manifest, tree: Tree, paths: Sequence[PurePosixPath]) -> Manifest:
    """Return a manifest that says what becomes of every other file of the tree."""
    used = {row.image for row in manifest.rows} | {file.image for file in manifest.left_out}
    used |= {str(path) for path in paths}
    unused = [path for path in tree.files if path not in used]
    images = set(tree.images)
    left_out = [LeftOut(path, "no row names it") for path in unused if path in images]
    return replace(
        manifest,
        left_out=(*tree.left_out, *manifest.left_out, *left_out),
        strays=tree.strays,
        passed_over={
            **kinds(path for path in unused if path not in images),
            "manifest": len(paths),
        },
    )
