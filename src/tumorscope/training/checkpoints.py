"""What is kept while a model trains: the best weights, and the state to continue from."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import Checkpoint
from safetensors.torch import load_file, save

from tumorscope.errors import DataError
from tumorscope.model import Classifier
from tumorscope.support.files import replacing, write_bytes
from tumorscope.training import processes
from tumorscope.training.history import Epoch, Keep, best_epoch, best_of_stages, write_history
from tumorscope.training.steps import HISTORY, Classification


def last_checkpoint(folder: Path) -> Path:
    """Return where the state to continue from is kept."""
    return folder / "checkpoints" / "last.ckpt"


def stage_weights(folder: Path, stage: int) -> Path:
    """Return where the weights of a stage's best epoch are kept; stages count from 0 here."""
    return folder / "checkpoints" / f"stage-{stage + 1}.safetensors"


def best_weights(folder: Path) -> Path:
    """Return where the weights of the best epoch of all are kept once training has ended."""
    return folder / "checkpoints" / "best.safetensors"


class CheckpointWriter(Checkpoint):
    """Writes `metrics.csv` and `checkpoints/` at the end of each epoch.

    Each stage's best weights have a file of their own, so that stages can be compared.

    The whole history travels in the checkpoint and `metrics.csv` is rewritten from it, so that an
    epoch which is run again after an interruption does not stand there twice. The best weights are
    written before the checkpoint that says which epoch they are of: a kill between the two makes
    the resumed run do that epoch again, to the same end.
    """

    def __init__(self, folder: Path, keep: Keep) -> None:
        self.folder = folder
        self.keep = keep

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Keep the epoch's weights if they are the best, and make the epoch resumable."""
        assert isinstance(pl_module, Classification)
        history = pl_module.history
        if processes.leads():
            stage, best = list(best_of_stages(history, self.keep).items())[-1]
            if best is history[-1]:
                weights = contiguous(pl_module.kept_model.state_dict())
                write_bytes(stage_weights(self.folder, stage), save(weights))
            with replacing(last_checkpoint(self.folder)) as temporary:
                trainer.save_checkpoint(temporary)
            write_history(self.folder, history)
        else:
            trainer.save_checkpoint(last_checkpoint(self.folder))  # the leader waits for it
        scores = {n: v for n, v in history[-1].items() if n not in ("epoch", "stage")}
        for logger in trainer.loggers:
            logger.log_metrics(scores, step=int(history[-1]["epoch"]))


def read_history(folder: Path) -> list[Epoch]:
    """Return the epochs that a run has done, as its checkpoint has them; none without one.

    Raises:
        DataError: the checkpoint is damaged.
    """
    path = last_checkpoint(folder)
    if not path.is_file():
        return []
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        return list(saved[HISTORY])
    except Exception as error:  # whatever a damaged file makes the reader raise
        raise DataError(f"{path} is damaged: start again with --overwrite.") from error


def load_best(model: Classifier, folder: Path, history: Sequence[Epoch], keep: Keep) -> None:
    """Give a model the weights of the best of these epochs, which is the best of its stage too."""
    load_stage(model, folder, int(best_epoch(history, keep)["stage"]))


def keep_best(folder: Path, history: Sequence[Epoch], keep: Keep) -> None:
    """Give the weights of the best epoch of all a file of their own."""
    stage = int(best_epoch(history, keep)["stage"])
    with replacing(best_weights(folder)) as temporary:
        shutil.copyfile(stage_weights(folder, stage), temporary)


def load_stage(model: Classifier, folder: Path, stage: int) -> None:
    """Give a model the weights of a stage's best epoch."""
    model.load_state_dict(load_file(stage_weights(folder, stage)))


def load_last(model: Classifier, folder: Path) -> None:
    """Give a model the weights it was stopped with; a frozen front must be what it was."""
    saved = torch.load(last_checkpoint(folder), map_location="cpu", weights_only=True)
    weights = saved["state_dict"].items()
    own = {k.removeprefix("model."): v for k, v in weights if k.startswith("model.")}
    model.load_state_dict(own)


def contiguous(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return a state as safetensors wants it: on the CPU, in plain memory order."""
    return {name: value.detach().cpu().contiguous() for name, value in state.items()}
