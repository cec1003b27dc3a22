"""DICOM objects to slices and to where they lie.

No text of a header is ever repeated in a message: it may name the patient.
"""

import logging
import math
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from tumorscope.data.read.geometry import Geometry
from tumorscope.data.read.intensity import normalise
from tumorscope.errors import UnreadableImage
from tumorscope.records import Slice
from tumorscope.support.extras import require_extra

Found = TypeVar("Found")

MAX_PIXELS = 40_000_000  # of one frame
MAX_FRAMES = 100_000
MOST_INFLATED = 10  # times that a deflated object may be larger than its file
MOST_SQUEEZED = 200  # times that a frame may be larger than its compressed form
SMALL = 16_000_000  # bytes that it may always have
BEGINNING = 4096  # bytes, with the transfer syntax among them
DEFLATED = b"1.2.840.10008.1.2.1.99"
FIRST_ELEMENTS = {0x0000, 0x0001, 0x0005, 0x0008, 0x0012, 0x0013, 0x0014, 0x0016, 0x0018}
MODALITIES = ("MR", "OT")  # OT says nothing: pictures that were wrapped in DICOM have it
HEAD_PARTS = {"HEAD", "BRAIN", "SKULL", "HEADNECK", "NEURO", "WHOLEBODY"}
# A group's sequence, what it is called in an object of one frame, and what is read from it.
POSITION = ("PlanePositionSequence", "ImagePositionPatient")
ORIENTATION = ("PlaneOrientationSequence", "ImageOrientationPatient")
SPACING = ("PixelMeasuresSequence", "PixelSpacing")
MAKERS = ("Siemens", "GE", "Philips", "Canon", "Toshiba", "Hitachi", "Fujifilm", "United Imaging")
IDENTIFYING = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientAddress", "OtherPatientIDs"),
    *("PatientTelephoneNumbers", "AccessionNumber", "InstitutionName", "InstitutionAddress"),
    *("ReferringPhysicianName", "PerformingPhysicianName", "OperatorsName", "PatientComments"),
)


def is_dicom(content: bytes) -> bool:
    """Say whether bytes begin like a DICOM object, with its preamble or without."""
    if content[128:132] == b"DICM":
        return True
    for order in ("little", "big"):
        group, element = (int.from_bytes(content[at : at + 2], order) for at in (0, 2))
        if group in (0x0002, 0x0008) and element in FIRST_ELEMENTS:
            length = int.from_bytes(content[4:8], order)
            return content[4:6].isalpha() or length <= 128
    return False


@dataclass(frozen=True)
class DicomObject:
    """One DICOM file.

    Attributes:
        header: its elements, as pydicom reads them.
    """

    header: Any

    @cached_property
    def tiles(self) -> int:
        """How many slices each picture is a mosaic of; 1 where it is none."""
        if "MOSAIC" not in self.kinds:
            return 1
        return self._whole((0x0019, 0x100A), 1)

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """The words of `ImageType`, such as `ORIGINAL`, `LOCALIZER`, `MOSAIC`."""
        value = self._get("ImageType") or ()
        return tuple(str(word).upper() for word in ([value] if isinstance(value, str) else value))

    @property
    def frames(self) -> int:
        """How many slices it holds."""
        return self._pictures * self.tiles

    @property
    def pixels(self) -> int:
        """How many pixels a frame claims to have."""
        return self._whole("Rows", 0) * self._whole("Columns", 0)

    @property
    def _pictures(self) -> int:
        return max(1, self._whole("NumberOfFrames", 1))

    @property
    def refusal(self) -> str:
        """Why its header says that it is no slice of a head on MRI; empty where it does not."""
        modality = str(self._get("Modality") or "MR").upper()
        part = str(self._get("BodyPartExamined") or "").upper().replace(" ", "")
        shown = modality if len(modality) == 2 else "another modality"
        reasons = {
            "a DICOMDIR (an index, not an image)": self._get("DirectoryRecordSequence") is not None,
            f"{shown}, not MR": modality not in MODALITIES,
            "a scout (localizer)": "LOCALIZER" in self.kinds,
            "not a head, by its BodyPartExamined": part
            and not any(name in part for name in HEAD_PARTS),
            "a colour image, not a greyscale slice": self._whole("SamplesPerPixel", 1) > 1,
            f"claims {self.frames:,} frames": self.frames > MAX_FRAMES,
        }
        return next((reason for reason, holds in reasons.items() if holds), "")

    @property
    def patient(self) -> str:
        """What tells the patient apart: to be hashed; empty where the header does not say."""
        number = str(self._get("PatientID") or "").strip()
        if number:
            return number
        name = str(self._get("PatientName") or "").strip(" ^")
        return f"{name}/{self._get('PatientBirthDate') or ''}" if name else ""

    @property
    def scanner(self) -> str:
        """The maker, where it is a known one, and `/` and the machine's names: to be hashed."""
        maker = str(self._get("Manufacturer") or "").upper()
        known = next((name for name in MAKERS if name.upper() in maker), "")
        names = ("Manufacturer", "ManufacturerModelName", "StationName", "DeviceSerialNumber")
        machine = "/".join(str(self._get(name) or "") for name in names)
        return f"{known or 'unknown maker'}/{machine}" if machine.strip("/") else ""

    @property
    def field_strength(self) -> float | None:
        """In tesla, None where the header does not say."""
        try:
            strength = float(self._get("MagneticFieldStrength"))
        except (TypeError, ValueError):
            return None
        return round(strength / 10_000 if strength > 100 else strength, 1)  # some write gauss

    @property
    def identifiers(self) -> int:
        """How many of the elements that say whose it is, and where it was made, have a value."""
        return sum(bool(str(self._get(name) or "").strip(" ^")) for name in IDENTIFYING)

    @property
    def series(self) -> str:
        """What tells the acquisition apart: to be hashed."""
        names = ("SeriesInstanceUID", "EchoTime", "TemporalPositionIdentifier")
        return "/".join(str(self._get(name) or "") for name in names)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of its pictures."""
        return self._whole("Rows", 0), self._whole("Columns", 0)

    @property
    def acquisition(self) -> str:
        """Which of several acquisitions of a series it belongs to; empty where unknown."""
        return str(self._get("AcquisitionNumber") or "")

    @property
    def number(self) -> int:
        """The instance number, 0 where there is none."""
        return self._whole("InstanceNumber", 0)

    def geometry(self, frame: int) -> Geometry | None:
        """Return where a frame lies; None where the header does not say."""
        if self.tiles > 1:
            return None
        try:
            position = self._element(frame, *POSITION)
            orientation = self._element(frame, *ORIENTATION)
            x, y, z = map(float, position)
            a, b, c, d, e, f = map(float, orientation)
            spacing = tuple(float(n) for n in self._element(frame, *SPACING) or ())
        except Exception:  # noqa: BLE001 (it is converted only now: a damaged one is none)
            return None
        found = Geometry((x, y, z), (a, b, c), (d, e, f), spacing)
        axes = np.array([found.across, found.down, found.normal.tolist()])
        upright = np.abs(np.linalg.norm(axes, axis=1) - 1) < 0.05
        return found if np.isfinite([x, y, z]).all() and upright.all() else None

    def levels(self, frame: int = 0) -> NDArray[Any]:
        """Return a frame as measured: with the modality's rescaling, before any window.

        Returns:
            Numbers of the type that the object needs, shape (height, width), or (height, width, 3)
            of uint8 where it is in colour.

        Raises:
            UnreadableImage: damaged, compressed in a way that cannot be read, or too large.
        """
        picture, tile = divmod(frame, self.tiles)
        whole = _guarded(lambda: self._decode(picture))
        if self.tiles == 1:
            return whole
        side = math.ceil(math.sqrt(self.tiles))
        high, wide = whole.shape[0] // side, whole.shape[1] // side
        row, column = divmod(tile, side)
        return whole[row * high : (row + 1) * high, column * wide : (column + 1) * wide]

    def slice(self, frame: int = 0) -> Slice:
        """Return a frame as every part of the product sees it: upright, its levels scaled.

        Raises:
            UnreadableImage: as `levels`.
        """
        return _guarded(lambda: self._slice(frame))

    def _slice(self, frame: int) -> Slice:
        values, geometry = self.levels(frame), self.geometry(frame)
        if geometry is not None:
            values = geometry.upright(values)
        if values.ndim == 3:
            weights = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R 601-2, as for pictures
            spread = np.ptp(values, axis=2).max()
            grey = np.rint(values @ weights).astype(np.uint8)
            return Slice(grey, "DICOM", "RGB", "", int(spread))
        values = values.astype(np.float32)
        padding = self._get("PixelPaddingValue")
        if padding is not None:
            outside = values == np.float32(self._rescaled(np.array([[padding]]), frame)[0, 0])
            if outside.any() and not outside.all():
                values[outside] = values[~outside].min()
        if self._get("PhotometricInterpretation") == "MONOCHROME1":
            values = -values
        return Slice(normalise(values), "DICOM", "I;16")

    def _decode(self, picture: int) -> NDArray[Any]:
        from pydicom.pixels.processing import apply_color_lut  # noqa: PLC0415 (an extra)
        from pydicom.pixels.utils import pixel_array  # noqa: PLC0415

        if not self.pixels:
            raise UnreadableImage("a DICOM object without a picture")
        if self.pixels > MAX_PIXELS or self.frames > MAX_FRAMES:
            raise UnreadableImage(f"claims {self.frames:,} frames of {self.pixels:,} pixels")
        syntax = self.header.file_meta.TransferSyntaxUID
        content = self._get("PixelData") or b""
        size = self.pixels * self._whole("BitsAllocated", 16) // 8
        if size > max(SMALL, MOST_SQUEEZED * len(content)):
            raise UnreadableImage(f"claims {self.pixels:,} pixels a frame in a smaller file")
        try:
            found = pixel_array(self.header, index=picture)
        except (RuntimeError, NotImplementedError) as error:  # of every decoder that was tried
            raise UnreadableImage(f"cannot be decompressed ({_name(syntax)})") from error
        if self._get("PhotometricInterpretation") == "PALETTE COLOR":
            found = apply_color_lut(found, self.header)
            return (found // 257 if found.dtype == np.uint16 else found).astype(np.uint8)
        return found if found.ndim == 3 else self._rescaled(found, picture)

    def _rescaled(self, stored: NDArray[Any], frame: int) -> NDArray[Any]:
        """Return stored numbers as the modality means them."""
        from pydicom.pixels.processing import apply_modality_lut  # noqa: PLC0415

        slope, intercept = (
            self._element(frame, "PixelValueTransformationSequence", name)
            for name in ("RescaleSlope", "RescaleIntercept")
        )
        if self._get("ModalityLUTSequence") is None and slope is not None:
            return stored * float(slope) + float(intercept or 0)
        return np.asarray(apply_modality_lut(stored, self.header))

    def _element(self, frame: int, sequence: str, name: str) -> Any:
        """Return an element of a frame: from its own groups, the shared ones, or the object."""
        own = self._get("PerFrameFunctionalGroupsSequence") or ()
        shared = self._get("SharedFunctionalGroupsSequence") or ()
        for groups in (own[frame : frame + 1], shared[:1]):
            for group in groups:
                for item in group.get(sequence) or ():
                    if name in item:
                        return item.get(name)
        return self._get(name)

    def _get(self, name: Any) -> Any:
        """Return an element's value, None where it is missing or damaged."""
        try:
            return self.header.get(name)
        except Exception:  # noqa: BLE001 (it is converted only now, and its error would quote it)
            return None

    def _whole(self, name: Any, otherwise: int) -> int:
        """Return an element as a whole number."""
        found = self._get(name)
        value = getattr(found, "value", found)
        try:
            return otherwise if value is None else int(value)
        except (TypeError, ValueError):
            return otherwise


def open_dicom(content: bytes) -> DicomObject:
    """Read a DICOM object; its pixels are decoded when they are asked for.

    Args:
        content: the bytes of the file.

    Raises:
        UnreadableImage: no DICOM object, or a damaged one.
        MissingExtra: pydicom is not installed.
    """
    require_extra("dicom", "Reading DICOM")
    _silence_pydicom()
    _refuse_bomb(content)
    return _guarded(lambda: DicomObject(_read(BytesIO(content), pixels=True)))


def read_header(path: Path) -> DicomObject:
    """Read a file up to its pixels, which cannot be asked for.

    Raises:
        UnreadableImage: the file cannot be read, is no DICOM object, or a damaged one.
        MissingExtra: pydicom is not installed.
    """
    require_extra("dicom", "Reading DICOM")
    _silence_pydicom()
    try:
        with path.open("rb") as file:
            beginning = file.read(BEGINNING)
            if DEFLATED in beginning:  # all of it must be inflated
                return open_dicom(beginning + file.read())
            file.seek(0)
            return _guarded(lambda: DicomObject(_read(file, pixels=False)))
    except OSError as error:
        raise UnreadableImage(f"cannot be opened ({error.strerror})") from error


@lru_cache(maxsize=1)
def _silence_pydicom() -> None:
    """Keep values of headers out of logs and warnings, also of those that are read later."""
    import pydicom  # noqa: PLC0415 (an extra)

    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module="pydicom")


def _read(file: BinaryIO, *, pixels: bool) -> Any:
    import pydicom  # noqa: PLC0415 (an extra)

    header = pydicom.dcmread(file, force=True, stop_before_pixels=not pixels)
    if "TransferSyntaxUID" not in header.file_meta:  # a file without a preamble
        implicit, little = header.original_encoding
        plain = (
            pydicom.uid.ImplicitVRLittleEndian if implicit else pydicom.uid.ExplicitVRLittleEndian
        )
        header.file_meta.TransferSyntaxUID = plain if little else pydicom.uid.ExplicitVRBigEndian
    if "SOPClassUID" not in header and "Rows" not in header and not len(header):
        raise UnreadableImage("no DICOM object")
    return header


def _name(syntax: Any) -> str:
    """Return what the standard calls a transfer syntax."""
    return str(syntax.name) if syntax.is_valid and not syntax.is_private else "unknown syntax"


def _refuse_bomb(content: bytes) -> None:
    """Refuse a deflated object that would fill the memory."""
    start = 144 + int.from_bytes(content[140:144], "little")
    if content[128:132] != b"DICM" or DEFLATED not in content[144 : min(start, BEGINNING)]:
        return
    most = max(SMALL, MOST_INFLATED * len(content))
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = inflater.decompress(content[start:], most)
    except zlib.error as error:
        raise UnreadableImage("damaged DICOM object (deflated)") from error
    if len(inflated) >= most:
        raise UnreadableImage(f"deflated to less than one part in {MOST_INFLATED}: not opened")


def _guarded(read: Callable[[], Found]) -> Found:
    """Call a reader; what it raises may quote the header, and is not repeated."""
    try:
        return read()
    except UnreadableImage:
        raise
    except Exception as error:  # noqa: BLE001 (whatever a damaged object makes the readers raise)
        raise UnreadableImage(f"damaged DICOM object ({type(error).__name__})") from None
