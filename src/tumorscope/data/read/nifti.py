"""NIfTI and MGH volumes to slices, in the directions in which radiologists look at them."""

import gzip
import logging
import struct
import zlib
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscope.data.read.geometry import PLANES
from tumorscope.data.read.intensity import normalise
from tumorscope.errors import UnreadableImage
from tumorscope.records import Slice
from tumorscope.support.extras import require_extra

ENDINGS = (".nii", ".nii.gz", ".mgz", ".mgh")
MAX_SPACING = 1000.0  # mm
HEADER = 284  # bytes, the shortest of them
SMALL, MOST_SQUEEZED = 256_000_000, 100  # bytes it may always unpack to, and times its size
MAX_BYTES = 2_000_000_000  # of a volume, unpacked


@dataclass(frozen=True)
class Volume:
    """A volume, turned so that its axes run to the right, the front and the top of the patient.

    Attributes:
        levels: shape (right, front, top), as measured.
        spacing: from voxel to voxel, in mm.
        volumes: how many the file holds; the first is taken.
        asked: the plane in which it is sliced; `auto` for that across its coarsest axis.
    """

    levels: NDArray[Any]
    spacing: tuple[float, float, float]
    volumes: int = 1
    asked: str = "auto"

    @property
    def axis(self) -> int:
        """The axis to look along: that of the largest spacing; from the top where all are alike."""
        if self.asked in PLANES:
            return PLANES.index(self.asked)
        widest = max(self.spacing)
        return max(n for n in range(3) if self.spacing[n] > 0.99 * widest)

    @property
    def plane(self) -> str:
        """The plane of its slices."""
        return PLANES[self.axis]

    def __len__(self) -> int:
        return int(self.levels.shape[self.axis])

    def picture(self, number: int) -> NDArray[Any]:
        """Return the levels of one slice, counted from the left, the back or the bottom.

        As radiologists look at it: the patient's right is on the left of an axial and a coronal
        picture, the front of the head on the left of a sagittal one; the front (axial) or the top
        of the head is up.
        """
        plane = np.take(self.levels, number, axis=self.axis)
        return np.asarray(plane[::-1, ::-1].T)

    def slice(self, number: int) -> Slice:
        """Return one slice as every part of the product sees it."""
        return Slice(normalise(self.picture(number)), "NIfTI", "F")


def is_nifti(content: bytes) -> bool:
    """Say whether bytes begin like a NIfTI or MGH volume, compressed or not."""
    head = content[:400]
    if head[:2] == b"\x1f\x8b":
        try:
            head = zlib.decompressobj(31).decompress(content[:4096], 400)
        except zlib.error:
            return False
    if head[344:348] in (b"n+1\0", b"ni1\0") or head[4:8] == b"n+2\0":
        return True
    return len(head) >= 28 and struct.unpack(">i", head[:4])[0] == 1 and head[4:6] == b"\0\0"


def open_nifti(content: bytes, plane: str = "auto") -> Volume:
    """Read a volume.

    Args:
        content: the bytes of the file.
        plane: in which it is sliced, one of `PLANES`, or `auto`.

    Raises:
        UnreadableImage: damaged, too large, or of other than three or four axes.
        MissingExtra: nibabel is not installed.
    """
    require_extra("nifti", "Reading NIfTI")
    try:
        return replace(_open(_inflated(content)), asked=plane)
    except UnreadableImage:
        raise
    except Exception as error:  # noqa: BLE001 (whatever a damaged file makes the reader raise)
        raise UnreadableImage(f"damaged volume ({type(error).__name__})") from None


def _open(content: bytes) -> Volume:
    import nibabel  # noqa: PLC0415 (an extra)

    logging.getLogger("nibabel").setLevel(logging.CRITICAL)
    logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)
    kinds: tuple[Any, ...] = (nibabel.Nifti1Image, nibabel.Nifti2Image, nibabel.MGHImage)
    sizes = {348: 0, 540: 1}
    size = next((n for o in "<>" if (n := struct.unpack(f"{o}i", content[:4])[0]) in sizes), 0)
    image = kinds[sizes.get(size, 2)].from_stream(BytesIO(content))
    if len(image.shape) not in (3, 4) or min(image.shape) < 1:
        raise UnreadableImage(f"a volume of {len(image.shape)} axes")
    if np.prod(image.shape, dtype=float) * 8 > MAX_BYTES:
        raise UnreadableImage("a volume of over 2 GB")
    if np.prod(image.shape, dtype=float) * image.get_data_dtype().itemsize + HEADER > len(content):
        raise UnreadableImage("truncated file")
    volumes = image.shape[3] if len(image.shape) == 4 else 1
    turned: Any = nibabel.as_closest_canonical(image if volumes == 1 else image.slicer[..., :1])
    levels = np.asarray(turned.dataobj)
    x, y, z = (_millimetres(size) for size in turned.header.get_zooms()[:3])
    return Volume(levels.reshape(levels.shape[:3]), (x, y, z), volumes)


def _millimetres(size: Any) -> float:
    """Return a spacing; 1 for what can be none."""
    own = abs(float(size))
    return own if 0 < own < MAX_SPACING else 1.0


def _inflated(content: bytes) -> bytes:
    """Return what is in a compressed file, up to a limit."""
    if content[:2] != b"\x1f\x8b":
        return content
    most = min(MAX_BYTES, SMALL + MOST_SQUEEZED * len(content))
    with gzip.GzipFile(fileobj=BytesIO(content)) as file:
        found = file.read(most + 1)
    if len(found) > most:
        raise UnreadableImage(f"unpacks to over {most // 1_000_000} MB: not opened")
    return found
