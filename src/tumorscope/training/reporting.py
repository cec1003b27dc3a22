"""Tells the user how far a model is trained."""

from typing import Any

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import ProgressBar

from tumorscope.schema.recipe import Recipe
from tumorscope.support.progress import Progress, Task
from tumorscope.training import processes
from tumorscope.training.data import Batch
from tumorscope.training.history import best_epoch
from tumorscope.training.steps import Classification


class ProgressReporter(ProgressBar):
    """Reports each batch and each epoch to a task, in place of Lightning's own bar."""

    def __init__(self, progress: Progress, task: Task, recipe: Recipe, done: int) -> None:
        """Take over from the epochs that are done.

        Args:
            progress: where to say what has no pace.
            task: where to report batches and epochs.
            recipe: which says how many epochs there are and which is kept.
            done: epochs that were reported before.
        """
        super().__init__()
        self._progress = progress
        self._task = task
        self._recipe = recipe
        self._reported = done

    def disable(self) -> None:
        """Do nothing: processes that do not lead have a task that drops all reports."""

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,  # noqa: ARG002
        pl_module: lightning.LightningModule,  # noqa: ARG002
        outputs: Any,  # noqa: ARG002
        batch: Batch,
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """Count the images of a batch, those of the other processes too."""
        self._task.advance(len(batch.labels) * processes.count())

    def on_train_epoch_start(
        self,
        trainer: lightning.Trainer,  # noqa: ARG002
        pl_module: lightning.LightningModule,
    ) -> None:
        """Say how the epoch before went, now that it is recorded."""
        assert isinstance(pl_module, Classification)
        self._report(pl_module)

    def on_train_end(
        self,
        trainer: lightning.Trainer,  # noqa: ARG002
        pl_module: lightning.LightningModule,
    ) -> None:
        """Say how the last epoch went, and whether it ended the stage early."""
        assert isinstance(pl_module, Classification)
        self._report(pl_module)
        if pl_module.has_stalled:
            self._progress.say("The stage ended early: the validation loss has stalled.")

    def _report(self, steps: Classification) -> None:
        for number in range(self._reported, len(steps.history)):
            epoch = steps.history[number]
            kept = best_epoch(steps.history[: number + 1], self._recipe.keep) is epoch
            self._task.note(
                f"epoch {epoch['epoch']}/{self._recipe.epochs}: "
                f"loss {epoch['train_loss']:.3f}, accuracy {epoch['train_accuracy']:.1%}; "
                f"validation {epoch['validation_loss']:.3f}, {epoch['validation_accuracy']:.1%}"
                f"{' (kept)' if kept else ''}"
            )
        self._reported = len(steps.history)
