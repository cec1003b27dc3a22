"""Data sets as people lay them out, to a Manifest. No image is decoded here but to tell masks.

Each layout is one class that recognises a tree and reads it; `LAYOUTS` holds them in the order in
which they are tried, and messages and documentation are made from it.
"""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from tumorscope.data.layouts.archive import is_archive, unpacked
from tumorscope.data.layouts.arrays import MatFiles, NpzFile
from tumorscope.data.layouts.coco import Coco
from tumorscope.data.layouts.detection import Detection, Layout
from tumorscope.data.layouts.file_names import FileNames
from tumorscope.data.layouts.folders import ClassFolders
from tumorscope.data.layouts.patient_names import with_named_patients
from tumorscope.data.layouts.scans import open_scans
from tumorscope.data.layouts.table import Tables, read_table
from tumorscope.data.layouts.tree import Tree, describe, walk
from tumorscope.data.layouts.voc import PascalVoc
from tumorscope.data.layouts.yolo import YoloTree
from tumorscope.errors import DataError
from tumorscope.records import Manifest, common_reasons
from tumorscope.schema.layout import UNSAID, LayoutOptions

__all__ = ["LAYOUTS", "LayoutOptions", "find_layout", "read_manifest", "refuse_missing"]

LAYOUTS: tuple[Layout, ...] = (
    Tables(),
    ClassFolders(),
    YoloTree(),
    Coco(),
    PascalVoc(),
    FileNames(),
    MatFiles(),
    NpzFile(),
)


def read_manifest(data: str | Path, options: LayoutOptions = UNSAID) -> Manifest:
    """Find out which layout `data` has and list its images.

    Args:
        data: a folder, a table, or an archive of a folder.
        options: what the user says where the layout leaves something open.

    Raises:
        DataError: nothing is there, no layout fits, or more than one reading does; the message
            says what was found and what to do.
    """
    path = Path(data)
    refuse_missing(path)
    manifest = _read(path, options)
    if not manifest.rows:
        said = common_reasons(manifest.left_out) or "there are none"
        raise DataError(
            f"No image in {path} has a class: {said}. 'tumorscope layouts' lists what can be read."
        )
    return with_named_patients(manifest, options.name_patients)


def _read(path: Path, options: LayoutOptions) -> Manifest:
    """Read a table, an archive or a folder by the layout that fits it."""
    if path.suffix.lower() == ".npz" and path.is_file():
        return NpzFile().read(Tree(path.parent, (path.name,)), options)
    if path.is_file() and not is_archive(path):
        return _with_slices(read_table(path, options), options)
    tree = walk(unpacked(path) if path.is_file() else path)
    if len(tree.files) == 1 and is_archive(Path(tree.files[0])):
        tree = walk(unpacked(tree.root / tree.files[0]))
    if tree.scans and not tree.images:
        if _names_scans(tree, options):
            return _with_slices(Tables().read(tree, options), options)
        return _read_scans(tree, options, path)
    layout, _ = find_layout(tree, options, path)
    return layout.read(tree, options)


def _read_scans(tree: Tree, options: LayoutOptions, shown: Path) -> Manifest:
    """Read what a scanner wrote by the layout that fits the pictures made of it."""
    scans = open_scans(tree, options)
    if not scans.slices:
        said = common_reasons(scans.tree.left_out)
        raise DataError(f"None of the {scans.scans} files of a scanner in {shown} is used: {said}.")
    if scans.name_patients:
        options = replace(options, patient_folders=False, name_patients=False)
    layout, _ = find_layout(scans.tree, options, shown)
    return scans.described(layout.read(scans.tree, options))


def _names_scans(tree: Tree, options: LayoutOptions) -> bool:
    """Say whether tables of a tree name its scans."""
    with suppress(DataError):  # a table that cannot be read is none
        return Tables().detect(tree, options) is not None
    return False


def _with_slices(manifest: Manifest, options: LayoutOptions) -> Manifest:
    """Return a manifest with the slices of the scans that its rows name, where they name scans."""
    files = tuple(row.image for row in manifest.rows)
    tree = Tree(manifest.root, files)
    if not files or len(tree.scans) < len(files):
        return manifest
    return open_scans(tree, options).of_table(manifest)


def find_layout(tree: Tree, options: LayoutOptions, shown: Path) -> tuple[Layout, Detection]:
    """Return the first layout that a tree has, and what it was recognised by.

    Args:
        tree: the data set.
        options: what the user says.
        shown: what a message calls it.

    Raises:
        DataError: it has none, or may have one, in which case the message asks.
    """
    doubts: list[DataError] = []
    for layout in LAYOUTS:
        try:
            detection = layout.detect(tree, options)
        except DataError as doubt:  # asked about only where no other layout fits
            doubts.append(doubt)
            continue
        if detection is not None:
            return layout, detection
    if doubts:
        raise doubts[0]
    forms = "\n".join(f"  {layout.name:<24}{layout.form}" for layout in LAYOUTS)
    raise DataError(
        f"{shown} has no known layout{_what_lacks(tree)}.\nFound:\n{describe(tree)}\n"
        f"Known layouts:\n{forms}"
    )


def _what_lacks(tree: Tree) -> str:
    """Say what a tree without a layout lacks, as far as that can be told."""
    if tree.images:
        return f": nothing says the class of its {len(tree.images)} images"
    return ": it holds no image"


def refuse_missing(path: Path) -> None:
    """Refuse a path at which there is no data set to read.

    Raises:
        DataError: there is neither a file nor a folder.
    """
    if not path.is_file() and not path.is_dir():
        raise DataError(f"{path} does not exist: give a folder of images or a manifest CSV.")
