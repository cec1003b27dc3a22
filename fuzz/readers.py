"""Feed the readers of images and scans, and the bundle loader, with bytes that a fuzzer chooses.

    make fuzz                                  # or: fuzz/readers.py SECONDS [CORPUS]

Coverage-guided, by atheris. What the code refuses in words is fine; any other exception ends the
run and leaves the bytes in a file beside it.
"""

import contextlib
import gzip
import io
import sys
import tempfile
import zipfile
from pathlib import Path

import atheris
import nibabel
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage

with atheris.instrument_imports(include=["tumorscope", "PIL"]):
    from PIL import Image

    from tumorscope.data.phantom import Head, write_phantoms
    from tumorscope.data.read.dicom import open_dicom
    from tumorscope.data.read.image import FORMATS, decode_image
    from tumorscope.data.read.nifti import open_nifti
    from tumorscope.data.scans.series import group_objects
    from tumorscope.errors import TumorscopeError
    from tumorscope.inference.bundle import CARD, FILES, open_bundle

FOLDER = Path(tempfile.mkdtemp(prefix="tumorscope-fuzz-"))


def try_bytes(content: bytes) -> None:
    """Read bytes as an image, as a card and as a zip."""
    (FOLDER / CARD).write_bytes(content)
    (FOLDER / "bundle.zip").write_bytes(content)
    for read in (
        lambda: decode_image(content),
        lambda: try_series(content),
        lambda: [open_nifti(content).slice(0)],
        lambda: open_bundle(FOLDER),
        lambda: open_bundle(FOLDER / "bundle.zip").read("model.onnx"),
    ):
        with contextlib.suppress(TumorscopeError):
            read()


def try_series(content: bytes) -> list[int]:
    """Sort the frames of an object and decode the first of each series."""
    found = open_dicom(content)
    if found.refusal:
        return []
    series = group_objects([("x", found)])
    return [found.slice(own.frames[0].number).pixels.size for own in series]


def plant(seeds: Path) -> Path:
    """Write a small file of each kind that is read, to start from."""
    manifest = write_phantoms(FOLDER / "phantoms", patients=1, slices=1)
    picture = Image.open(next(manifest.parent.rglob("*.png"))).resize((24, 20))
    seeds.mkdir()
    for kind in FORMATS:
        picture.save(seeds / kind, kind)
    Image.new("I;16", (20, 9), 700).save(seeds / "deep", "PNG")
    Image.new("P", (20, 9), 7).save(seeds / "palette", "PNG", transparency=7)
    _plant_scans(seeds)
    with zipfile.ZipFile(seeds / "zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in FILES:
            archive.writestr(name, '{"format": 2, "classes": ["a", "b"]}')
    return seeds


def _plant_scans(seeds: Path) -> None:
    """Write small DICOM objects, of one frame and of three, and volumes."""
    pixels = np.asarray(Head("glioma", 1).slice(3).pixels, np.uint16)[::8, ::8]
    for name, own in (("one", pixels), ("three", np.stack([pixels] * 3))):
        (seeds / f"dicom-{name}").write_bytes(_dicom(own))
    volume = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
    content = nibabel.Nifti1Image(volume, np.eye(4)).to_bytes()
    (seeds / "nifti").write_bytes(content)
    (seeds / "nifti-gz").write_bytes(gzip.compress(content))
    (seeds / "mgh").write_bytes(nibabel.MGHImage(volume.astype(np.float32), np.eye(4)).to_bytes())


def _dicom(pixels: NDArray[np.uint16]) -> bytes:
    """Return an MR object."""
    own = Dataset()
    own.file_meta = FileMetaDataset()
    own.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    own.SOPClassUID = own.file_meta.MediaStorageSOPClassUID = MRImageStorage
    own.SOPInstanceUID = own.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3")
    own.SeriesInstanceUID, own.Modality = "1.2.4", "MR"
    own.ImagePositionPatient, own.ImageOrientationPatient = [0, 0, 1], [1, 0, 0, 0, 1, 0]
    own.PhotometricInterpretation, own.SamplesPerPixel = "MONOCHROME2", 1
    own.Rows, own.Columns = pixels.shape[-2:]
    own.BitsAllocated, own.BitsStored, own.HighBit, own.PixelRepresentation = 16, 12, 11, 0
    if pixels.ndim == 3:
        own.NumberOfFrames = len(pixels)
    own.PixelData = pixels.astype("<u2").tobytes()
    file = io.BytesIO()
    own.save_as(file, enforce_file_format=True)
    return file.getvalue()


def main() -> None:
    """Fuzz for so many seconds, from drawn slices and from what the caller adds."""
    seconds, *corpus = sys.argv[1:]
    seeds = plant(FOLDER / "seeds")
    atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", *corpus, str(seeds)], try_bytes)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
