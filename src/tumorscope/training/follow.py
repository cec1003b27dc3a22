"""Tells the user how far a training is."""

from typing import Any

import lightning.pytorch as lightning

from tumorscope.support.progress import Task
from tumorscope.training import processes
from tumorscope.training.data import Batch
from tumorscope.training.keep import CheckpointWriter


class ProgressReporter(lightning.Callback):
    """Reports each batch and each epoch to a task; comes after the checkpoints in the callbacks."""

    def __init__(self, task: Task, keeper: CheckpointWriter, epochs: int) -> None:
        self.task = task
        self.keeper = keeper
        self.epochs = epochs

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,  # noqa: ARG002
        pl_module: lightning.LightningModule,  # noqa: ARG002
        outputs: Any,  # noqa: ARG002
        batch: Batch,
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """Count the images of a batch, those of the other processes too."""
        self.task.advance(len(batch.labels) * processes.count())

    def on_train_epoch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        """Say how the epoch went, and whether it ended the stage early."""
        epoch = self.keeper.history[-1]
        kept = " (kept so far)" if self.keeper.kept is epoch else ""
        self.task.note(
            f"epoch {epoch['epoch']}/{self.epochs}: loss {epoch['train_loss']:.3f}, "
            f"validation loss {epoch['validation_loss']:.3f}, "
            f"accuracy {epoch['validation_accuracy']:.1%}{kept}"
        )
        if trainer.should_stop:
            self.task.note("ended early: the validation loss has stalled")
