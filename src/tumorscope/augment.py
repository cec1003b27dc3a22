"""Random changes to training images, a whole batch at once on the device the model is on.

What an image draws follows from seed, epoch and its row number alone, so that neither the order of
the images nor an interruption changes it.
"""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tumorscope.recipe import Augment

DRAWS = 3  # rotation, horizontal flip, vertical flip


def draw_uniforms(seed: int, epoch: int, rows: int) -> Tensor:
    """Return the random numbers of all rows for one epoch.

    Returns:
        float32 in [0, 1), shape (rows, DRAWS).
    """
    generator = np.random.Generator(np.random.Philox(key=[seed, epoch]))
    return torch.from_numpy(generator.random((rows, DRAWS), dtype=np.float32))


def augment(pixels: Tensor, uniforms: Tensor, spec: Augment) -> Tensor:
    """Rotate and flip each image by what it has drawn, in one bilinear resampling.

    Args:
        pixels: grey levels, float, shape (n, 1, side, side).
        uniforms: in [0, 1), shape (n, DRAWS).
        spec: how large the changes may be.

    Returns:
        float, the same shape; what comes from outside the image is black.
    """
    flip_x = torch.where(uniforms[:, 1] < spec.horizontal_flip, -1.0, 1.0)
    flip_y = torch.where(uniforms[:, 2] < spec.vertical_flip, -1.0, 1.0)
    if spec.rotation == 0:
        return _flip(_flip(pixels, flip_x, 3), flip_y, 2)
    angle = (uniforms[:, 0] * 2 - 1) * math.radians(spec.rotation)
    cos, sin, zero = torch.cos(angle), torch.sin(angle), torch.zeros_like(angle)
    affine = torch.stack(
        [
            torch.stack([cos * flip_x, -sin * flip_y, zero], dim=1),
            torch.stack([sin * flip_x, cos * flip_y, zero], dim=1),
        ],
        dim=1,
    )
    grid = functional.affine_grid(affine, list(pixels.shape), align_corners=False)
    return functional.grid_sample(pixels, grid, align_corners=False)


def _flip(pixels: Tensor, sign: Tensor, axis: int) -> Tensor:
    return torch.where((sign < 0).view(-1, 1, 1, 1), pixels.flip(axis), pixels)
