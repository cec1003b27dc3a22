"""JPEG, PNG, BMP, TIFF, WebP and GIF files, and DICOM objects of one slice, to grey slices."""

import logging
import stat
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageOps, UnidentifiedImageError

from tumorscope.data.read.budget import PixelBudget
from tumorscope.data.read.dicom import is_dicom, open_dicom
from tumorscope.data.read.nifti import is_nifti
from tumorscope.data.read.tiff import (
    SIGNATURES,
    forgets_white_is_zero,
    from_white,
    misread,
    open_rare_tiff,
)
from tumorscope.errors import MissingExtra, UnreadableImage
from tumorscope.records import Pixels, Slice

for talker in ("PIL", "tifffile"):  # what matters is raised, and nothing goes to the terminal
    logging.getLogger(talker).addHandler(logging.NullHandler())

LARGE = 1e30  # a spread of levels that single precision cannot scale
FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF")
MAX_PIXELS = 40_000_000  # some 6,300 × 6,300; a larger "slice" is a decompression bomb
BUDGET = PixelBudget(MAX_PIXELS)  # of all workers: some 16 bytes a pixel while it is decoded
MAX_BYTES = 400_000_000  # more than MAX_PIXELS take in any format

# What Pillow's decoders raise on damaged input, as seen on truncated and altered files.
DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    OverflowError,
    MemoryError,
    AttributeError,
    AssertionError,
    NotImplementedError,
    RuntimeError,
    struct.error,
    ZeroDivisionError,
    Image.DecompressionBombError,
)
# What stands where an image should be, by how it begins.
IN_PLACE = (
    (b"version https://git-lfs", "a Git LFS pointer, not the image: 'git lfs pull' fetches it"),
    (b"<!doctype html", "a web page, saved in place of the image: download it again"),
    (b"<html", "a web page, saved in place of the image: download it again"),
)


def read_image(path: Path) -> Slice:
    """Read and decode one image file.

    Raises:
        UnreadableImage: the file cannot be read or decoded; the message says why.
    """
    return decode_image(read_bytes(path))


def read_bytes(path: Path) -> bytes:
    """Return a file's content, of regular files alone: a pipe would block, a device never end.

    Raises:
        UnreadableImage: it does not exist, is not a regular file, cannot be opened or is too large
            for an image.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnreadableImage("a folder" if path.is_dir() else "a pipe or device, not a file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise UnreadableImage(f"file of over {MAX_BYTES / 1e6:.0f} MB; no slice is that large")
        return content
    except FileNotFoundError as error:
        raise UnreadableImage("file not found") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableImage(f"cannot be opened ({reason})") from error


def decode_image(content: bytes) -> Slice:
    """Decode the bytes of an image file, whatever its name says.

    The first frame is taken, EXIF orientation applied, transparency laid on black and colour
    turned grey (ITU-R 601-2). More than eight bits are scaled so that 0 stays 0 and the image's
    maximum becomes 255; such a slice is float32. A DICOM object must hold one slice; its levels are
    scaled as `tumorscope.data.read.intensity` says.

    Raises:
        UnreadableImage: empty, not an image, truncated, damaged, or too large.
    """
    if not content:
        raise UnreadableImage("empty file")
    for beginning, what in IN_PLACE:
        if content.lstrip()[: len(beginning)].lower() == beginning:
            raise UnreadableImage(what)
    try:
        if is_dicom(content):
            return _only_slice(content)
        if is_nifti(content):
            raise UnreadableImage("a volume, not one slice")
        return _decode(content)
    except UnreadableImage:
        raise
    except UnidentifiedImageError as error:
        raise UnreadableImage("not an image in a format that can be read") from error
    except DAMAGED as error:
        raise UnreadableImage(_reason(error)) from error


def _only_slice(content: bytes) -> Slice:
    """Return the slice of a DICOM object that holds one."""
    try:
        found = open_dicom(content)
    except MissingExtra as error:
        raise UnreadableImage(str(error)) from error
    if found.refusal:
        raise UnreadableImage(found.refusal)
    if found.frames > 1:
        raise UnreadableImage(f"{found.frames} slices in one file, not one slice")
    with BUDGET.taking(found.pixels):
        return found.slice()


def _decode(content: bytes) -> Slice:
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            _refuse_bomb(image)
            if not misread(image):
                with BUDGET.taking(image.width * image.height):
                    image.load()
                    kind = (image.format or "", image.mode, _tables(image), _colour(image))
                    return Slice(picture_levels(image), *kind)
    except UnidentifiedImageError:
        if not content.startswith(SIGNATURES):
            raise
    with BUDGET.taking(MAX_PIXELS):  # its size is known to its reader alone
        rare = open_rare_tiff(content, MAX_PIXELS)
        return Slice(grey_levels(rare), "TIFF", rare.mode)


def _refuse_bomb(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise UnreadableImage(
            f"claims {width} × {height} pixels; more than {MAX_PIXELS:,} are refused"
        )


def _tables(image: Image.Image) -> str:
    tables = getattr(image, "quantization", None)
    return f"{zlib.crc32(repr(tables).encode()):08x}" if tables else ""


def _colour(image: Image.Image) -> int:
    """Return the largest spread between channels on a 16 × 16 grid of pixels."""
    if image.mode in ("L", "1", "F") or image.mode.startswith("I"):
        return 0
    red, green, blue = image.resize((16, 16), Image.Resampling.NEAREST).convert("RGB").split()
    pairs = ((red, green), (green, blue), (blue, red))
    spreads = [ImageChops.difference(*pair).getextrema()[1] for pair in pairs]
    return int(max(spreads))  # type: ignore[arg-type]


def _reason(error: BaseException) -> str:
    text = str(error).split("\n")[0].strip()
    if "truncated" in text or isinstance(error, EOFError):
        return "truncated file"
    if isinstance(error, Image.DecompressionBombError):
        return "too many pixels (decompression bomb)"
    return f"damaged file ({text or type(error).__name__})"


def picture_levels(image: Image.Image) -> Pixels:
    """Return the grey levels of a Pillow image as those of its file are read.

    Raises:
        UnreadableImage: Pillow misreads its file, so that the pixels cannot be had from it.
    """
    if misread(image):
        raise UnreadableImage("Pillow misreads TIFFs of this kind: give the path of the file")
    upright = ImageOps.exif_transpose(image)
    if forgets_white_is_zero(image):
        upright = Image.fromarray(from_white(np.asarray(upright, np.float32)))
    return grey_levels(upright)


def grey_levels(image: Image.Image) -> Pixels:
    """Return the grey levels of a Pillow image in any mode, as `decode_image` describes them."""
    if image.mode.startswith("I") or image.mode == "F":
        return _scaled_to_255(np.asarray(image, dtype=np.float32))
    if image.mode == "P" or "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa"):
        image = image.convert("RGBA")
        opacity = image.getchannel("A")
        if image.convert("RGB").getbbox() is None and len(set(opacity.getextrema())) > 1:
            return np.asarray(opacity)  # black ink: the picture is drawn in its opacity alone
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image)
    return np.asarray(image.convert("L"))


def _scaled_to_255(levels: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> Pixels:
    levels = np.nan_to_num(levels, nan=0.0, posinf=0.0, neginf=0.0)
    lowest = min(float(levels.min()), 0.0)
    highest = float(levels.max())
    if highest == lowest:
        return np.zeros(levels.shape, np.uint8)
    if highest - lowest > LARGE or highest - lowest < 1 / LARGE:  # single precision overflows
        wide = levels.astype(np.float64)
        return ((wide - lowest) * (255.0 / (highest - lowest))).clip(0, 255).astype(np.float32)
    return ((levels - lowest) * np.float32(255.0 / (highest - lowest))).astype(np.float32)
