"""Rates and endings are functions of the past, and the same as PyTorch's."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import SGD
from torch.optim.lr_scheduler import ReduceLROnPlateau

from tumorscope.schema.recipe import Stage
from tumorscope.training.schedule import has_stalled, plateau_factor, rate_factor

Losses = st.lists(st.floats(0.01, 2), max_size=40)


def test_shapes_begin_peak_and_end_where_they_should() -> None:
    """The factor of a step depends on the step alone, so that resuming changes nothing."""
    cycle = rate_factor(Stage(epochs=10, schedule="one_cycle"), steps=10)
    assert cycle(0) == pytest.approx(0.04)
    assert max(cycle(s) for s in range(101)) == pytest.approx(cycle(30)) == pytest.approx(1)
    assert cycle(100) == pytest.approx(0)
    assert rate_factor(Stage(epochs=1, schedule="cosine"), steps=10)(5) == pytest.approx(0.5)
    assert rate_factor(Stage(epochs=1), steps=10)(7) == 1


def test_a_warm_up_rises_to_the_whole_rate() -> None:
    """Half an epoch of warm-up is over after half an epoch."""
    factor = rate_factor(Stage(epochs=4, warm_up=0.5), steps=20)
    assert [factor(step) for step in (0, 4, 9, 10)] == pytest.approx([0.1, 0.5, 1, 1])


@given(losses=Losses, patience=st.integers(0, 4))
def test_a_plateau_is_pytorchs(losses: list[float], patience: int) -> None:
    """Asked anew each epoch, the factor is that of one scheduler that saw them all."""
    stage = Stage(epochs=99, schedule="plateau", plateau_patience=patience, plateau_factor=0.5)
    optimizer = SGD([torch.zeros(1)], lr=1.0)
    scheduler = ReduceLROnPlateau(optimizer, patience=patience, factor=0.5)
    for number, loss in enumerate(losses):
        scheduler.step(loss)
        seen = losses[: number + 1]
        assert plateau_factor(stage, seen) == pytest.approx(optimizer.param_groups[0]["lr"])
    assert plateau_factor(Stage(epochs=1), losses) == 1


@given(losses=Losses)
def test_no_patience_never_ends_a_stage(losses: list[float]) -> None:
    """Early stopping happens only where it is asked for."""
    assert not has_stalled(Stage(epochs=99), losses)


def test_a_stage_ends_when_the_loss_has_stalled() -> None:
    """After so many epochs without an improvement beyond the least one, not before."""
    stage = Stage(epochs=99, patience=3, min_delta=0.01)
    assert not has_stalled(stage, [1.0, 0.9, 0.895, 0.894])
    assert has_stalled(stage, [1.0, 0.9, 0.895, 0.894, 0.893])
    assert not has_stalled(stage, [1.0, 0.9, 0.895, 0.894, 0.88])
