"""TIFF files whose samples Pillow turns round, misreads or refuses."""

import math
from io import BytesIO
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from tumorscope.errors import UnreadableImage

AnyFloat = TypeVar("AnyFloat", np.float32, np.float64)

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
BITS, PHOTOMETRIC, PLANAR, SAMPLES = 258, 262, 284, 339  # tags
WHITE_IS_ZERO, SEPARATE, SIGNED = 0, 2, 2  # values of tags
RGB_WEIGHTS = np.array([0.299, 0.587, 0.114])  # ITU-R 601-2, as Pillow's


def misread(image: Image.Image) -> bool:
    """Say whether Pillow opens a TIFF and then reads other numbers than it holds.

    That is so with signed bytes, with 32 bits without a sign, and with planes of over eight bits.
    """
    tags = getattr(image, "tag_v2", {})
    bits, kind = tags.get(BITS, (1,))[0], tags.get(SAMPLES, (1,))[0]
    if tags.get(PLANAR) == SEPARATE and len(image.getbands()) > 1 and bits > 8:
        return True
    return (bits, kind) in ((8, SIGNED), (32, 1))


def forgets_white_is_zero(image: Image.Image) -> bool:
    """Say whether a TIFF counts from white to black and Pillow leaves it so, as over eight bits."""
    tags = getattr(image, "tag_v2", {})
    return tags.get(PHOTOMETRIC) == WHITE_IS_ZERO and image.mode not in ("L", "1")


def from_white(levels: NDArray[AnyFloat]) -> NDArray[AnyFloat]:
    """Turn levels that count from white into levels that count from black, from 0 on."""
    highest: AnyFloat = levels.max(where=np.isfinite(levels), initial=0)
    return np.asarray(highest - levels, levels.dtype)


def open_rare_tiff(content: bytes, most_pixels: int) -> Image.Image:
    """Decode a TIFF that Pillow cannot: any number format, uncompressed, its first page.

    Args:
        content: of the file.
        most_pixels: it may have.

    Returns:
        a picture of mode F, or L where it has deep colours; upright, grey, black below white.

    Raises:
        UnreadableImage: it is compressed, too large, or has samples that make no slice.
    """
    import tifffile  # noqa: PLC0415 (takes longer than most of what is read without it)

    with tifffile.TiffFile(BytesIO(content)) as file:
        page = file.pages.first
        form = f"a TIFF of {page.bitspersample}-bit samples"
        if not all(isinstance(length, int) for length in page.shape):
            raise UnreadableImage("damaged file (a size that is no number)")
        if page.compression != tifffile.COMPRESSION.NONE:
            raise UnreadableImage(f"{form}, compressed: save it without compression")
        if page.dtype is None or page.dtype.kind not in "iuf":
            raise UnreadableImage(f"{form}, which are not numbers")
        if page.imagewidth * page.imagelength > most_pixels:
            raise UnreadableImage(f"{form}, too large for a slice")
        if math.prod(page.shape) * page.dtype.itemsize > len(content):
            raise UnreadableImage("truncated file")
        samples = page.asarray()
        if page.planarconfig == SEPARATE and samples.ndim > 2:
            samples = np.moveaxis(samples, 0, -1)
        turned = Image.fromarray(_grey(samples, page.photometric))
        orientation = page.tags.get("Orientation")
        if orientation is not None:
            turned.getexif()[0x0112] = int(orientation.value)
        return ImageOps.exif_transpose(turned)


def _grey(samples: NDArray[Any], photometric: int) -> NDArray[np.float32] | NDArray[np.uint8]:
    """Return grey levels, shape (height, width), from samples of shape (height, width[, samples]).

    Raises:
        UnreadableImage: they are neither grey nor red, green and blue.
    """
    if samples.ndim == 2:
        levels = samples.astype(np.float64)  # so that 32 and 64 bits keep their order
        levels = from_white(levels) if photometric == WHITE_IS_ZERO else levels
        return levels.astype(np.float32)
    if samples.ndim != 3 or samples.shape[2] < 3:
        raise UnreadableImage(f"a TIFF of samples of shape {samples.shape}, which is no slice")
    levels = np.asarray(samples[..., :3] @ RGB_WEIGHTS)
    if samples.dtype.kind == "f":
        return levels.astype(np.float32)
    return np.asarray(levels * (255 / np.iinfo(samples.dtype).max), np.uint8)  # as Pillow's are
