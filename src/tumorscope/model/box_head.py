"""Where a lesion lies: a small head on a network's maps, which boxes around lesions teach."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from tumorscope.model.heads import attention_losses, box_coverage
from tumorscope.model.sequence import Detail, Seen
from tumorscope.records import Box

WIDTH = 128  # channels of the head
REACH = 2  # places by which a box's centre may lie from the place that tells it, at first
SIDE = 0.16  # of the image, a box's sides before anything is learned
LARGEST = 4.0  # logarithm of a side by that, at most
# Of the parts of the loss: overlap and corners count whole.
HEAT, SCORE = 0.3, 0.3


class Located(NamedTuple):
    """Where a head takes lesions to be.

    Attributes:
        boxes: centre and sides in fractions of the image, x before y, float, shape (n, 4).
        log_heat: logarithm of how probable each place is, float, shape (n, height · width).
        height, width: of the places.
        score: logit of how well the box will overlap the true one, float, shape (n,).
    """

    boxes: Tensor
    log_heat: Tensor
    height: int
    width: int
    score: Tensor


class BoxHead(nn.Module):
    """Tells where the lesion of an image is: each place tells a box, the probable ones count.

    The box is the mean of what all places tell, by how probable they are, so that nothing in it
    jumps between two runtimes that round differently.

    Attributes:
        depth: how many of the trunk's modules give the finer maps; None without any.
    """

    def __init__(self, channels: int, detail: Detail | None) -> None:
        super().__init__()
        self.depth = detail.depth if detail else None
        self.coarse = nn.Conv2d(channels, WIDTH, kernel_size=1)
        self.fine = nn.Conv2d(detail.channels, WIDTH, kernel_size=1) if detail else None
        self.mix = nn.Sequential(
            *(nn.ReLU(), nn.Conv2d(WIDTH, WIDTH, kernel_size=3, padding=1)),
            *(nn.ReLU(), nn.Conv2d(WIDTH, WIDTH, kernel_size=3, padding=1)),
            nn.ReLU(),
        )
        self.tell = nn.Conv2d(WIDTH, 6, kernel_size=1)  # heat, centre, sides, score

    def forward(self, seen: Seen) -> Located:
        """Return where the lesions are."""
        shown: Tensor = self.coarse(seen.maps)
        if self.fine is not None:
            assert seen.detail is not None
            own: Tensor = self.fine(seen.detail)
            shown = functional.interpolate(shown, size=own.shape[2:], mode="nearest") + own
        told = self.tell(self.mix(shown)).float()
        height, width = told.shape[2:]
        heat, centre, sides, score = told.flatten(2).split([1, 2, 2, 1], dim=1)
        log_heat = heat.squeeze(1).log_softmax(dim=1)
        boxes = torch.cat(
            [
                _places(height, width, told.device) + centre * REACH / width,
                sides.clamp(-LARGEST, LARGEST).exp() * SIDE,
            ],
            dim=1,
        )
        chances = log_heat.exp().unsqueeze(1)
        return Located(
            (boxes * chances).sum(dim=2), log_heat, height, width, (score * chances).sum(dim=(1, 2))
        )


def _places(height: int, width: int, device: torch.device) -> Tensor:
    """Return the centres of places, in fractions of the image, shape (2, height · width)."""
    xs = (torch.arange(width, device=device) + 0.5) / width
    ys = (torch.arange(height, device=device) + 0.5) / height
    return torch.stack([xs.repeat(height), ys.repeat_interleave(width)])


def box_losses(located: Located, boxes: Sequence[Sequence[Box]]) -> Tensor:
    """Return how far each image's box is from the one around its lesion.

    Overlap (generalised IoU; Rezatofighi et al., 2019) and corners draw the box, the cross-entropy
    of the heat its place, and the score learns the overlap that was reached.

    Args:
        located: of some images.
        boxes: those of each; the largest is meant where there are several.

    Returns:
        float, shape (n,), at least 0; 0 for an image without a box.
    """
    device = located.boxes.device
    covered = box_coverage(boxes, located.height, located.width).to(device)
    own = [max(marked, key=lambda box: box.width * box.height, default=None) for marked in boxes]
    marked = torch.tensor([box is not None for box in own], device=device)
    wanted = torch.tensor(
        [(b.x_center, b.y_center, b.width, b.height) if b else (0.5, 0.5, 0.5, 0.5) for b in own],
        device=device,
    )
    overlap, apart = box_overlaps(located.boxes, wanted)
    losses = (
        (1 - overlap + apart)
        + (located.boxes - wanted).abs().sum(dim=1)
        + HEAT * attention_losses(located.log_heat, covered)
        + SCORE
        * functional.binary_cross_entropy_with_logits(
            located.score, overlap.detach(), reduction="none"
        )
    )
    return losses * marked


def box_overlaps(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return the overlap of boxes (IoU), and the share of their hull that neither covers.

    Args:
        first: centre and sides, float, shape (n, 4).
        second: likewise.

    Returns:
        Two of float, shape (n,), in [0, 1].
    """
    low, high = first[:, :2] - first[:, 2:] / 2, first[:, :2] + first[:, 2:] / 2
    other_low, other_high = second[:, :2] - second[:, 2:] / 2, second[:, :2] + second[:, 2:] / 2
    common = (torch.minimum(high, other_high) - torch.maximum(low, other_low)).clamp(min=0)
    shared = common.prod(dim=1)
    union = first[:, 2:].prod(dim=1) + second[:, 2:].prod(dim=1) - shared
    hull = (torch.maximum(high, other_high) - torch.minimum(low, other_low)).prod(dim=1)
    return shared / union.clamp(min=1e-9), (hull - union) / hull.clamp(min=1e-9)


def mean_box(located: Located, views: int) -> Tensor:
    """Return the boxes of images from those of their views.

    Args:
        located: of all views of some images: as they are, then mirrored where there are two.
        views: how many there are of each.

    Returns:
        Centre, sides and score, each in [0, 1], float, shape (n, 5), within the image.
    """
    told = torch.cat([located.boxes, located.score.sigmoid().unsqueeze(1)], dim=1)
    if views == 2:
        plain, mirrored = told.reshape(2, -1, told.shape[1])  # not in chunks: a trace fixes these
        told = (plain + torch.cat([1 - mirrored[:, :1], mirrored[:, 1:]], dim=1)) / 2
    low = (told[:, :2] - told[:, 2:4] / 2).clamp(0, 1)
    high = (told[:, :2] + told[:, 2:4] / 2).clamp(0, 1)
    return torch.cat([(low + high) / 2, high - low, told[:, 4:]], dim=1)
