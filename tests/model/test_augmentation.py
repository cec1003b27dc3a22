"""Random changes: each image its own, whatever the batch, the order or the epoch before."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from tumorscope.data.layouts import read_manifest
from tumorscope.data.store import open_store
from tumorscope.model.augmentation import (
    DRAWS,
    FLIP_X,
    FLIP_Y,
    REFLECT_X,
    REFLECT_Y,
    ROTATION,
    augment,
    augment_boxes,
    draw_uniforms,
)
from tumorscope.records import Box
from tumorscope.schema.recipe import Augment

SPEC = Augment(rotation=15, horizontal_flip=0.5, vertical_flip=0.5)
EVERYTHING = Augment(
    rotation=180, scale=0.3, shift=0.1, crop=0.2, reflect=6, horizontal_flip=0.5, vertical_flip=0.5
)
PIXELS = torch.randint(0, 256, (6, 1, 24, 24)).float()


def draws(rotation: float, flip: float) -> torch.Tensor:
    """One image's random numbers: a turn, a flip, and all else in the middle."""
    uniforms = torch.full((1, DRAWS), 0.5)
    uniforms[0, [ROTATION, FLIP_X, FLIP_Y]] = torch.tensor([rotation, flip, 0.9])
    return uniforms


def test_an_image_draws_by_seed_epoch_and_row_alone() -> None:
    """Other images in the batch change nothing."""
    uniforms = draw_uniforms(seed=1, epoch=2, rows=6)
    whole = augment(PIXELS, uniforms, SPEC)
    alone = augment(PIXELS[4:5], uniforms[4:5], SPEC)
    torch.testing.assert_close(whole[4:5], alone)
    assert torch.equal(draw_uniforms(1, 2, 6), uniforms)
    assert not torch.equal(draw_uniforms(1, 3, 6), uniforms)
    assert not torch.equal(draw_uniforms(2, 2, 6), uniforms)


def test_flips_are_exact() -> None:
    """Without rotation a flip moves pixels and changes none."""
    spec = Augment(horizontal_flip=0.5, vertical_flip=0.5)
    uniforms = torch.full((4, DRAWS), 0.5)
    uniforms[:, [FLIP_X, FLIP_Y]] = torch.tensor([[0.1, 0.9], [0.9, 0.1], [0.1, 0.1], [0.9, 0.9]])
    flipped = augment(PIXELS[:4], uniforms, spec)
    assert torch.equal(flipped[0], PIXELS[0].flip(2))
    assert torch.equal(flipped[1], PIXELS[1].flip(1))
    assert torch.equal(flipped[2], PIXELS[2].flip(1, 2))
    assert torch.equal(flipped[3], PIXELS[3])


def test_a_right_angle_is_a_quarter_turn() -> None:
    """The largest draw turns by the whole angle, and flips go with it."""
    spec = Augment(rotation=90, horizontal_flip=0.5)
    turned = augment(PIXELS[:1], draws(rotation=1.0, flip=0.9), spec)
    torch.testing.assert_close(turned, PIXELS[:1].rot90(1, (2, 3)), atol=0.05, rtol=0)
    both = augment(PIXELS[:1], draws(rotation=1.0, flip=0.1), spec)
    quarter_turns = [PIXELS[:1].flip(3).rot90(k, (2, 3)) for k in (1, 3)]
    assert any(torch.allclose(both, turn, atol=0.05) for turn in quarter_turns)


def test_no_augmentation_changes_nothing() -> None:
    """All fields at zero is the picture itself."""
    assert torch.equal(augment(PIXELS, draw_uniforms(0, 0, 6), Augment()), PIXELS)


def test_reflection_is_padding_and_cropping() -> None:
    """The shortcut gives what the padded image would, at the offset that was drawn."""
    spec = Augment(reflect=8)
    uniforms = draw_uniforms(3, 0, 6)
    found = augment(PIXELS, uniforms, spec)
    padded = functional.pad(PIXELS, (8, 8, 8, 8), mode="reflect")
    for number in range(6):
        x, y = (int(uniforms[number, column] * 17) for column in (REFLECT_X, REFLECT_Y))
        assert torch.equal(found[number], padded[number, :, y : y + 24, x : x + 24])


def test_gamma_keeps_black_white_and_order() -> None:
    """The grey curve bends between its ends, which stay."""
    ramp = torch.arange(256.0).reshape(1, 1, 16, 16)
    for seed in range(5):
        bent = augment(ramp, draw_uniforms(seed, 0, 1), Augment(gamma=0.5)).flatten()
        assert bent[0] == 0
        assert bent[-1] == pytest.approx(255)
        assert (bent.diff() > 0).all()


def test_a_crop_shows_nothing_from_outside() -> None:
    """What is cut off fills the image again, without a black border."""
    white = torch.full((64, 1, 32, 32), 255.0)
    cropped = augment(white, draw_uniforms(0, 0, 64), Augment(crop=0.5))
    assert (cropped[:, :, 1:-1, 1:-1] > 254).all()


def test_the_nearest_pixel_fills_what_comes_from_outside() -> None:
    """A white image stays white where black would enter."""
    white, uniforms = torch.full((64, 1, 32, 32), 255.0), draw_uniforms(0, 0, 64)
    spec = Augment(rotation=45, shift=0.3)
    assert float(augment(white, uniforms, spec).min()) == 0
    filled = augment(white, uniforms, spec.model_copy(update={"fill": "nearest"}))
    assert float(filled.min()) > 254


@given(
    seed=st.integers(0, 10**6),
    x=st.integers(10, 53),
    y=st.integers(10, 53),
    width=st.integers(4, 10),
    height=st.integers(4, 10),
)
def test_boxes_go_where_their_pixels_go(seed: int, x: int, y: int, width: int, height: int) -> None:
    """Whatever is drawn, the box encloses the marked pixels that are left, and tightly."""
    side = 64
    pixels = torch.zeros(1, 1, side, side)
    pixels[0, 0, y - height // 2 : y + height // 2, x - width // 2 : x + width // 2] = 255
    box = Box(x / side, y / side, 2 * (width // 2) / side, 2 * (height // 2) / side, 1)
    uniforms = draw_uniforms(seed, 0, 1)
    changed = augment(pixels, uniforms, EVERYTHING)[0, 0].numpy()
    boxes = augment_boxes([box], uniforms[0], EVERYTHING, side)
    assert_enclosed(changed > 160, boxes, side)
    assert all(found.class_id == 1 for found in boxes)


def assert_enclosed(marked: np.ndarray, boxes: tuple[Box, ...], side: int) -> None:
    """Every marked pixel's centre lies in the first box, to half a pixel."""
    ys, xs = np.nonzero(marked)
    if not len(xs):
        return
    (box,) = boxes
    for places, centre, extent in ((xs, box.x_center, box.width), (ys, box.y_center, box.height)):
        low, high = (centre - extent / 2) * side, (centre + extent / 2) * side
        assert low - 0.5 <= places.min() + 0.5
        assert places.max() + 0.5 <= high + 0.5


def test_boxes_enclose_the_lesion_of_phantoms(phantoms: Path) -> None:
    """On slices whose lesions are known, the changed box encloses the changed lesion."""
    store = open_store(read_manifest(phantoms), 64)
    spec = Augment(rotation=30, scale=0.1, shift=0.05, horizontal_flip=0.5)
    seen = 0
    for epoch in range(3):
        uniforms = draw_uniforms(7, epoch, len(store))
        for number, row in enumerate(store.manifest.rows):
            if not row.boxes:
                continue
            lesion = torch.zeros(1, 1, 64, 64)
            left, top, right, bottom = (
                round(64 * v)
                for v in (
                    row.boxes[0].x_center - row.boxes[0].width / 2,
                    row.boxes[0].y_center - row.boxes[0].height / 2,
                    row.boxes[0].x_center + row.boxes[0].width / 2,
                    row.boxes[0].y_center + row.boxes[0].height / 2,
                )
            )
            lesion[0, 0, top:bottom, left:right] = 255
            moved = augment(lesion, uniforms[number : number + 1], spec)[0, 0].numpy()
            boxes = augment_boxes(row.boxes[:1], uniforms[number], spec, 64)
            assert_enclosed(moved > 230, boxes, 64)
            seen += 1
    assert seen > 50


def test_a_box_that_leaves_the_image_is_gone() -> None:
    """A shift beyond the border takes the box with it."""
    uniforms = torch.full((DRAWS,), 0.0)
    far = Box(0.02, 0.02, 0.02, 0.02)
    assert augment_boxes([far], 1 - uniforms, Augment(shift=0.5), 64) == ()
