"""A trunk in two: the frozen front, whose outputs never change, and what learns from them."""

import torch
from torch import Tensor, nn

from tumorscope.model.classifier import Classifier
from tumorscope.model.sequence import TOLERANCE, Seen, in_order


class Halves:
    """The two halves of a classifier's trunk; their modules remain the classifier's.

    Attributes:
        front: grey levels, as the classifier takes them, to what the rest learns from.
    """

    def __init__(self, model: Classifier, depth: int) -> None:
        self._model = model
        self._depth = depth
        self.front = front_of(model, depth)

    def back(self, outputs: Tensor) -> Seen:
        """Return what the whole trunk gives, from the outputs of the front."""
        return self._model.see_further(outputs, self._depth)

    def logits(self, outputs: Tensor) -> Tensor:
        """Return logits, float, shape (n, classes), from the outputs of the front."""
        return self._model.decide(self.back(outputs))


class _Normalization(nn.Module):
    """The classifier's own, which stays where the classifier is."""

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self._of = (model,)  # in a tuple, as the classifier is no part of this module

    def forward(self, pixels: Tensor) -> Tensor:
        """Return what the classifier gives its trunk."""
        return self._of[0].normalized(pixels)


def frozen_depth(model: Classifier) -> int:
    """Return how many modules of the trunk run before the first that learns.

    Where the network localises, no more than give the finer maps that it looks at.
    """
    learns = [any(p.requires_grad for p in part.parameters()) for part in in_order(model.trunk)]
    depth = learns.index(True) if True in learns else len(learns)
    finer = model.box_head.depth if model.box_head else None
    return depth if finer is None else min(depth, finer)


def split_trunk(model: Classifier, side: int) -> Halves | None:
    """Split a classifier's trunk before the first module that learns.

    Args:
        model: a classifier of which `set_trainable` has chosen what learns.
        side: of its images, in pixels.

    Returns:
        Its halves; None where nothing in front is frozen, or where the network is more than its
        modules one after the other, so that it cannot be cut.
    """
    parts, depth = list(in_order(model.trunk)), frozen_depth(model)
    if not any(True for part in parts[:depth] for _ in part.parameters()):
        return None
    halves = Halves(model, depth)
    return halves if _same(model, halves, side) else None


def front_of(model: Classifier, depth: int) -> nn.Module:
    """Return what takes grey levels through so many modules of the trunk."""
    return nn.Sequential(_Normalization(model), *list(in_order(model.trunk))[:depth])


def between(model: Classifier, first: int, last: int) -> nn.Module:
    """Return the modules of the trunk from one depth to another, one after the other."""
    return nn.Sequential(*list(in_order(model.trunk))[first:last])


def _same(model: Classifier, halves: Halves, side: int) -> bool:
    """Say whether the halves, one after the other, answer as the whole does."""
    was_training = model.training
    model.eval()
    noise = torch.rand(2, 1, side, side, generator=torch.Generator().manual_seed(0)) * 255
    noise = noise.to(model.mean.device)
    try:
        with torch.inference_mode():
            expected = model(noise)
            answers = halves.logits(halves.front(noise))
    except (RuntimeError, TypeError, ValueError):
        return False
    finally:
        model.train(was_training)
    return answers.shape == expected.shape and bool((answers - expected).abs().max() < TOLERANCE)
