"""A trunk as its modules one after the other, and where in it the maps are finer than the last."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

TOLERANCE = 1e-4  # between a trunk and its modules one after the other


class Seen(NamedTuple):
    """What a trunk makes of images.

    Attributes:
        maps: its features, float, shape (n, features), or maps of them, (n, features, height,
            width), where something behind it looks at places.
        detail: maps twice as fine, of an earlier module; None where nothing looks at them.
    """

    maps: Tensor
    detail: Tensor | None = None


class Detail(NamedTuple):
    """Where a trunk's maps are twice as fine as the last.

    Attributes:
        depth: how many of its modules give them.
        channels: how many they have.
    """

    depth: int
    channels: int


def in_order(module: nn.Module) -> Iterator[nn.Module]:
    """Yield a module's children in the order they were made, those of sequences one by one."""
    for child in module.children():
        if type(child) is nn.Sequential:
            yield from in_order(child)
        else:
            yield child


def run_through(modules: Sequence[nn.Module], value: Tensor) -> Tensor:
    """Return what modules make of a value, one after the other."""
    for module in modules:
        value = module(value)
    return value


def find_detail(trunk: nn.Module, side: int) -> Detail | None:
    """Return where a trunk's maps are twice as fine as its last.

    Args:
        trunk: it gives maps, float, shape (n, channels, height, width).
        side: of its images, in pixels.

    Returns:
        The last such place; None where there is none, or where the trunk is more than its modules
        one after the other.
    """
    ramp = torch.linspace(-1, 1, 3 * side * side).reshape(1, 3, side, side)
    was_training = trunk.training
    trunk.eval()
    found, value = None, ramp
    try:
        with torch.inference_mode():
            maps = trunk(ramp)
            for number, module in enumerate(in_order(trunk)):
                value = module(value)
                if value.ndim == 4 and value.shape[2] >= 2 * maps.shape[2]:
                    found = Detail(number + 1, value.shape[1])
    except (RuntimeError, TypeError, ValueError):
        return None
    finally:
        trunk.train(was_training)
    same = value.shape == maps.shape and bool((value - maps).abs().max() < TOLERANCE)
    return found if same else None
