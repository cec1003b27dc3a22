"""What becomes of pydicom's own test files, held against SimpleITK's reading of each.

python experiments/dicom_samples.py --save docs/results/dicom-samples.csv
"""

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import SimpleITK as sitk  # noqa: N813 (its own documentation calls it so)
from numpy.typing import NDArray

from tumorscope.data.read.dicom import DicomObject, is_dicom, open_dicom
from tumorscope.errors import UnreadableImage
from tumorscope.support.files import write_csv

SAMPLES = Path(pydicom.__file__).parent / "data" / "test_files"
COLUMNS = ("file", "transfer_syntax", "what_becomes_of_it", "simpleitk")
CLOSE = 1.0  # levels: decoders of lossy compression differ by rounding


def main() -> None:
    """Read each, compare, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--save", type=Path, required=True)
    asked = parser.parse_args()
    sitk.ProcessObject_SetGlobalWarningDisplay(False)
    rows = [
        (path.relative_to(SAMPLES).as_posix(), *become(path))
        for path in sorted(SAMPLES.rglob("*"))
        if path.is_file() and is_dicom(path.read_bytes())
    ]
    write_csv(asked.save, COLUMNS, rows)
    print(Counter((row[2].startswith("read"), row[3]) for row in rows))


def become(path: Path) -> tuple[str, str, str]:
    """Return what a file is, what becomes of it, and whether SimpleITK has the same levels."""
    try:
        found = open_dicom(path.read_bytes())
        levels = found.levels()
    except UnreadableImage as error:
        return "", f"refused: {error}", ""
    syntax = found.header.file_meta.TransferSyntaxUID.name
    said = f"read: {' × '.join(map(str, levels.shape))}"
    return syntax, said, compared(path, found, levels)


def compared(path: Path, found: DicomObject, levels: NDArray[Any]) -> str:
    """Say how another reader's levels of the first frame compare."""
    try:
        theirs = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    except RuntimeError:
        return "not read"
    first = theirs[0] if theirs.ndim > levels.ndim else theirs
    if first.shape != levels.shape:
        return f"another shape ({' × '.join(map(str, theirs.shape))})"
    apart = np.abs(first.astype(np.float64) - levels).max()
    if apart <= CLOSE:
        return "equal" if apart == 0 else "within rounding"
    inverted = found.header.get("PhotometricInterpretation") == "MONOCHROME1"
    return f"differs by up to {apart:g}" + (", counts from white" if inverted else "")


if __name__ == "__main__":
    main()
