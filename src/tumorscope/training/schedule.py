"""Learning rates and endings as functions of what has happened, without any memory of their own.

A resumed training asks the same questions of the same history and gets the same answers.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch.optim import SGD
from torch.optim.lr_scheduler import ReduceLROnPlateau

from tumorscope.schema.recipe import Stage

RISE = 0.3  # share of a one-cycle schedule in which the rate rises
START = 0.04  # of its largest rate


def rate_factor(stage: Stage, steps: int) -> Callable[[int], float]:
    """Return the factor of a stage's learning rate as a function of the step within the stage.

    Args:
        stage: its schedule and warm-up; a plateau's share is `plateau_factor`'s.
        steps: batches an epoch.
    """
    shape = _shape(stage.schedule, steps * stage.epochs)
    warm = stage.warm_up * steps
    return lambda step: shape(step) * (min(1.0, (step + 1) / warm) if warm else 1.0)


def _shape(kind: str, steps: int) -> Callable[[int], float]:
    if kind == "cosine":
        return lambda step: _falling(step / steps)
    if kind == "one_cycle":
        peak = max(1.0, RISE * steps)
        rest = max(1.0, steps - peak)
        return lambda step: (
            START + (1 - START) * (1 - _falling(step / peak))
            if step < peak
            else _falling((step - peak) / rest)
        )
    return lambda _: 1.0


def _falling(share: float) -> float:
    """Return half a cosine wave from 1 to 0."""
    return 0.5 * (1 + math.cos(math.pi * min(share, 1)))


def plateau_factor(stage: Stage, losses: Sequence[float]) -> float:
    """Return the learning rate that PyTorch's ReduceLROnPlateau would have after these epochs.

    Args:
        stage: its patience and factor.
        losses: validation loss of each epoch of the stage so far.
    """
    if stage.schedule != "plateau":
        return 1.0
    optimizer = SGD([torch.zeros(1)], lr=1.0)
    scheduler = ReduceLROnPlateau(
        optimizer, patience=stage.plateau_patience, factor=stage.plateau_factor
    )
    for loss in losses:
        scheduler.step(loss)
    return float(optimizer.param_groups[0]["lr"])


def has_stalled(stage: Stage, losses: Sequence[float]) -> bool:
    """Say whether early stopping ends a stage after these epochs.

    Args:
        stage: its patience and least improvement.
        losses: validation loss of each epoch of the stage so far.
    """
    if stage.patience is None:
        return False
    best, waited = math.inf, 0
    for loss in losses:
        improved = loss < best - stage.min_delta
        best, waited = (loss, 0) if improved else (best, waited + 1)
    return waited >= stage.patience
