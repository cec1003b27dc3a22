"""Copy DICOM images without what says whose they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tumorscope.data.layouts import refuse_missing
from tumorscope.data.layouts.tree import walk
from tumorscope.data.read.nifti import ENDINGS
from tumorscope.data.scans.profile import DeidentifyOptions
from tumorscope.errors import DataError, UnreadableImage, UsageError
from tumorscope.records import LeftOut
from tumorscope.support.extras import require_extra
from tumorscope.support.files import explained, refuse_inside, replacing, write_csv
from tumorscope.support.progress import Progress, default_progress

REPORT = "deidentification.csv"


@dataclass(frozen=True)
class Deidentified:
    """What de-identifying came to.

    Attributes:
        folder: where the images lie, a folder a patient and a series, with the report.
        images: how many were written.
        actions: how many elements of each name came to what.
        left_out: the files that were not taken, and why.
    """

    folder: Path
    images: int
    actions: Mapping[tuple[str, str], int]
    left_out: tuple[LeftOut, ...]


def deidentify(
    data: str | Path,
    out: str | Path,
    *,
    options: DeidentifyOptions | None = None,
    progress: Progress | None = None,
) -> Deidentified:
    """Copy the DICOM images of a folder without what says whose they are.

    By the Basic Profile of PS3.15, Annex E: text and identifying elements are emptied, replaced or
    removed at every depth, UIDs mapped to the same new ones wherever they stand, private elements
    removed but for a few that hold numbers. The patient becomes a pseudonym, by the user's salt.

    Args:
        data: a folder, which is only read, or one file.
        out: a new folder.
        options: of the profile; `DeidentifyOptions()` unless given.
        progress: where to report; bars in a notebook and nothing elsewhere unless given.

    Raises:
        MissingExtra: what reads DICOM is not installed.
        UsageError: `out` is there already, or cannot be written to.
        DataError: there is no DICOM image.
    """
    require_extra("dicom", "tumorscope deidentify")
    from tumorscope.data.scans.deidentify import Deidentifier

    source, folder = Path(data), Path(out)
    refuse_missing(source)
    if options is not None and options.dates not in ("shift", "remove"):
        raise UsageError(f"dates={options.dates!r}: choose shift or remove.")
    refuse_inside(folder, source)
    if folder.exists() and (folder.is_file() or any(folder.iterdir())):
        raise UsageError(f"{folder} exists: choose a new folder; nothing is ever overwritten.")
    tree = walk(source) if source.is_dir() else None
    root = source if tree else source.parent
    files = [f for f in (tree.scans if tree else [source.name]) if not f.lower().endswith(ENDINGS)]
    if not files:
        raise DataError(f"There is no DICOM file in {source}; NIfTI volumes are not de-identified.")
    treat = Deidentifier(options or DeidentifyOptions())
    left_out: list[LeftOut] = []
    with (progress or default_progress()).task("de-identifying", len(files), "files") as task:
        for name in files:
            try:
                _write(treat(root / name), folder)
            except UnreadableImage as error:
                left_out.append(LeftOut(name, str(error)))
            task.advance(1)
    if len(left_out) == len(files):
        raise DataError(f"No image of {source} was taken: {left_out[0].reason}.")
    lines = [(name, done, count) for (name, done), count in sorted(treat.actions.items())]
    write_csv(folder / REPORT, ("element", "what became of it", "elements"), lines)
    return Deidentified(folder, len(files) - len(left_out), treat.actions, tuple(left_out))


def _write(own: object, folder: Path) -> None:
    """Write an object below the folder of its patient and its series, by its new UIDs."""
    header = own  # a pydicom Dataset
    patient = str(getattr(header, "PatientID", "")) or "unknown"
    series, instance = (
        str(getattr(header, name, ""))[-12:] for name in ("SeriesInstanceUID", "SOPInstanceUID")
    )
    path = folder / patient / f"series-{series}" / f"{instance}.dcm"
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with explained(path), replacing(path) as temporary:
        header.save_as(temporary, enforce_file_format=True)  # type: ignore[attr-defined]
