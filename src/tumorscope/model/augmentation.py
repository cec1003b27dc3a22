"""Random changes to training images, a whole batch at once on the device the model is on.

What an image draws follows from seed, epoch and its row number alone, so that neither the order of
the images nor an interruption changes it. Turns, zooms, shifts, crops and flips are one affine map
and one bilinear resampling; boxes go through the same map.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tumorscope.model.changes import FilledLesions, without_background
from tumorscope.records import Box
from tumorscope.schema.recipe import Augment

# The columns of the random numbers.
ROTATION, FLIP_X, FLIP_Y, SCALE, SHIFT_X, SHIFT_Y = range(6)
CROP, CROP_X, CROP_Y, REFLECT_X, REFLECT_Y, GAMMA = range(6, 12)
DRAWS = 12
EDITS = 1 << 40  # keeps their draws apart from the others of the same seed
WHITE = 255.0


def draw_uniforms(seed: int, epoch: int, rows: int) -> Tensor:
    """Return the random numbers of all rows for one epoch.

    Returns:
        float32 in [0, 1), shape (rows, DRAWS).
    """
    generator = np.random.Generator(np.random.Philox(key=[seed, epoch]))
    return torch.from_numpy(generator.random((rows, DRAWS), dtype=np.float32))


def draw_edits(seed: int, epoch: int, rows: int) -> Tensor:
    """Return what decides for all rows of one epoch whether something is taken out of them.

    Returns:
        float32 in [0, 1), shape (rows, 2): for the background, and for the lesion.
    """
    generator = np.random.Generator(np.random.Philox(key=[seed, EDITS + epoch]))
    return torch.from_numpy(generator.random((rows, 2), dtype=np.float32))


def edit(
    pixels: Tensor,
    rows: Sequence[int],
    boxes: Sequence[Sequence[Box]],
    uniforms: Tensor,
    spec: Augment,
    lesions: FilledLesions,
) -> tuple[Tensor, Tensor]:
    """Take the background or the lesion out of the images that have drawn it.

    Args:
        pixels: uint8, shape (n, 1, side, side).
        rows: which each is of the data set.
        boxes: the lesions marked on each.
        uniforms: as `draw_edits` gives them, shape (n, 2).
        spec: how probable each is.
        lesions: fills them, each once.

    Returns:
        The images, uint8, the same shape, and which have lost their lesion, bool, shape (n,).
    """
    hides = (uniforms[:, 0] < spec.hide_background).tolist()
    fills = [bool(own) for own in (uniforms[:, 1] < spec.fill_lesion).tolist()]
    fills = [fill and bool(own) for fill, own in zip(fills, boxes, strict=True)]
    if not any(hides) and not any(fills):  # as where no lesion is marked
        return pixels, torch.zeros(len(pixels), dtype=torch.bool, device=pixels.device)
    changed = pixels.cpu().numpy().copy()
    for image, row, own, hide, fill in zip(changed[:, 0], rows, boxes, hides, fills, strict=True):
        if fill:
            image[:] = lesions.fill(row, image, own)
        if hide:
            image[:] = without_background(image, own)
    return torch.from_numpy(changed).to(pixels.device), torch.tensor(fills, device=pixels.device)


def augment(pixels: Tensor, uniforms: Tensor, spec: Augment) -> Tensor:
    """Change each image by what it has drawn.

    Args:
        pixels: grey levels, float, shape (n, 1, side, side).
        uniforms: in [0, 1), shape (n, DRAWS).
        spec: how large the changes may be.

    Returns:
        float, the same shape.
    """
    if spec.reflect:
        pixels = _cut_from_reflection(pixels, uniforms, spec.reflect)
    if _only_flips(spec):
        pixels = _flip(pixels, uniforms[:, FLIP_X] < spec.horizontal_flip, 3)
        pixels = _flip(pixels, uniforms[:, FLIP_Y] < spec.vertical_flip, 2)
    else:
        maps = affine_maps(uniforms, spec)
        with torch.autocast(pixels.device.type, enabled=False):  # places need all their digits
            grid = functional.affine_grid(maps, list(pixels.shape), align_corners=False)
        outside = "border" if spec.fill == "nearest" else "zeros"
        pixels = functional.grid_sample(pixels, grid, padding_mode=outside, align_corners=False)
    if spec.gamma:
        exponent = _factor(uniforms[:, GAMMA], spec.gamma).view(-1, 1, 1, 1)
        pixels = WHITE * (pixels / WHITE).clamp(0, 1) ** exponent
    return pixels


def affine_maps(uniforms: Tensor, spec: Augment) -> Tensor:
    """Return the maps from places in the changed image to places in the original.

    Returns:
        float, shape (n, 2, 3), in coordinates from -1 to 1 with x first, as `affine_grid` wants.
    """
    angle = _signed(uniforms[:, ROTATION]) * math.radians(spec.rotation)
    flip_x = torch.where(uniforms[:, FLIP_X] < spec.horizontal_flip, -1.0, 1.0)
    flip_y = torch.where(uniforms[:, FLIP_Y] < spec.vertical_flip, -1.0, 1.0)
    kept = 1 - spec.crop * uniforms[:, CROP]
    zoom = kept / _factor(uniforms[:, SCALE], spec.scale)
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    move_x = 2 * spec.shift * _signed(uniforms[:, SHIFT_X])
    move_y = 2 * spec.shift * _signed(uniforms[:, SHIFT_Y])
    move_x = move_x + (1 - kept) * _signed(uniforms[:, CROP_X])
    move_y = move_y + (1 - kept) * _signed(uniforms[:, CROP_Y])
    return torch.stack(
        [
            torch.stack([cos * flip_x, -sin * flip_y, move_x], dim=1),
            torch.stack([sin * flip_x, cos * flip_y, move_y], dim=1),
        ],
        dim=1,
    )


def augment_boxes(
    boxes: Sequence[Box], uniforms: Tensor, spec: Augment, side: int
) -> tuple[Box, ...]:
    """Carry the boxes of one image through what the image has drawn.

    Args:
        boxes: in fractions of the original image.
        uniforms: the image's draws, shape (DRAWS,).
        spec: how large the changes may be.
        side: of the image, in pixels.

    Returns:
        The smallest upright boxes around the changed ones, cut at the image's border; a box that
        left the image is gone.
    """
    row = uniforms.unsqueeze(0).double()
    affine = affine_maps(row, spec)[0].double()
    inverse, move = torch.linalg.inv(affine[:, :2]), affine[:, 2:]
    offset_x, offset_y = (
        2 * int(_offsets(row[:, column], spec.reflect)) / side for column in (REFLECT_X, REFLECT_Y)
    )
    changed = []
    for box in boxes:
        corners = _corners(box) - torch.tensor([[offset_x], [offset_y]], dtype=torch.float64)
        places = inverse @ (corners - move)
        low = places.min(dim=1).values.clamp(-1, 1)
        high = places.max(dim=1).values.clamp(-1, 1)
        if bool((high - low > 0).all()):
            changed.append(_box(low, high, box.class_id))
    return tuple(changed)


def _corners(box: Box) -> Tensor:
    """Return a box's corners in coordinates from -1 to 1, float64, shape (2, 4)."""
    x, y, width, height = (2 * v for v in (box.x_center, box.y_center, box.width, box.height))
    xs = [x - 1 + sign * width / 2 for sign in (-1, 1, 1, -1)]
    ys = [y - 1 + sign * height / 2 for sign in (-1, -1, 1, 1)]
    return torch.tensor([xs, ys], dtype=torch.float64)


def _box(low: Tensor, high: Tensor, class_id: int | None) -> Box:
    x, y = ((low + high) / 4 + 0.5).tolist()
    width, height = ((high - low) / 2).tolist()
    return Box(x, y, width, height, class_id)


def _only_flips(spec: Augment) -> bool:
    return not (spec.rotation or spec.scale or spec.shift or spec.crop)


def _signed(uniform: Tensor) -> Tensor:
    return uniform * 2 - 1


def _factor(uniform: Tensor, largest: float) -> Tensor:
    """Return factors from 1 / (1 + largest) to 1 + largest, even on a logarithmic scale."""
    return torch.exp(_signed(uniform) * math.log1p(largest))


def _offsets(uniform: Tensor, border: int) -> Tensor:
    """Return whole offsets in [-border, border], each as likely, int64."""
    return (uniform * (2 * border + 1)).long().clamp(max=2 * border) - border


def _cut_from_reflection(pixels: Tensor, uniforms: Tensor, border: int) -> Tensor:
    """Pad by reflection and cut back to size at a random place, without making the padded image."""
    side = pixels.shape[-1]
    along = torch.arange(side, device=pixels.device)
    for axis, column in ((2, REFLECT_Y), (3, REFLECT_X)):
        places = (along + _offsets(uniforms[:, column], border).view(-1, 1)).abs()
        places = (side - 1) - (side - 1 - places).abs()
        shape = (-1, 1, side, 1) if axis == 2 else (-1, 1, 1, side)
        pixels = pixels.gather(axis, places.view(shape).expand_as(pixels))
    return pixels


def _flip(pixels: Tensor, chosen: Tensor, axis: int) -> Tensor:
    return torch.where(chosen.view(-1, 1, 1, 1), pixels.flip(axis), pixels)
