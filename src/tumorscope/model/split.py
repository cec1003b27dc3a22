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
    """

    def __init__(self, model: Classifier, front: list[nn.Module], rest: list[nn.Module]) -> None:
        self._model = model
        self.front = _behind_normalization(model, front)
        self._rest = nn.Sequential(*rest)

    def back(self, outputs: Tensor) -> Tensor:
        """Return what the whole trunk gives, from the outputs of the front."""
        logits: Tensor = self._rest(outputs)
        return logits

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
    """Return how many modules of the trunk run before the first that learns."""
    learns = [any(p.requires_grad for p in part.parameters()) for part in _in_order(model.trunk)]
    return learns.index(True) if True in learns else len(learns)


def split_trunk(model: Classifier, side: int) -> Halves | None:
    """Split a classifier's trunk before the first module that learns.

    Args:
        model: a classifier of which `set_trainable` has chosen what learns.
        side: of its images, in pixels.

    Returns:
        Its halves; None where nothing in front is frozen, or where the network is more than its
        modules one after the other, so that it cannot be cut.
    """
    parts, depth = list(_in_order(model.trunk)), frozen_depth(model)
    if not any(True for part in parts[:depth] for _ in part.parameters()):
        return None
    halves = Halves(model, parts[:depth], parts[depth:])
    return halves if _same(model, halves, side) else None


def front_of(model: Classifier, depth: int) -> nn.Module:
    """Return what takes grey levels through so many modules of the trunk."""
    return _behind_normalization(model, list(_in_order(model.trunk))[:depth])


def between(model: Classifier, first: int, last: int) -> nn.Module:
    """Return the modules of the trunk from one depth to another, one after the other."""
    return nn.Sequential(*list(_in_order(model.trunk))[first:last])


def _behind_normalization(model: Classifier, parts: list[nn.Module]) -> nn.Module:
    return nn.Sequential(_Normalization(model), *parts)


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
