"""NIfTI and MGH volumes: values as another reader has them, upright in every orientation."""

import gzip
from itertools import permutations, product
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 (its own documentation calls it so)
from numpy.typing import NDArray

from tumorscope.data.read import decode_image
from tumorscope.data.read.nifti import is_nifti, open_nifti
from tumorscope.errors import UnreadableImage

# A head that is unlike itself in every mirror: its axes run to the right, the front and the top.
PHANTOM = np.arange(5 * 6 * 7, dtype=np.int16).reshape(5, 6, 7)
SPACING = (1.0, 1.0, 3.0)


def stored(axes: tuple[int, ...], signs: tuple[int, ...]) -> nibabel.Nifti1Image:
    """Return the phantom with its axes exchanged and turned round, as the affine says."""
    levels = np.transpose(PHANTOM, axes)
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    for at, (axis, sign) in enumerate(zip(axes, signs, strict=True)):
        affine[axis, at] = sign * SPACING[axis]
        levels = levels if sign > 0 else np.flip(levels, at)
    return nibabel.Nifti1Image(np.ascontiguousarray(levels), affine)


def test_all_forty_eight_orientations_are_one_volume() -> None:
    """Slices are axial, as the spacing is widest there; right is left, and front is up."""
    for axes in permutations(range(3)):
        for signs in product((1, -1), repeat=3):
            found = open_nifti(stored(axes, signs).to_bytes())
            assert (found.plane, len(found)) == ("axial", 7)
            np.testing.assert_array_equal(found.picture(2), PHANTOM[::-1, ::-1, 2].T)
    # The first row is the front, its first pixel the patient's right.
    assert found.picture(0)[0, 0] == PHANTOM[4, 5, 0]


def test_values_are_those_of_another_reader(real_data: Path) -> None:
    """Scaled, big-endian and four-dimensional volumes hold what SimpleITK reads."""
    for path in sorted((real_data / "nifti").iterdir()):
        own = open_nifti(path.read_bytes())
        theirs = sitk.DICOMOrient(first(path), "RAS")
        levels = sitk.GetArrayFromImage(theirs).transpose(2, 1, 0)
        np.testing.assert_allclose(own.levels, levels, rtol=1e-5, err_msg=path.name)
    assert open_nifti((real_data / "nifti" / "example4d.nii.gz").read_bytes()).volumes == 2


def first(path: Path) -> sitk.Image:
    """Return the first volume of a file."""
    image = sitk.ReadImage(str(path))
    return image[:, :, :, 0] if image.GetDimension() == 4 else image


def test_other_formats_and_values_that_are_none() -> None:
    """MGH files are read as well, and what is no number counts as nothing."""
    levels = np.ones((8, 9, 10), np.float32)
    levels[2:6, 2:6] = 5
    levels[0, 0, 0] = np.nan
    content = nibabel.MGHImage(levels, np.eye(4)).to_bytes()
    for own in (content, gzip.compress(content)):
        assert is_nifti(own)
        pixels = open_nifti(own).slice(0).pixels
        assert np.isfinite(pixels).all()
        assert pixels.max() == 204


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (stored((0, 1, 2), (1, 1, 1)).to_bytes()[:500], "truncated file"),
        (gzip.compress(stored((0, 1, 2), (1, 1, 1)).to_bytes())[:200], "damaged volume"),
        (nibabel.Nifti1Image(np.ones((4, 4)), np.eye(4)).to_bytes(), "2 axes"),
    ],
)
def test_damaged_volumes_are_refused(content: bytes, reason: str) -> None:
    """Cut files and those of too few axes have a reason each."""
    with pytest.raises(UnreadableImage, match=reason):
        open_nifti(content)


def test_a_volume_is_no_picture() -> None:
    """What asks for one slice is told that this is more."""
    with pytest.raises(UnreadableImage, match="a volume, not one slice"):
        decode_image(stored((0, 1, 2), (1, 1, 1)).to_bytes())


def test_a_claim_of_terabytes_is_refused_before_it_is_believed() -> None:
    """The header says how large a volume is; the file says otherwise."""
    content = bytearray(stored((0, 1, 2), (1, 1, 1)).to_bytes())
    sizes: NDArray[np.int16] = np.array([3, 30000, 30000, 30000], np.int16)
    content[40:48] = sizes.tobytes()
    with pytest.raises(UnreadableImage, match="over 2 GB"):
        open_nifti(bytes(content))
