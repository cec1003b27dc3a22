"""DICOM objects: pixels as another reader has them, upright, and hostile until read."""

import contextlib
import io
import zlib
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813 (its own documentation calls it so)
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

from tests.scans import made, written
from tumorscope.data.phantom import Head
from tumorscope.data.read import decode_image
from tumorscope.data.read.dicom import is_dicom, open_dicom
from tumorscope.data.read.geometry import UPRIGHT
from tumorscope.data.resize import resize, resize_squares
from tumorscope.data.scans.series import group_objects
from tumorscope.errors import UnreadableImage
from tumorscope.grouping.copies import search_copies
from tumorscope.grouping.likeness import components

SAMPLES = Path(pydicom.__file__).parent / "data" / "test_files"


def head() -> NDArray[np.uint16]:
    """Return a head in twelve bits, not symmetric in any way."""
    return (np.asarray(Head("glioma", 3).slice(1).pixels, np.uint16) * 16)[:120, :100]


def test_pixels_are_those_of_another_reader(real_data: Path) -> None:
    """Every real object, whatever its compression, has the values that SimpleITK reads."""
    files = sorted((real_data / "dicom").rglob("*.dcm"))
    assert len(files) > 30
    for path in files:
        found = open_dicom(path.read_bytes())
        theirs = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
        assert found.frames == (len(theirs) if theirs.ndim == 3 else 1), path
        for frame in range(found.frames):
            np.testing.assert_allclose(
                found.levels(frame), theirs[frame], rtol=1e-6, err_msg=str(path)
            )


def test_what_is_no_readable_object_is_refused_by_name() -> None:
    """Of pydicom's own test files each is read or refused with a reason, quickly."""
    outcomes = {}
    for path in sorted(SAMPLES.rglob("*")):
        if path.is_file() and is_dicom(content := path.read_bytes()):
            try:
                outcomes[path.name] = str(open_dicom(content).levels().shape)
            except UnreadableImage as error:
                outcomes[path.name] = str(error)
    assert outcomes["MR_small.dcm"] == "(64, 64)"
    assert outcomes["image_dfl.dcm"] == "(512, 512)"
    assert "JPEG Extended" in outcomes["JPEG-lossy.dcm"]
    assert outcomes["rtplan.dcm"] == "a DICOM object without a picture"
    assert outcomes["MR_truncated.dcm"].startswith("damaged DICOM object")


@pytest.mark.parametrize("plane", list(UPRIGHT))
def test_pictures_are_upright_however_they_were_stored(plane: str) -> None:
    """Turned and mirrored in all eight ways, with the header that says so, it is one picture."""
    upright = head()
    across, down = (np.array(axis) for axis in UPRIGHT[plane])
    expected = decode_image(written(made(upright))).pixels
    for swapped, left, top in product((False, True), repeat=3):
        stored, columns, rows = upright, across, down
        if left:
            stored, columns = stored[:, ::-1], -columns
        if top:
            stored, rows = stored[::-1], -rows
        if swapped:
            stored, columns, rows = stored.T, rows, columns
        own = made(
            np.ascontiguousarray(stored),
            ImagePositionPatient=[0, 0, 0],
            ImageOrientationPatient=[*columns.tolist(), *rows.tolist()],
        )
        np.testing.assert_array_equal(decode_image(written(own)).pixels, expected)


def test_a_slice_and_its_jpeg_copy_are_nearly_one_picture(real_data: Path) -> None:
    """A scanner's slice, and the same one saved as a JPEG, differ by little after the resize."""
    for path in sorted((real_data / "dicom" / "t1_series").iterdir())[8:16]:
        own = decode_image(path.read_bytes()).pixels
        file = io.BytesIO()
        Image.fromarray(np.rint(own).astype(np.uint8)).save(file, "JPEG", quality=95)
        copy = decode_image(file.getvalue()).pixels
        apart = resize(own, 128).astype(int) - resize(copy, 128)
        assert np.abs(apart).mean() < 1


def test_levels_mean_what_the_header_says() -> None:
    """White may be 0, padding is air, and a rescaling may turn levels round."""
    plain = decode_image(written(made(head()))).pixels
    inverted = made(4095 - head(), PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_allclose(decode_image(written(inverted)).pixels, plain, atol=0.01)
    falling = made(4095 - head(), RescaleSlope="-1", RescaleIntercept="4095")
    np.testing.assert_allclose(decode_image(written(falling)).pixels, plain, atol=0.01)
    padded = head()
    padded[:8] = 4000
    shown = decode_image(written(made(padded, PixelPaddingValue=4000))).pixels
    assert shown[:8].max() == shown.min()


def test_a_mosaic_is_cut_into_its_slices() -> None:
    """Five slices in a grid of three by three, as Siemens stores them."""
    tiles = np.arange(9)[:, None, None] * np.ones((4, 4), np.uint16)
    grid = np.block([[tiles[3 * row + column] for column in range(3)] for row in range(3)])
    own = made(grid.astype(np.uint16), ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"])
    own.add_new(0x00190010, "LO", "SIEMENS MR HEADER")
    own.add_new(0x0019100A, "US", 5)
    found = open_dicom(written(own))
    assert [int(found.levels(n)[0, 0]) for n in range(found.frames)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"Modality": "CT"}, "CT, not MR"),
        ({"Modality": "Petra Muster"}, "another modality, not MR"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "a scout (localizer)"),
        ({"BodyPartExamined": "KNEE"}, "not a head"),
        ({"Rows": 65535, "Columns": 65535}, "claims 1 frames of 4,294,836,225 pixels"),
        ({"Rows": 4000}, "damaged DICOM object"),
        ({"NumberOfFrames": 3}, "3 slices in one file"),
    ],
)
def test_unfit_objects_are_refused_by_their_headers(elements: dict[str, Any], reason: str) -> None:
    """Wrong modality, scouts, other parts of the body and sizes that lie have a reason each."""
    with pytest.raises(UnreadableImage) as refused:
        decode_image(written(made(head(), **elements)))
    assert reason in str(refused.value)
    assert "Muster" not in str(refused.value)


def test_a_deflated_bomb_is_not_opened() -> None:
    """An object that inflates to far more than its file says is refused before it does."""
    own = made(head())
    own.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    content = written(own)
    assert decode_image(content).pixels.shape == head().shape
    start = 144 + int.from_bytes(content[140:144], "little")
    squeezer = zlib.compressobj(wbits=-15)
    bomb = content[:start] + squeezer.compress(bytes(60_000_000)) + squeezer.flush()
    with pytest.raises(UnreadableImage, match="not opened"):
        decode_image(bomb)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_damaged_objects_never_raise_anything_else(data: st.DataObject) -> None:
    """Cut or altered anywhere, an object is read or refused."""
    content = bytearray(CONTENT)
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(132, 900))] = data.draw(st.integers(0, 255))
    content = (
        content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content
    )
    with contextlib.suppress(UnreadableImage):
        assert decode_image(bytes(content)).pixels.ndim == 2


CONTENT = written(made(head(), PatientName="Muster^Petra", PatientID="17"))


def test_copies_of_a_series_are_found_by_their_thumbnails(real_data: Path) -> None:
    """Each slice of a scanner is linked with its own JPEG copy."""
    paths = sorted((real_data / "dicom" / "t1_series").iterdir())
    own = [decode_image(path.read_bytes()).pixels for path in paths]
    copies = []
    for pixels in own:
        file = io.BytesIO()
        Image.fromarray(np.asarray(pixels, np.uint8)).save(file, "JPEG", quality=75)
        copies.append(decode_image(file.getvalue()).pixels)
    images = np.stack([resize(pixels, 128) for pixels in (*own, *copies)])
    found = search_copies(resize_squares(images, 64), lambda rows: images[rows])
    chain = components(len(images), [(pair.first, pair.second) for pair in found])
    assert np.array_equal(chain[: len(own)], chain[len(own) :])


def test_a_concatenation_is_one_series() -> None:
    """Frames that were divided over two objects come together, by where they lie."""
    pixels = np.stack([np.full((8, 8), n, np.uint16) for n in range(6)])
    objects = []
    for name, chosen in (("b", (0, 2, 4)), ("a", (1, 3, 5))):
        own = made(pixels[list(chosen)], SeriesInstanceUID="1.2.3")
        own.PerFrameFunctionalGroupsSequence = []
        for number in chosen:
            place, frame = Dataset(), Dataset()
            place.ImagePositionPatient = [0, 0, float(number)]
            frame.PlanePositionSequence = [place]
            own.PerFrameFunctionalGroupsSequence.append(frame)
        axes, shared = Dataset(), Dataset()
        axes.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        shared.PlaneOrientationSequence = [axes]
        own.SharedFunctionalGroupsSequence = [shared]
        objects.append((name, open_dicom(written(own))))
    (series,) = group_objects(objects)
    levels = dict(objects)
    shown = [int(levels[f.file].levels(f.number)[0, 0]) for f in series.frames]
    assert shown == [0, 1, 2, 3, 4, 5]
