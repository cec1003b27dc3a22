"""A trunk in two: the frozen front, whose outputs never change, and what learns from them."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from tumorscope.model.classifier import Classifier

TOLERANCE = 1e-4  # between the trunk and its modules one after the other


class Halves:
    """The two halves of a classifier's trunk; their modules remain the classifier's.

    Attributes:
        front: grey levels, as the classifier takes them, to what the rest learns from.
        rest: that to features.
    """

    def __init__(self, model: Classifier, front: nn.Sequential, rest: nn.Sequential) -> None:
        self._model = model
        self._front = front
        self._rest = rest

    def front(self, pixels: Tensor) -> Tensor:
        """Return the outputs of the frozen front."""
        found: Tensor = self._front(self._model.normalized(pixels))
        return found

    def back(self, outputs: Tensor) -> Tensor:
        """Return what the whole trunk gives, from the outputs of the front."""
        found: Tensor = self._rest(outputs)
        return found

    def logits(self, outputs: Tensor) -> Tensor:
        """Return logits, float, shape (n, classes), from the outputs of the front."""
        return self._model.decide(self.back(outputs))


def split_trunk(model: Classifier, side: int) -> Halves | None:
    """Split a classifier's trunk before the first module that learns.

    Args:
        model: a classifier of which `set_trainable` has chosen what learns.
        side: of its images, in pixels.

    Returns:
        Its halves; None where nothing in front is frozen, or where the network is more than its
        modules one after the other, so that it cannot be cut.
    """
    parts = list(_in_order(model.trunk))
    learns = [any(p.requires_grad for p in part.parameters()) for part in parts]
    first = learns.index(True) if True in learns else len(parts)
    if not any(True for part in parts[:first] for _ in part.parameters()):
        return None
    halves = Halves(model, nn.Sequential(*parts[:first]), nn.Sequential(*parts[first:]))
    return halves if _same(model, halves, side) else None


def _in_order(module: nn.Module) -> Iterator[nn.Module]:
    """Yield a module's children in the order they were made, those of sequences one by one."""
    for child in module.children():
        if type(child) is nn.Sequential:
            yield from _in_order(child)
        else:
            yield child


def _same(model: Classifier, halves: Halves, side: int) -> bool:
    """Say whether the halves, one after the other, answer as the whole does."""
    was_training = model.training
    model.eval()
    noise = torch.rand(2, 1, side, side, generator=torch.Generator().manual_seed(0)) * 255
    try:
        with torch.inference_mode():
            expected = model(noise)
            found = halves.logits(halves.front(noise))
    except (RuntimeError, TypeError, ValueError):
        return False
    finally:
        model.train(was_training)
    return found.shape == expected.shape and bool((found - expected).abs().max() < TOLERANCE)
