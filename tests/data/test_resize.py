"""The one resize, against two independent implementations."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.nn import functional

from tumorscope.data.read import read_image
from tumorscope.data.resize import LEVELS, filter_weights, resize


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    size=st.integers(1, 256),
    seed=st.integers(0, 9),
)
def test_equals_pillow_and_pytorch(height: int, width: int, size: int, seed: int) -> None:
    """Any shape to any size gives what the two libraries' antialiased bilinear gives."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    ours = resize(pixels, size)
    floating = Image.fromarray(pixels.astype(np.float32))
    pillow = np.asarray(floating.resize((size, size), Image.Resampling.BILINEAR))
    tensor = torch.from_numpy(pixels).float()[None, None]
    pytorch = functional.interpolate(tensor, (size, size), mode="bilinear", antialias=True)
    assert np.abs(ours - pillow).max() <= 0.65  # half a level of rounding; the steps of the weights
    assert np.abs(ours - pytorch[0, 0].numpy()).max() <= 0.65


@pytest.mark.parametrize(("source", "target"), [(512, 224), (100, 224), (7, 7), (1, 5), (999, 1)])
def test_weights_sum_to_one_and_are_shared_read_only(source: int, target: int) -> None:
    """A flat picture stays flat, and no caller can change another's weights."""
    weights = filter_weights(source, target)
    np.testing.assert_array_equal(weights.sum(axis=1), 1)
    with pytest.raises(ValueError, match="read-only"):
        weights[0, 0] = 1


def test_same_size_changes_nothing() -> None:
    """A picture of the right size passes through."""
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    np.testing.assert_array_equal(resize(pixels, 64), pixels)


def test_real_slices_of_odd_sizes(real_data: Path) -> None:
    """On real slices the resize stays within rounding of Pillow's in floating point."""
    files = sorted((real_data / "yesno").rglob("*.*"))[:40]
    for path in files:
        pixels = read_image(path).pixels
        pillow = Image.fromarray(pixels.astype(np.float32)).resize(
            (96, 96), Image.Resampling.BILINEAR
        )
        assert np.abs(resize(pixels, 96) - np.asarray(pillow)).max() <= 0.55


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 1200),
    width=st.integers(1, 700),
    size=st.integers(1, 512),
    seed=st.integers(0, 9),
    deep=st.booleans(),
)
def test_every_sum_is_exact(height: int, width: int, size: int, seed: int, deep: bool) -> None:
    """Double precision gives the same bits, so no order of summation can change a pixel."""
    drawn = np.random.default_rng(seed).uniform(0, 255, (height, width))
    pixels = drawn.astype(np.float32) if deep else drawn.astype(np.uint8)
    taken = np.rint(pixels.astype(np.float64) * LEVELS) / LEVELS
    rows = filter_weights(height, size).astype(np.float64) @ taken
    levels = np.rint(rows * LEVELS) / LEVELS @ filter_weights(width, size).astype(np.float64).T
    np.testing.assert_array_equal(resize(pixels, size), np.rint(levels))


def test_grey_levels_beyond_the_range_are_cut() -> None:
    """Floats below 0 and above 255 come out as 0 and 255."""
    pixels = np.array([[-9.0, 300.0]], np.float32).repeat(2, axis=0)
    np.testing.assert_array_equal(resize(pixels, 2), [[0, 255], [0, 255]])
