"""Views of an image over which a model averages its answer: zoomed, shifted, mirrored.

Zooms and shifts are products with two fixed matrices, one for rows and one for columns, so that
every runtime computes them alike.
"""

import torch
from torch import Tensor

# Zoom, shift down and shift to the right in shares of the side; the first so many are taken.
OTHER_VIEWS = (
    *((1.1, 0, 0), (1 / 1.1, 0, 0)),
    *((1, 0.04, 0.04), (1, -0.04, -0.04), (1, 0.04, -0.04), (1, -0.04, 0.04)),
    *((1.05, 0, 0), (1 / 1.05, 0, 0)),
)


def view_matrices(side: int, count: int) -> tuple[Tensor, Tensor]:
    """Return what makes the first so many views of images but the plain one.

    Args:
        side: of the images, in pixels.
        count: how many views, up to the length of `OTHER_VIEWS`.

    Returns:
        Two arrays, float32, shape (count, side, side): a view is its matrix of the first, times the
        image, times the transpose of its matrix of the second. Between pixels it is linear, and
        what comes from outside the image is black.
    """
    chosen = OTHER_VIEWS[:count]
    rows = [_weights(side, zoom, down) for zoom, down, _ in chosen]
    columns = [_weights(side, zoom, right) for zoom, _, right in chosen]
    empty = torch.zeros(0, side, side)
    return torch.stack(rows) if rows else empty, torch.stack(columns) if columns else empty


def _weights(side: int, zoom: float, shift: float) -> Tensor:
    """Return how much of each source place a target place takes, along one axis."""
    centre = (side - 1) / 2
    targets = torch.arange(side, dtype=torch.float64)
    sources = (targets - centre - shift * side) / zoom + centre
    distance = (torch.arange(side, dtype=torch.float64) - sources[:, None]).abs()
    return (1 - distance).clamp(min=0).float()
