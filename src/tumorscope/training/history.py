"""The scores of every epoch, and which epoch is kept."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from tumorscope.support.files import write_csv

COLUMNS = (
    "epoch",
    "stage",
    "learning_rate",
    "train_loss",
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
)
Epoch = dict[str, float | int]
Keep = Literal["accuracy", "loss", "last"]


def best_epoch(history: Sequence[Epoch], keep: Keep = "accuracy") -> Epoch:
    """Return the epoch whose weights are kept.

    The best validation accuracy, of equal ones the least loss; or the least loss; or the last.
    """
    if keep == "last":
        return history[-1]
    if keep == "loss":
        return min(history, key=lambda e: e["validation_loss"])
    return max(history, key=lambda e: (e["validation_accuracy"], -e["validation_loss"]))


def best_of_stages(history: Sequence[Epoch], keep: Keep) -> dict[int, Epoch]:
    """Return the best epoch of each stage, by the number of the stage from 0."""
    stages = sorted({int(epoch["stage"]) for epoch in history})
    return {
        stage: best_epoch([epoch for epoch in history if epoch["stage"] == stage], keep)
        for stage in stages
    }


def stage_losses(history: Sequence[Epoch], stage: int) -> list[float]:
    """Return the validation loss of each epoch that a stage has done."""
    return [epoch["validation_loss"] for epoch in history if epoch["stage"] == stage]


def write_history(folder: Path, history: Sequence[Epoch]) -> None:
    """Write `metrics.csv` into a run's folder."""
    write_csv(folder / "metrics.csv", COLUMNS, [[e[name] for name in COLUMNS] for e in history])
