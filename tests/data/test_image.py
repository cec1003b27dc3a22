"""Reading image files: every format and mode, and every way in which a file can be bad."""

import os
import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tumorscope.data.read import decode_image, read_image
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
