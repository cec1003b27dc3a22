"""DICOM objects and series of the phantom, with identifiers planted in them."""

import io
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

from tumorscope.data.phantom import Head, Lesion

ANYTHING: dict[str, Any] = {"validation_mode": pydicom.config.IGNORE}  # as scanners write it
SECRETS = ("Muster", "Petra", "19561103", "ACC-4711", "hospital of somewhere")


def made(pixels: NDArray[np.uint16], **elements: Any) -> Dataset:
    """Return an MR object of one or several frames."""
    own = Dataset()
    own.file_meta = FileMetaDataset()
    own.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    own.SOPClassUID = own.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.4")
    own.SOPInstanceUID = own.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    own.Modality, own.PhotometricInterpretation = "MR", "MONOCHROME2"
    own.Rows, own.Columns = pixels.shape[-2:]
    own.SamplesPerPixel, own.PixelRepresentation = 1, 0
    own.BitsAllocated, own.BitsStored, own.HighBit = 16, 12, 11
    if pixels.ndim == 3:
        own.NumberOfFrames = len(pixels)
    own.PixelData = pixels.astype("<u2").tobytes()
    for name, value in elements.items():
        own.add(DataElement(tag_for_keyword(name) or 0, dictionary_VR(name), value, **ANYTHING))
    return own


def written(own: Dataset) -> bytes:
    """Return an object as a file has it."""
    file = io.BytesIO()
    own.save_as(file, enforce_file_format=True)
    return file.getvalue()


def write_series(
    folder: Path, lesion: Lesion, patient: int, slices: int = 12, **elements: Any
) -> None:
    """Write a phantom's slices as one series, under names that have another order."""
    folder.mkdir(parents=True, exist_ok=True)
    head, series, study = Head(lesion, patient), generate_uid(), generate_uid()
    numbers = count(1 + len(list(folder.iterdir())))
    for number in np.random.default_rng(patient).permutation(slices):
        own = made(
            np.asarray(head.slice(int(number)).pixels, np.uint16) * 12,
            SeriesInstanceUID=series,
            StudyInstanceUID=study,
            PatientID=f"Muster-{patient}",
            PatientName=f"Muster^Petra^{patient}",
            PatientBirthDate="19561103",
            AccessionNumber="ACC-4711",
            ImageComments="hospital of somewhere",
            SeriesDescription="Petra Muster axial",
            ImagePositionPatient=[0, 0, float(number) * 5],
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            InstanceNumber=int(number) + 1,
            **elements,
        )
        (folder / f"IM{next(numbers):04d}").write_bytes(written(own))  # as scanners call them
