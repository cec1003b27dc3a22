"""Feature maps to features, by where a lesion seems to be; boxes teach it where that is."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tumorscope.records import Box


class AttentionPool(nn.Module):
    """Pools maps twice: evenly, and by a learned attention to places.

    The even mean keeps the surroundings, by which a meningioma is told from a glioma; the attended
    one what is in the place itself.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score = nn.Conv2d(channels, 1, kernel_size=1)

    def log_attention(self, maps: Tensor) -> Tensor:
        """Return the logarithm of the attention to each place.

        Args:
            maps: float, shape (n, channels, height, width).

        Returns:
            float, shape (n, height · width); its exponential sums to 1 over an image's places.
        """
        scores: Tensor = self.score(maps)
        return scores.flatten(1).float().log_softmax(dim=1)

    def forward(self, maps: Tensor) -> Tensor:
        """Return features, float, shape (n, 2 · channels), of maps as `log_attention` does."""
        attention = self.log_attention(maps).exp()
        places = maps.flatten(2)
        attended = (places * attention.unsqueeze(1)).sum(dim=2)
        return torch.cat([places.mean(dim=2), attended], dim=1)


def box_coverage(boxes: Sequence[Sequence[Box]], height: int, width: int) -> Tensor:
    """Return how much of each place of a map the boxes of an image cover.

    Args:
        boxes: those of each image, in fractions of its sides.
        height: of the map, in places.
        width: likewise.

    Returns:
        float, shape (n, height · width), in [0, 1], of the images' boxes.
    """
    covered = torch.zeros(len(boxes), height, width)
    rows, columns = torch.arange(height), torch.arange(width)
    for number, marked in enumerate(boxes):
        for box in marked:
            down = _overlap(rows, box.y_center * height, box.height * height)
            across = _overlap(columns, box.x_center * width, box.width * width)
            covered[number] += torch.outer(down, across)
    return covered.clamp(max=1).flatten(1)


def _overlap(starts: Tensor, center: float, length: float) -> Tensor:
    """Return how much of each unit interval lies in the one of this centre and length."""
    low = starts.clamp(min=center - length / 2)
    high = (starts + 1).clamp(max=center + length / 2)
    return (high - low).clamp(min=0)


def attention_losses(log_attention: Tensor, covered: Tensor) -> Tensor:
    """Return each image's cross-entropy between where its boxes are and where the attention is.

    Args:
        log_attention: as `AttentionPool.log_attention` gives it.
        covered: as `box_coverage` gives it.

    Returns:
        float in [0, ∞), shape (n,); 0 for an image without a box.
    """
    total = covered.sum(dim=1)
    wanted = covered / total.clamp(min=1e-9).unsqueeze(1)
    return -(wanted * log_attention).sum(dim=1)
