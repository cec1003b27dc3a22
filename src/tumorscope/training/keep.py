"""What is kept while a training runs: the history, the best weights, the way to go on."""

from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as lightning
import torch
from safetensors.torch import save

from tumorscope.errors import DataError
from tumorscope.support.files import replacing, write_bytes, write_csv
from tumorscope.training import processes
from tumorscope.training.schedule import has_stalled
from tumorscope.training.task import Classification

HISTORY = (
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


class CheckpointWriter(lightning.Callback):
    """Writes `metrics.csv` and `checkpoints/` at the end of each epoch.

    The whole history travels in the checkpoint and `metrics.csv` is rewritten from it, so that an
    epoch which is run again after an interruption does not stand there twice. The best weights are
    written before the checkpoint that says which epoch they are of: a kill between the two makes
    the resumed run do that epoch again, to the same end.
    """

    def __init__(self, folder: Path, keep: Keep = "accuracy") -> None:
        self.folder = folder
        self.keep = keep
        self.stage = 0
        self.history: list[Epoch] = []

    @property
    def last(self) -> Path:
        """The checkpoint from which a run goes on."""
        return self.folder / "checkpoints" / "last.ckpt"

    @property
    def best(self) -> Path:
        """The weights of the best epoch."""
        return self.folder / "checkpoints" / "best.safetensors"

    def state_dict(self) -> dict[str, Any]:
        """Return what goes into the checkpoint."""
        return {"stage": self.stage, "history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what came from the checkpoint."""
        self.stage = state_dict["stage"]
        self.history = list(state_dict["history"])

    def read_last(self) -> bool:
        """Take over the last checkpoint's stage and history, if there is one.

        Raises:
            DataError: the checkpoint is damaged.
        """
        if not self.last.is_file():
            return False
        try:
            saved = torch.load(self.last, map_location="cpu", weights_only=True)
            self.load_state_dict(saved["callbacks"][self.state_key])
        except Exception as error:  # whatever a damaged file makes the reader raise
            raise DataError(f"{self.last} is damaged: start anew with --overwrite.") from error
        return True

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Record the epoch, keep its weights if they are the best, and make it resumable.

        Also ends a stage that has stalled.
        """
        assert isinstance(pl_module, Classification)
        scores = pl_module.take_scores()
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        self.history.append(
            {"epoch": pl_module.epoch + 1, "stage": self.stage, "learning_rate": rate, **scores}
        )
        pl_module.losses.append(scores["validation_loss"])
        if processes.leads():
            if self.kept is self.history[-1]:
                write_bytes(self.best, save(contiguous(pl_module.kept_model.state_dict())))
            with replacing(self.last) as temporary:
                trainer.save_checkpoint(temporary)
            self.write_history()
        else:
            trainer.save_checkpoint(self.last)  # writes nothing, but the leader waits for it
        for logger in trainer.loggers:
            logger.log_metrics({**scores, "learning_rate": rate}, step=pl_module.epoch + 1)
        trainer.should_stop = has_stalled(pl_module.stage, pl_module.losses)

    @property
    def kept(self) -> Epoch:
        """The epoch whose weights are kept, of those so far."""
        return best_epoch(self.history, self.keep)

    def losses(self, stage: int) -> list[float]:
        """Return the validation loss of each epoch that a stage has done."""
        return [epoch["validation_loss"] for epoch in self.history if epoch["stage"] == stage]

    def write_history(self) -> None:
        """Write `metrics.csv`."""
        rows = [[epoch[name] for name in HISTORY] for epoch in self.history]
        write_csv(self.folder / "metrics.csv", HISTORY, rows)


def best_epoch(history: list[Epoch], keep: Keep = "accuracy") -> Epoch:
    """Return the epoch whose weights are kept.

    The best validation accuracy, of equal ones the least loss; or the least loss; or the last.
    """
    if keep == "last":
        return history[-1]
    if keep == "loss":
        return min(history, key=lambda e: e["validation_loss"])
    return max(history, key=lambda e: (e["validation_accuracy"], -e["validation_loss"]))


def contiguous(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return a state as safetensors wants it: on the CPU, in plain memory order."""
    return {name: value.detach().cpu().contiguous() for name, value in state.items()}
