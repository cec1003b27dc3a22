"""Class activation maps: from the last maps of features, how each place speaks for a class.

One pass forward and one backward give all of them. Sources: Selvaraju et al. (2017), Grad-CAM;
Chattopadhyay et al. (2018), Grad-CAM++; Jiang et al. (2021), LayerCAM; Draelos and Carin (2020),
HiResCAM; Muhammad and Yeasin (2020), Eigen-CAM.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tumorscope.errors import UsageError
from tumorscope.model import Classifier
from tumorscope.model.ensemble import JoinedPool, JoinedTrunk
from tumorscope.model.heads import AttentionPool

Maps = NDArray[np.float32]


@dataclass(frozen=True)
class Activations:
    """What a pass through the network leaves at its last maps of features.

    Attributes:
        maps: features, float, shape (n, channels, height, width).
        slopes: of the class's logit by them, the same shape.
    """

    maps: Tensor
    slopes: Tensor


def gradcam(seen: Activations) -> Tensor:
    """Weigh each channel by the mean of its slopes."""
    weights = seen.slopes.mean(dim=(2, 3), keepdim=True)
    return (weights * seen.maps).sum(dim=1).relu()


def gradcam_plus_plus(seen: Activations) -> Tensor:
    """Weigh each channel by its positive slopes, places that are alone more than those together."""
    squared, cubed = seen.slopes**2, seen.slopes**3
    total = seen.maps.sum(dim=(2, 3), keepdim=True)
    below = 2 * squared + total * cubed
    alpha = torch.where(below != 0, squared / torch.where(below != 0, below, 1), 0)
    weights = (alpha * seen.slopes.relu()).sum(dim=(2, 3), keepdim=True)
    return (weights * seen.maps).sum(dim=1).relu()


def layercam(seen: Activations) -> Tensor:
    """Weigh each place of each channel by its own positive slope."""
    return (seen.slopes.relu() * seen.maps).sum(dim=1).relu()


def hirescam(seen: Activations) -> Tensor:
    """Weigh each place of each channel by its own slope: to first order, what it adds."""
    return (seen.slopes * seen.maps).sum(dim=1).relu()


def eigencam(seen: Activations) -> Tensor:
    """Take the first principal component of the features, whatever the class."""
    places = seen.maps.flatten(2)
    centred = places - places.mean(dim=2, keepdim=True)
    directions = torch.linalg.svd(centred.transpose(1, 2), full_matrices=False).Vh[:, :1]
    along: Tensor = (directions @ places).squeeze(1)
    sign = torch.where(along.mean(dim=1, keepdim=True) < 0, -1.0, 1.0)
    signed: Tensor = (along * sign).reshape(-1, *seen.maps.shape[2:])
    return signed.relu()


CLASS_MAPS: dict[str, Callable[[Activations], Tensor]] = {
    "gradcam": gradcam,
    "gradcam++": gradcam_plus_plus,
    "layercam": layercam,
    "hirescam": hirescam,
    "eigencam": eigencam,
}


ATTENTION = "attention"


def class_maps(
    model: Classifier, pixels: Tensor, labels: Tensor, methods: tuple[str, ...]
) -> dict[str, Maps]:
    """Return maps of the places that speak for a class, by method.

    Args:
        model: in evaluation mode.
        pixels: grey levels in [0, 255], float, shape (n, 1, side, side).
        labels: the class of each, int, shape (n,).
        methods: names in `CLASS_MAPS`, or `attention`: where the network's own attention lies,
            whatever the class.

    Returns:
        float32, shape (n, height, width) of the network's last maps each, at least 0.

    Raises:
        UsageError: the network has no maps of features, or no attention.
    """
    seen = activations(model, pixels, labels)
    with torch.no_grad():
        return {
            name: (_attention(model, seen) if name == ATTENTION else CLASS_MAPS[name](seen))
            .float()
            .numpy()
            for name in methods
        }


def _attention(model: Classifier, seen: Activations) -> Tensor:
    if not (isinstance(model.pool, JoinedPool) and model.pool.attends) and not isinstance(
        model.pool, AttentionPool
    ):
        raise UsageError("This network has no attention to show: its recipe's head is another.")
    return model.pool.log_attention(seen.maps).exp().reshape(-1, *seen.maps.shape[2:])


def activations(model: Classifier, pixels: Tensor, labels: Tensor) -> Activations:
    """Return the last maps of features and how a class's logit depends on them.

    Args:
        model: in evaluation mode.
        pixels: as `class_maps` takes them.
        labels: likewise.

    Raises:
        UsageError: the network has no maps of features.
    """
    trunks, front = [model.trunk], []
    if isinstance(model.trunk, JoinedTrunk):
        trunks, front = list(model.trunk.members), [_Last(model.trunk.front)]
    found = [_Last(trunk) for trunk in trunks]
    watched = found + front
    try:
        with torch.enable_grad():
            seen = model.prepared(pixels).requires_grad_()
            logits = model(seen)
            if all(own.output is None for own in found):
                found = front  # which has the last maps where all behind it see none
            outputs = [own.output for own in found if own.output is not None]
            if not outputs:
                raise UsageError(
                    "This network has no maps of features to look at: use occlusion or rise."
                )
            chosen = logits.gather(1, labels[:, None]).sum()
            slopes = torch.autograd.grad(chosen, outputs)
    finally:
        for own in watched:
            own.release()
    return Activations(_side_by_side(found, outputs), _side_by_side(found, slopes))


def _side_by_side(found: Sequence["_Last"], kept: Sequence[Tensor]) -> Tensor:
    """Return as one what each member of a network has, channel after channel."""
    pairs = zip(found, kept, strict=True)
    return torch.cat([own.as_maps(part.detach()) for own, part in pairs], dim=1)


class _Last:
    """Catches the last maps of features that a trunk makes in a pass.

    Of a transformer these are the tokens that its last block takes, since what that block makes
    of all tokens but the first may never be looked at.
    """

    def __init__(self, trunk: nn.Module) -> None:
        self.output: Tensor | None = None
        self._prefix = int(getattr(trunk, "num_prefix_tokens", 0))
        blocks = getattr(trunk, "blocks", None)
        norm = getattr(blocks[-1], "norm1", None) if isinstance(blocks, nn.Sequential) else None
        self._tokens = isinstance(norm, nn.Module) and hasattr(trunk, "patch_embed")
        modules = [norm] if self._tokens else list(trunk.modules())
        self._handles = [m.register_forward_hook(self._keep) for m in modules if m is not None]

    def _keep(self, _: nn.Module, __: object, output: object) -> None:
        """Keep what a module gives, where it is maps or tokens."""
        if not isinstance(output, Tensor):
            return
        if (output.ndim == 4 and min(output.shape[2:]) > 1) or (self._tokens and output.ndim == 3):
            self.output = output

    def as_maps(self, kept: Tensor) -> Tensor:
        """Return maps, shape (n, channels, height, width), of what was kept."""
        if kept.ndim == 3:
            places = kept[:, self._prefix :]
            side = round(places.shape[1] ** 0.5)
            return places.transpose(1, 2).reshape(len(kept), -1, side, side)
        last = (
            kept.shape[1] == kept.shape[2] != kept.shape[3]
        )  # channels last, as windows have them
        return kept.permute(0, 3, 1, 2) if last else kept

    def release(self) -> None:
        """Look no longer."""
        for handle in self._handles:
            handle.remove()
