"""What a scanner writes, DICOM objects and NIfTI volumes, as a tree of pictures.

Folders keep their names, so that classes, parts and patients are found in them as in any tree. Each
series becomes a folder of pictures in the cache, made once.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, fields, replace
from functools import partial
from pathlib import Path, PurePosixPath

from PIL import Image

from tumorscope.data.layouts.boxes import make_box
from tumorscope.data.layouts.kept import made_once, state_of
from tumorscope.data.layouts.tree import Tree, walk
from tumorscope.data.scans.pseudonyms import pseudonym
from tumorscope.data.scans.stacks import ScanOptions, Stack, open_stacks
from tumorscope.errors import UnreadableImage
from tumorscope.records import LeftOut, Manifest, Row, SeriesFacts
from tumorscope.schema.layout import LayoutOptions
from tumorscope.support.files import CACHE, explained, read_csv, write_csv

VERSION = 5  # of the pictures in the cache
BOX = ("x_center", "y_center", "width", "height")
KEPT = ("series", "plane", "position_mm")  # become columns of the manifest
SLICES = ("image", "file", "patient", *KEPT, *BOX)
SERIES = tuple(each.name for each in fields(SeriesFacts))
LEFT_OUT = ("image", "reason", "files")


@dataclass(frozen=True)
class Scans:
    """The slices that scans were turned into.

    Attributes:
        tree: the folder in the cache, with what could not be read in its `left_out`.
        slices: what is known of each picture, by its path.
        scans: how many files of a scanner there were.
        series: what the headers of each series say.
    """

    tree: Tree
    slices: dict[str, dict[str, str]]
    scans: int
    series: tuple[SeriesFacts, ...] = ()

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
        notes = (*manifest.notes, note)
        return replace(manifest, rows=rows, notes=notes, series=self.series)

    def of_table(self, manifest: Manifest) -> Manifest:
        """Return a manifest of the pictures from one whose rows are the scans."""
        named = {row.image: row for row in manifest.rows}
        pictures = [
            replace(named[line["file"]], image=image) for image, line in self.slices.items()
        ]
        left_out = (*manifest.left_out, *self.tree.left_out)
        own = replace(manifest, root=self.tree.root, rows=tuple(pictures), left_out=left_out)
        said = {row.image: row.patient_id for row in pictures}
        found = self.described(own)
        # Whose a slice is says the table, which a user wrote, before the scan.
        rows = tuple(replace(r, patient_id=said[r.image] or r.patient_id) for r in found.rows)
        return replace(found, rows=rows)

    def _row(self, row: Row) -> Row:
        line = self.slices.get(row.image)
        if line is None:
            return row
        x, y, width, height = (line[name] for name in BOX)
        box = make_box(float(x), float(y), float(width), float(height)) if width else None
        return replace(
            row,
            patient_id=line["patient"] or row.patient_id,
            boxes=(box,) if box else row.boxes,
            others=(*row.others, *((name, line[name]) for name in KEPT)),
        )


def open_scans(tree: Tree, options: LayoutOptions) -> Scans:
    """Turn the scans of a tree into pictures, unless that was done before.

    Raises:
        MissingExtra: what reads them is not installed.
    """
    salted = pseudonym("key", "")  # other pseudonyms under another salt
    how = ScanOptions(options.plane, options.keep_identifiers)
    key = (VERSION, salted, how, str(tree.root.resolve()), state_of(tree.root, tree.scans))
    folder = made_once(key, lambda new: _write(new, tree.root, tree.scans, how))
    bad = tuple(
        LeftOut(line["image"], line["reason"], int(line["files"]))
        for line in read_csv(folder / "left-out.csv")
    )
    found = replace(walk(folder / "pictures"), left_out=(*tree.left_out, *bad), strays=tree.strays)
    slices = {line["image"]: line for line in read_csv(folder / "slices.csv")}
    series = tuple(_facts(line) for line in read_csv(folder / "series.csv"))
    return Scans(found, slices, len(tree.scans), series)


def _facts(line: dict[str, str]) -> SeriesFacts:
    """Return a line of the table of series as what it says."""
    strength = line["field_strength"]
    return SeriesFacts(
        line["name"],
        line["folder"],
        int(line["slices"]),
        int(line["doubled"]),
        int(line["missing"]),
        uneven=line["uneven"] == "True",
        scanner=line["scanner"],
        field_strength=float(strength) if strength else None,
        identifiers=int(line["identifiers"]),
    )


def _write(folder: Path, root: Path, files: Sequence[str], options: ScanOptions) -> None:
    """Write the pictures of the slices that count, their table, and that of unused files."""
    slices: list[tuple[object, ...]] = []
    series: list[SeriesFacts] = []
    left_out: list[LeftOut] = []
    (folder / "pictures").mkdir()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for stack in open_stacks(root, files, options):
            if isinstance(stack, LeftOut):
                left_out.append(stack)
                continue
            write = partial(_write_slice, folder / "pictures", stack)
            wrote = dict(zip(stack.chosen, pool.map(write, stack.chosen), strict=True))
            slices += [found for found in wrote.values() if isinstance(found, tuple)]
            left_out += _unused(stack, wrote)
            series += [stack.facts] if stack.facts else []
    write_csv(folder / "slices.csv", SLICES, slices)
    lines = [tuple("" if v is None else v for v in astuple(facts)) for facts in series]
    write_csv(folder / "series.csv", SERIES, lines)
    write_csv(folder / "left-out.csv", LEFT_OUT, [(f.image, f.reason, f.files) for f in left_out])


def _write_slice(folder: Path, stack: Stack, number: int) -> tuple[object, ...] | LeftOut:
    """Write one slice and return its line in the table."""
    try:
        pixels = stack.read(number).pixels
    except UnreadableImage as error:
        return LeftOut(stack.files[number], str(error))
    home = PurePosixPath(stack.folder) / PurePosixPath(stack.name).name
    name = str(home / f"{number + 1:04d}.png")
    with explained(folder / name, CACHE):
        (folder / home).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / name, compress_level=1)
    box, place = stack.boxes.get(number), stack.positions[number]
    return (
        *(name, stack.files[number], stack.patient, stack.name, stack.plane),
        "" if place is None else f"{place:.2f}",
        *([getattr(box, side) for side in BOX] if box else [""] * len(BOX)),
    )


def _unused(stack: Stack, wrote: Mapping[int, tuple[object, ...] | LeftOut]) -> Iterator[LeftOut]:
    """Yield the files of a stack of which no slice is used; those that do not count as one."""
    used = {stack.files[number] for number, found in wrote.items() if isinstance(found, tuple)}
    failed = {found.image: found for found in wrote.values() if isinstance(found, LeftOut)}
    yield from (found for file, found in failed.items() if file not in used)
    if others := set(stack.files) - used - set(failed):
        yield LeftOut(min(others), "outside the middle third", len(others))
