"""The one preprocessing: what training, evaluation, prediction and export all see.

A slice is resized to a square by two matrix products whose weights follow from its shape, and
rounded to whole grey levels. All numbers are such that single precision holds every sum exactly, in
whatever order a machine adds: NumPy, PyTorch, ONNX Runtime and OpenVINO give the same pixels to the
bit. `tumorscope.export` puts the same products into the exported graph.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscope.records import Pixels

STEPS = 4096  # weights are multiples of 1/4096, grey levels between the two products of 1/16:
LEVELS = 16  # 255 × 4096 × 16 is below 2²⁴, up to where single precision knows every integer
BLOCK = 32  # target rows at a time; their source rows in float32 stay in a core's cache


@lru_cache(maxsize=512)
def filter_weights(source: int, target: int) -> NDArray[np.float32]:
    """Return the weights of an antialiasing triangle filter that turns `source` into `target`.

    Each row holds the weights of one target pixel. Pixel centres lie at half-integers; the
    triangle's half-width is the scale factor, at least one source pixel. This is what Pillow's
    `BILINEAR` and PyTorch's `interpolate(antialias=True)` compute, here in steps of 1/4096, the
    remainder of each carried on to its neighbour.

    Returns:
        float32, shape (target, source), multiples of 1/4096, rows summing to 1.

    >>> filter_weights(4, 2) * 4096
    array([[1755., 1756.,  585.,    0.],
           [   0.,  585., 1756., 1755.]], dtype=float32)
    """
    reach = 2 * max(source, target)
    centres = (2 * np.arange(target, dtype=np.int64) + 1) * source
    places = (2 * np.arange(source, dtype=np.int64) + 1) * target
    sums = np.maximum(reach - np.abs(places - centres[:, None]), 0).cumsum(axis=1)
    totals = sums[:, -1:]
    steps = (sums * STEPS + totals // 2) // totals
    weights: NDArray[np.float32] = (np.diff(steps, axis=1, prepend=0) / STEPS).astype(np.float32)
    weights.setflags(write=False)  # it is shared by all callers
    return weights


def resize(pixels: Pixels, size: int) -> NDArray[np.uint8]:
    """Resize a grey slice to `size` × `size`, antialiased, in whole grey levels.

    Args:
        pixels: shape (height, width), grey levels in [0, 255]; floats are taken to 1/16 of a level.
        size: the side of the result, in pixels. The aspect ratio is not kept.

    Returns:
        uint8, shape (size, size).
    """
    if pixels.dtype != np.uint8:
        pixels = _to_sixteenths(np.clip(pixels, 0, 255).astype(np.float32))
    rows = _to_sixteenths(_filter_rows(pixels, size))
    levels = _filter_rows(rows.T, size).T
    return np.rint(levels, out=levels).astype(np.uint8, order="C")


def resize_squares(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize many square slices at once, to the same pixels as `resize` one by one.

    Args:
        images: uint8, shape (n, side, side).
        size: the side of the results, in pixels.

    Returns:
        uint8, shape (n, size, size).
    """
    weights = filter_weights(images.shape[1], size)
    rows = _to_sixteenths(weights @ images.astype(np.float32))
    levels: NDArray[np.float32] = rows @ weights.T
    return np.rint(levels, out=levels).astype(np.uint8)


def _to_sixteenths(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round grey levels to multiples of 1/16, in place."""
    levels *= LEVELS
    np.rint(levels, out=levels)
    levels *= np.float32(1 / LEVELS)
    return levels


def _filter_rows(pixels: NDArray[Any], size: int) -> NDArray[np.float32]:
    """Multiply by the row weights, block by block: away from the diagonal they are zero."""
    height, width = pixels.shape
    weights = filter_weights(height, size)
    scale = height / size
    reach = max(scale, 1.0)
    result = np.empty((size, width), np.float32)
    for first in range(0, size, BLOCK):
        last = min(first + BLOCK, size)
        top = max(0, int((first + 0.5) * scale - reach) - 1)
        bottom = min(height, int((last - 0.5) * scale + reach) + 2)
        block = pixels[top:bottom].astype(np.float32, copy=False)
        np.matmul(weights[first:last, top:bottom], block, out=result[first:last])
    return result
