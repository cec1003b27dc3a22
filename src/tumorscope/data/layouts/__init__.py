"""Folder layouts and manifest tables to a Manifest. No image is decoded here."""

from pathlib import Path

from tumorscope.data.layouts.folders import find_class_folders, read_class_folders
from tumorscope.data.layouts.listing import describe_folder, subfolders, visible_files
from tumorscope.data.layouts.table import find_table, read_table
from tumorscope.errors import DataError
from tumorscope.records import Manifest

__all__ = ["LAYOUTS", "read_manifest", "refuse_missing"]

MAX_DEPTH = 4
LAYOUTS = """\
  class folders       DATA/glioma/*.jpg, DATA/no_tumor/*.jpg
  published splits    DATA/Training/glioma/*.jpg, DATA/Testing/glioma/*.jpg
  with boxes          DATA/Train/glioma/images/*.jpg, DATA/Train/glioma/labels/*.txt
  a manifest          DATA.csv with the columns image,label and optionally
                      patient_id,split,fold,x_center,y_center,width,height"""


def read_manifest(data: str | Path) -> Manifest:
    """Find out which layout `data` has and list its images.

    Args:
        data: a folder or a manifest CSV. A set that lies in the only subfolder is found.

    Raises:
        DataError: nothing is there, or no layout fits; the message shows what was found and what
            the layouts look like.
    """
    path = Path(data)
    refuse_missing(path)
    return read_table(path) if path.is_file() else _in_folder(path)


def refuse_missing(path: Path) -> None:
    """Refuse a path at which there is no data set to read.

    Raises:
        DataError: there is neither a file nor a folder.
    """
    if not path.is_file() and not path.is_dir():
        raise DataError(f"{path} does not exist: give a folder of images or a manifest CSV.")


def _in_folder(top: Path) -> Manifest:
    folder = top
    for _ in range(MAX_DEPTH):
        class_folders = find_class_folders(folder)
        table = find_table(folder)
        if table is not None and len(class_folders) < 2:  # a folder next to a table is no class
            return read_table(table)
        if class_folders:
            return read_class_folders(folder)
        inner = subfolders(folder)
        if len(inner) != 1 or visible_files(folder):
            break
        folder = inner[0]
    raise DataError(
        f"{top} has no known layout.\nFound:\n{describe_folder(top)}\nKnown layouts:\n{LAYOUTS}"
    )
