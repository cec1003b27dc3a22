"""Synthetic slices whose truth is known."""

import numpy as np
import pytest

from tumorscope.data.layouts import read_manifest
from tumorscope.data.phantom import LESIONS, PLANES, Head, Lesion, write_phantoms


@pytest.mark.parametrize("lesion", LESIONS)
@pytest.mark.parametrize("number", range(3))
def test_boxes_enclose_what_was_drawn(lesion: Lesion, number: int) -> None:
    """The box is tight around the mask, and only tumours have one."""
    phantom = Head(lesion, 5).slice(number)
    assert phantom.plane == PLANES[number]
    box = phantom.box
    if lesion == "no_tumor":
        assert box is None
        return
    assert box is not None
    rows, columns = np.nonzero(phantom.mask)
    side = len(phantom.mask)
    assert (box.x_center - box.width / 2) * side == pytest.approx(columns.min())
    assert (box.x_center + box.width / 2) * side == pytest.approx(columns.max() + 1)
    assert (box.y_center - box.height / 2) * side == pytest.approx(rows.min())
    assert (box.y_center + box.height / 2) * side == pytest.approx(rows.max() + 1)
    assert 0.003 < phantom.mask.mean() < 0.2


def test_lesions_look_as_their_class_does() -> None:
    """A glioma is dark inside a bright rim; the others are even and brighter than the brain."""
    for seed in range(6):
        glioma = Head("glioma", seed).slice(0)
        levels = glioma.pixels[glioma.mask]
        assert levels.std() > 40
        for lesion in ("meningioma", "pituitary"):
            solid = Head(lesion, seed).slice(0)
            assert solid.pixels[solid.mask].std() < 40
            assert solid.pixels[solid.mask].mean() > 1.2 * solid.pixels[70:90, 100:110].mean()


def test_patients_repeat_and_differ() -> None:
    """The same patient and slice is the same picture; another patient is another head."""
    first = Head("glioma", 1).slice(0).pixels
    assert np.array_equal(first, Head("glioma", 1).slice(0).pixels)
    assert not np.array_equal(first, Head("glioma", 2).slice(0).pixels)


def test_noise_in_the_air_is_rician() -> None:
    """Magnitude noise has a positive mean where there is no signal."""
    corner = Head("no_tumor", 0).slice(0).pixels[:12, :12].astype(float)
    assert corner.mean() > 1
    assert corner.mean() / corner.std() == pytest.approx(1.91, rel=0.25)  # Rayleigh


def test_written_set_reads_back_with_patients_and_boxes(tmp_path: object) -> None:
    """The manifest carries what is known."""
    from pathlib import Path  # noqa: PLC0415

    manifest = read_manifest(write_phantoms(Path(str(tmp_path)) / "p", patients=2, slices=3))
    assert len(manifest.rows) == 4 * 2 * 3
    assert manifest.classes == LESIONS
    assert all(bool(row.boxes) == (row.label != "no_tumor") for row in manifest.rows)
    assert len({row.patient_id for row in manifest.rows}) == 8
    assert all((row.patient_id or "").startswith("synthetic") for row in manifest.rows)
