"""What a scanner writes, DICOM objects and NIfTI volumes, as a tree of pictures.

Folders keep their names, so that classes, parts and patients are found in them as in any tree. Each
series becomes a folder of 16-bit pictures in the cache, made once; of what the headers say, only
pseudonyms and places are kept.
"""

import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tumorscope.data.layouts.boxes import make_box
from tumorscope.data.layouts.kept import made_once, state_of
from tumorscope.data.layouts.tree import Tree, walk
from tumorscope.data.read.dicom import DicomObject, open_dicom
from tumorscope.data.read.image import read_bytes
from tumorscope.data.read.nifti import ENDINGS, Volume, open_nifti
from tumorscope.data.scans.pseudonyms import pseudonym
from tumorscope.data.scans.series import Series, group_objects, slices_that_count
from tumorscope.errors import UnreadableImage
from tumorscope.records import Box, LeftOut, Manifest, Row
from tumorscope.support.extras import require_extra
from tumorscope.support.files import CACHE, explained, read_csv, write_csv

VERSION = 1  # of the pictures in the cache
BOX = ("x_center", "y_center", "width", "height")
COLUMNS = ("image", "reason", "files", "patient", "series", "plane", "position_mm", *BOX)
SEGMENTED = "_seg"  # ends the name of a volume that marks the lesions of those beside it
SUBJECT = re.compile(r"sub-[a-z0-9]+|.*\d(?=_(t1|t1ce|t1gd|t1c|t2|t2f|t2w|t1n|flair|seg)$)", re.I)


@dataclass(frozen=True)
class _Picture:
    """One slice to be written, or files of which there is none."""

    name: str
    pixels: NDArray[np.float32] | None = None
    reason: str = ""
    files: int = 1
    patient: str = ""
    series: str = ""
    plane: str = ""
    position: str = ""
    box: Box | None = None

    @property
    def line(self) -> tuple[object, ...]:
        """Its line in the table of slices."""
        box = [getattr(self.box, name) for name in BOX] if self.box else [""] * len(BOX)
        return (
            *(self.name, self.reason, self.files, self.patient),
            *(self.series, self.plane, self.position, *box),
        )


@dataclass(frozen=True)
class Scans:
    """The slices that scans were turned into.

    Attributes:
        tree: the folder in the cache, with what could not be read in its `left_out`.
        slices: what is known of each picture, by its path.
        scans: how many files of a scanner there were.
    """

    tree: Tree
    slices: dict[str, dict[str, str]]
    scans: int

    @property
    def name_patients(self) -> bool:
        """Whether every slice has a patient by its header or by the name of its volume."""
        return all(line["patient"] for line in self.slices.values())

    def described(self, manifest: Manifest) -> Manifest:
        """Return a manifest of the pictures with what the scans say of each."""
        rows = tuple(self._row(row) for row in manifest.rows)
        series = {self.slices[row.image]["series"] for row in rows if row.image in self.slices}
        note = (
            f"{self.scans} files of a scanner hold {len(series)} series; of a series of 10 slices "
            "or more, those that a segmentation marks count, or else the middle third."
        )
        return replace(manifest, rows=rows, notes=(*manifest.notes, note))

    def _row(self, row: Row) -> Row:
        line = self.slices.get(row.image)
        if line is None:
            return row
        others = tuple((name, line[name]) for name in ("series", "plane", "position_mm"))
        x, y, width, height = (line[name] for name in BOX)
        box = make_box(float(x), float(y), float(width), float(height)) if width else None
        return replace(
            row,
            patient_id=line["patient"] or row.patient_id,
            boxes=(box,) if box else row.boxes,
            others=(*row.others, *others),
        )


def open_scans(tree: Tree) -> Scans:
    """Turn the scans of a tree into pictures, unless that was done before.

    Raises:
        MissingExtra: what reads them is not installed.
    """
    files = tree.scans
    volumes = [path for path in files if path.lower().endswith(ENDINGS)]
    objects = sorted(set(files) - set(volumes))
    if objects:
        require_extra("dicom", "Reading DICOM")
    if volumes:
        require_extra("nifti", "Reading NIfTI")
    salted = pseudonym("key", "")  # other pseudonyms under another salt
    key = (VERSION, salted, str(tree.root.resolve()), state_of(tree.root, files))
    folder = made_once(key, lambda new: _write(new, tree.root, objects, volumes))
    lines = read_csv(folder / "slices.csv")
    bad = tuple(
        LeftOut(line["image"], line["reason"], int(line["files"]))
        for line in lines
        if line["reason"]
    )
    found = walk(folder / "pictures")
    slices = {line["image"]: line for line in lines if not line["reason"]}
    left_out = (*tree.left_out, *bad)
    return Scans(replace(found, left_out=left_out, strays=tree.strays), slices, len(files))


def _write(folder: Path, root: Path, objects: Sequence[str], volumes: Sequence[str]) -> None:
    """Write pictures and their table."""
    lines = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for pictures in (_of_objects(root, objects, pool), _of_volumes(root, volumes)):
            for own in pictures:
                if own.pixels is not None:
                    _save(folder / "pictures" / own.name, own.pixels)
                lines.append(own.line)
    (folder / "pictures").mkdir(exist_ok=True)
    write_csv(folder / "slices.csv", COLUMNS, lines)


def _save(path: Path, pixels: NDArray[np.float32]) -> None:
    """Write grey levels as 16 bits; the brightest is 65535, so that reading scales by nothing."""
    with explained(path, CACHE):
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = np.rint(pixels * 257).astype(np.uint16)
        Image.fromarray(whole).save(path, compress_level=1)


def _of_objects(root: Path, files: Sequence[str], pool: ThreadPoolExecutor) -> Iterator[_Picture]:
    """Yield the slices of DICOM objects that count, series by series."""
    headers: list[tuple[str, DicomObject]] = []
    for path, own in zip(files, pool.map(lambda p: _header(root / p), files), strict=True):
        if isinstance(own, str):
            yield _Picture(path, reason=own)
        elif own.refusal:
            yield _Picture(path, reason=own.refusal)
        else:
            headers.append((path, own))
    for series in group_objects(headers):
        chosen = slices_that_count(len(series.frames))
        yield from pool.map(lambda n, own=series: _frame(root, own, n), chosen)
        used = {series.frames[n].file for n in chosen}
        unused = {frame.file for frame in series.frames} - used
        if unused:
            yield _Picture(min(unused), reason="outside the middle third", files=len(unused))


def _header(path: Path) -> DicomObject | str:
    """Return an object's header, or why it has none."""
    try:
        return open_dicom(read_bytes(path), pixels=False)
    except UnreadableImage as error:
        return str(error)


def _frame(root: Path, series: Series, number: int) -> _Picture:
    """Decode one slice of a series."""
    frame = series.frames[number]
    try:
        pixels = open_dicom(read_bytes(root / frame.file)).slice(frame.number).pixels
    except UnreadableImage as error:
        return _Picture(frame.file, reason=str(error))
    name = pseudonym("series", series.uid)
    return _Picture(
        str(PurePosixPath(series.folder, name, f"{number + 1:04d}.png")),
        pixels.astype(np.float32),
        patient=pseudonym("patient", series.patient) if series.patient else "",
        series=name,
        plane=series.plane,
        position="" if frame.place is None else f"{frame.place:.2f}",
    )


def _of_volumes(root: Path, files: Sequence[str]) -> Iterator[_Picture]:
    """Yield the slices of volumes that count."""
    marked = {path for path in files if _stem(path).lower().endswith(SEGMENTED)}
    for path in files:
        if path in marked:
            continue
        try:
            volume = open_nifti(read_bytes(root / path))
            yield from _of_volume(path, volume, _lesions(root, path, marked, volume))
        except UnreadableImage as error:
            yield _Picture(path, reason=str(error))
    for path in sorted(marked):
        yield _Picture(path, reason="a segmentation, read beside the volumes that it marks")


def _of_volume(path: str, volume: Volume, lesions: Volume | None) -> Iterator[_Picture]:
    """Yield the slices of one volume: those that show a lesion, or the middle third."""
    chosen: Sequence[int] = slices_that_count(len(volume))
    if lesions is not None:
        chosen = [n for n in range(len(volume)) if lesions.picture(n).any()] or chosen
    stem = _stem(path)
    subject = SUBJECT.match(stem)
    for number in chosen:
        yield _Picture(
            str(PurePosixPath(path).parent / stem / f"{number + 1:04d}.png"),
            np.asarray(volume.slice(number).pixels, np.float32),
            patient=subject[0] if subject else stem,
            series=stem,
            plane=volume.plane,
            position=f"{number * volume.spacing[volume.axis]:.2f}",
            box=None if lesions is None else _box(lesions.picture(number)),
        )


def _lesions(root: Path, path: str, marked: set[str], volume: Volume) -> Volume | None:
    """Return the segmentation beside a volume, where there is one of its shape."""
    folder, stem = PurePosixPath(path).parent, _stem(path)
    found = SUBJECT.match(stem)
    for base in {stem, found[0] if found else stem}:
        for other in marked:
            beside = PurePosixPath(other).parent == folder
            if beside and _stem(other).lower() == f"{base}{SEGMENTED}".lower():
                own = open_nifti(read_bytes(root / other))
                return own if own.levels.shape == volume.levels.shape else None
    return None


def _box(mask: NDArray[Any]) -> Box | None:
    """Return the rectangle around what a mask marks."""
    down, right = np.nonzero(mask)
    if not len(down):
        return None
    (top, bottom), (left, end) = ((n.min(), n.max() + 1) for n in (down, right))
    high, wide = mask.shape
    middle = (float(left + end) / 2 / wide, float(top + bottom) / 2 / high)
    return make_box(*middle, float(end - left) / wide, float(bottom - top) / high)


def _stem(path: str) -> str:
    name = PurePosixPath(path).name
    ending = next(end for end in sorted(ENDINGS, key=len)[::-1] if name.lower().endswith(end))
    return name[: -len(ending)]
