"""The one preprocessing: what training, evaluation, prediction and export all see.

A slice is resized to a square by two matrix products whose weights follow from its shape, and
rounded to whole grey levels. The same weights can stand in an exported graph.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscope.records import Pixels

BLOCK = 32  # target rows at a time; their source rows in float32 stay in a core's cache


@lru_cache(maxsize=512)
def filter_weights(source: int, target: int) -> NDArray[np.float32]:
    """Return the weights of an antialiasing triangle filter that turns `source` into `target`.

    Each row holds the weights of one target pixel. Pixel centres lie at half-integers; the
    triangle's half-width is the scale factor, at least one source pixel. This is what Pillow's
    `BILINEAR` and PyTorch's `interpolate(antialias=True)` compute.

    Returns:
        float32, shape (target, source), rows summing to 1.

    >>> filter_weights(4, 2)
    array([[0.42857143, 0.42857143, 0.14285715, 0.        ],
           [0.        , 0.14285715, 0.42857143, 0.42857143]], dtype=float32)
    """
    scale = source / target
    support = max(scale, 1.0)
    centres = ((np.arange(target) + 0.5) * scale - 0.5).astype(np.float32)
    weights = np.arange(source, dtype=np.float32) - centres[:, None]
    np.abs(weights, out=weights)
    weights *= np.float32(-1 / support)
    weights += 1
    np.maximum(weights, 0, out=weights)
    weights /= weights.sum(axis=1, keepdims=True)
    weights.setflags(write=False)  # it is shared by all callers
    return weights


def resize(pixels: Pixels, size: int) -> NDArray[np.uint8]:
    """Resize a grey slice to `size` × `size`, antialiased, in whole grey levels.

    Args:
        pixels: shape (height, width), grey levels in [0, 255].
        size: the side of the result, in pixels. The aspect ratio is not kept.

    Returns:
        uint8, shape (size, size).
    """
    levels = _filter_rows(_filter_rows(pixels, size).T, size).T
    np.rint(levels, out=levels)
    return np.clip(levels, 0, 255, out=levels).astype(np.uint8, order="C")


def resize_squares(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize many square slices at once, to the same pixels as `resize` one by one.

    Args:
        images: uint8, shape (n, side, side).
        size: the side of the results, in pixels.

    Returns:
        uint8, shape (n, size, size).
    """
    weights = filter_weights(images.shape[1], size)
    levels = weights @ images.astype(np.float32) @ weights.T
    return np.clip(np.rint(levels, out=levels), 0, 255, out=levels).astype(np.uint8)


def _filter_rows(pixels: NDArray[Any], size: int) -> NDArray[np.float32]:
    """Multiply by the row weights, block by block: away from the diagonal they are zero."""
    height, width = pixels.shape
    weights = filter_weights(height, size)
    scale = height / size
    reach = max(scale, 1.0)
    result = np.empty((size, width), np.float32)
    for first in range(0, size, BLOCK):
        last = min(first + BLOCK, size)
        top = max(0, int((first + 0.5) * scale - reach))
        bottom = min(height, int((last - 0.5) * scale + reach) + 2)
        block = pixels[top:bottom].astype(np.float32, copy=False)
        np.matmul(weights[first:last, top:bottom], block, out=result[first:last])
    return result
