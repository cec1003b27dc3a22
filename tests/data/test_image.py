"""Reading image files: every format and mode, and every way in which a file can be bad."""

import os
import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from tumorscope.data.read import decode_image, picture_levels, read_image
from tumorscope.errors import UnreadableImage

RAMP = np.arange(0, 240, dtype=np.uint8).reshape(12, 20)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF", "WEBP", "JPEG"])
@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_formats_and_modes_give_the_same_grey_levels(kind: str, mode: str) -> None:
    """A grey picture has the same levels however it is stored."""
    if kind == "JPEG" and mode == "P":
        pytest.skip("JPEG has no palette")
    image = Image.fromarray(RAMP).convert(mode)
    special: dict[str, dict[str, Any]] = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100}}
    options = special.get(kind, {})
    pixels = decode_image(encoded(image, kind, **options)).pixels
    assert pixels.shape == (12, 20)
    assert np.abs(pixels.astype(int) - RAMP).max() <= (3 if kind == "JPEG" else 1)


def test_transparency_lies_on_black() -> None:
    """What is transparent cannot show a colour that nobody sees."""
    image = Image.new("RGBA", (4, 4), (255, 255, 255, 0))
    image.putpixel((1, 1), (200, 200, 200, 255))
    pixels = decode_image(encoded(image, "PNG")).pixels
    assert pixels[1, 1] == 200
    assert pixels.sum() == 200


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_use_the_whole_range(kind: str) -> None:
    """A 12-bit scan in a 16-bit file is not read as nearly black."""
    levels = np.linspace(0, 4095, 64, dtype=np.uint16).reshape(8, 8)
    pixels = decode_image(encoded(Image.fromarray(levels), kind)).pixels
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(pixels, levels / 4095 * 255, atol=1e-3)


NUMBERS = ["u1", "u2", "i1", "i2", "u4", "i4", "u8", "f2", "f4", "f8"]
BRIGHT = np.linspace(0, 1, 240).reshape(12, 20)  # as slices are: something in it is black


def as_tiff(levels: NDArray[Any], **options: Any) -> bytes:
    buffer = BytesIO()
    tifffile.imwrite(buffer, levels, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("number", NUMBERS)
def test_tiffs_of_every_number_format_are_read_alike(
    number: str, photometric: str, order: Any
) -> None:
    """From black to white or from white to black, of either byte order."""
    kind = np.dtype(number)
    most = 1.0 if kind.kind == "f" else min(float(np.iinfo(kind).max), 2.0**53)
    levels = (BRIGHT * most).astype(kind)
    stored = levels if photometric == "minisblack" else levels.max() - levels
    pixels = decode_image(as_tiff(stored, photometric=photometric, byteorder=order)).pixels
    np.testing.assert_allclose(pixels, BRIGHT * 255, atol=2.1 if kind.itemsize == 1 else 0.2)


@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("number", ["u1", "u2", "f4"])
def test_coloured_tiffs_are_read_alike(number: str, planes: Any) -> None:
    """Samples beside each other or plane by plane, weighted as everywhere."""
    kind = np.dtype(number)
    most = 1.0 if kind.kind == "f" else float(np.iinfo(kind).max)
    colours = np.stack([BRIGHT, BRIGHT[::-1], BRIGHT[:, ::-1]], 0 if planes == "separate" else -1)
    content = as_tiff((colours * most).astype(kind), photometric="rgb", planarconfig=planes)
    wanted = 0.299 * BRIGHT + 0.587 * BRIGHT[::-1] + 0.114 * BRIGHT[:, ::-1]
    wanted *= 255 if number != "f4" else 255 / wanted.max()  # only what is deep is stretched
    np.testing.assert_allclose(decode_image(content).pixels, wanted, atol=2.1)


def test_rare_tiffs_keep_their_orientation_and_are_refused_in_words() -> None:
    """Turned as their tag says; compressed ones and pictures opened by Pillow are refused."""
    turned = as_tiff(BRIGHT, photometric="minisblack", extratags=[(274, "H", 1, 6, True)])
    np.testing.assert_allclose(decode_image(turned).pixels, np.rot90(BRIGHT, -1) * 255, atol=0.1)
    with pytest.raises(UnreadableImage, match="64-bit samples, compressed"):
        decode_image(as_tiff(BRIGHT, photometric="minisblack", compression="zlib"))
    claims = bytearray(as_tiff(BRIGHT, photometric="minisblack"))
    height = claims.index(struct.pack("<HHI", 257, 4, 1)) + 8
    claims[height + 2] = 9  # 590,000 lines
    with pytest.raises(UnreadableImage, match="truncated"):
        decode_image(bytes(claims))
    claims[height - 12 - 4] = 255  # its width as so many numbers
    with pytest.raises(UnreadableImage, match="damaged"):
        decode_image(bytes(claims))
    signed = Image.open(BytesIO(as_tiff((BRIGHT * 99).astype("i1"), photometric="minisblack")))
    with pytest.raises(UnreadableImage, match="give the path"):
        picture_levels(signed)


def test_a_picture_drawn_in_its_opacity_alone_is_seen() -> None:
    """Black ink of differing opacity; a black picture that hides nothing stays black."""
    ink = np.zeros((12, 20, 4), np.uint8)
    ink[..., 3] = RAMP
    np.testing.assert_array_equal(decode_image(encoded(Image.fromarray(ink), "PNG")).pixels, RAMP)
    ink[..., 3] = 255
    assert decode_image(encoded(Image.fromarray(ink), "PNG")).pixels.max() == 0


def test_inks_become_grey() -> None:
    """CMYK, as Photoshop writes it: inverted in JPEG, not in TIFF."""
    inks = Image.fromarray(RAMP).convert("RGB").convert("CMYK")
    for kind, room in (("TIFF", 1), ("JPEG", 6)):
        options = {"quality": 98} if kind == "JPEG" else {}
        pixels = decode_image(encoded(inks, kind, **options)).pixels
        assert np.abs(pixels.astype(int) - RAMP).max() <= room


def test_exif_orientation_is_applied() -> None:
    """A picture stored on its side stands upright."""
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90° clockwise to view
    content = encoded(Image.fromarray(RAMP), "PNG", exif=exif)
    np.testing.assert_array_equal(decode_image(content).pixels, np.rot90(RAMP, -1))


def test_first_frame_of_an_animation_is_taken() -> None:
    """An animated GIF is its first picture."""
    frames = [Image.new("L", (8, 8), level) for level in (10, 200)]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode_image(content).pixels.max() == 10


def test_content_counts_and_not_the_extension(tmp_path: Path) -> None:
    """A PNG that is called .jpg is read as a PNG."""
    path = tmp_path / "slice.jpg"
    path.write_bytes(encoded(Image.fromarray(RAMP), "PNG"))
    np.testing.assert_array_equal(read_image(path).pixels, RAMP)


def bomb() -> bytes:
    """A small PNG file that claims 60,000 × 60,000 pixels."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0" * 99))


GOOD = {
    "JPEG": encoded(Image.fromarray(np.tile(RAMP, (9, 9))), "JPEG"),
    "PNG": encoded(Image.fromarray(np.tile(RAMP, (9, 9))), "PNG"),
    "TIFF": encoded(Image.fromarray(np.tile(RAMP, (9, 9))), "TIFF", compression="tiff_lzw"),
    "GIF": encoded(Image.fromarray(np.tile(RAMP, (9, 9))), "GIF"),
    "BMP": encoded(Image.fromarray(np.tile(RAMP, (9, 9))), "BMP"),
    "WEBP": encoded(Image.fromarray(np.tile(RAMP, (9, 9))), "WEBP"),
}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"these are words, not pixels", "not an image"),
        (GOOD["JPEG"][: len(GOOD["JPEG"]) // 2], "truncated"),
        (GOOD["PNG"][: len(GOOD["PNG"]) // 2], "truncated"),
        (bomb(), "decompression bomb"),
        (b"%PDF-1.7 and so on", "not an image"),
    ],
)
def test_bad_files_are_named_with_their_reason(content: bytes, reason: str) -> None:
    """Each bad file says what is wrong with it."""
    with pytest.raises(UnreadableImage, match=reason):
        decode_image(content)


def test_missing_file_and_folder_are_unreadable(tmp_path: Path) -> None:
    """What cannot be opened is no crash either."""
    with pytest.raises(UnreadableImage, match="file not found"):
        read_image(tmp_path / "nothing.png")
    with pytest.raises(UnreadableImage, match="a folder"):
        read_image(tmp_path)


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from(sorted(GOOD)),
    cut=st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=8),
)
def test_damaged_files_are_read_or_refused(
    kind: str, cut: float, flips: list[tuple[float, int]]
) -> None:
    """Whatever bytes are changed or missing, the answer is pixels or UnreadableImage."""
    content = bytearray(GOOD[kind])
    for place, value in flips:
        content[int(place * len(content))] = value
    try:
        pixels = decode_image(bytes(content[: int(cut * len(content)) + 1])).pixels
    except UnreadableImage as error:
        reason = str(error)
        assert reason
    else:
        assert pixels.ndim == 2
        assert pixels.dtype in (np.uint8, np.float32)
        assert np.isfinite(pixels).all()


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    """A pipe does not block and a device does not fill the memory; a link to one is no better."""
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "endless.png").symlink_to("/dev/zero")
    for name in ("pipe.png", "endless.png"):
        with pytest.raises(UnreadableImage, match="a pipe or device, not a file"):
            read_image(tmp_path / name)
    with pytest.raises(UnreadableImage, match="a folder"):
        read_image(tmp_path)
