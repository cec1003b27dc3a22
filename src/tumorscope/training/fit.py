"""A whole training, stage by stage."""

import logging
import signal
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import lightning.pytorch as lightning
import numpy as np
import torch
from lightning.pytorch.loggers import Logger
from numpy.typing import NDArray
from safetensors.torch import load_file

from tumorscope.data.store import Store
from tumorscope.errors import Interrupted, OutOfMemory
from tumorscope.model import Classifier
from tumorscope.records import Partition
from tumorscope.schema.recipe import Recipe
from tumorscope.support.progress import Progress, Task
from tumorscope.training import processes
from tumorscope.training.data import Slices
from tumorscope.training.device import settle_precision
from tumorscope.training.follow import ProgressReporter
from tumorscope.training.front import front_outputs
from tumorscope.training.keep import CheckpointWriter, Epoch
from tumorscope.training.memory import keep_freed_memory
from tumorscope.training.schedule import has_stalled
from tumorscope.training.task import Classification, Plan


@dataclass(frozen=True)
class TrainedModel:
    """What a training ends with.

    Attributes:
        model: the network with the weights of the kept epoch, on the CPU, in evaluation mode.
        best: the kept epoch's scores.
        history: every epoch's scores.
    """

    model: Classifier
    best: Epoch
    history: list[Epoch]


def fit(
    model: Classifier,
    store: Store,
    labels: NDArray[np.intp],
    partition: Partition,
    recipe: Recipe,
    folder: Path,
    *,
    device: str,
    progress: Progress,
    loggers: Sequence[Logger] = (),
) -> TrainedModel:
    """Train through all stages of a recipe, going on where `folder` shows an earlier start.

    Args:
        model: the network to train, as `build_classifier` made it.
        store: the pixels, at the recipe's size.
        labels: class numbers of the store's rows, int, shape (rows,).
        partition: which rows to train on and which to validate on.
        recipe: what to do.
        folder: the run's folder; `metrics.csv` and `checkpoints/` are written there.
        device: `cpu`, `cuda` or `mps`.
        progress: where to report.
        loggers: further places for each epoch's scores.

    Raises:
        Interrupted: by Ctrl-C.
        OutOfMemory: the batch or the image is too large for this machine.
    """
    recipe = settle_precision(recipe, device)
    keep_freed_memory()
    # Deterministic mode writes every new tensor twice: a quarter of a step on two cores.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    (folder / "checkpoints").mkdir(exist_ok=True)
    data = Slices(store, labels, partition, recipe, device)
    keeper = CheckpointWriter(folder, recipe.keep)
    if keeper.read_last() and processes.leads():
        keeper.write_history()
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    plan = _plan(data, store, labels, recipe)
    left = recipe.epochs - len(keeper.history)
    with _quiet(), progress.task("training", left * len(data.training)) as task:
        for number, stage in enumerate(recipe.stages):
            losses = keeper.losses(number)
            if len(losses) >= stage.epochs or has_stalled(stage, losses):
                continue
            if losses:
                _load_last(model, keeper.last)
            elif number > 0:
                _load(model, keeper.best)
            model.set_trainable(stage.train)
            keeper.stage = number
            data.first_epoch = len(keeper.history) - len(losses)
            work = Classification(model, recipe, stage, plan, data.first_epoch)
            work.losses = losses
            checkpoint = keeper.last if losses else None
            with front_outputs(
                model, data, recipe, stage, keeper.last.parent, device=device, progress=progress
            ) as work.outputs:
                _run(work, data, keeper, task, checkpoint, device, loggers)
    _load(model, keeper.best)
    return TrainedModel(model.cpu().eval(), keeper.kept, keeper.history)


def _plan(data: Slices, store: Store, labels: NDArray[np.intp], recipe: Recipe) -> Plan:
    classes = len(store.manifest.classes)
    weights = None
    if recipe.class_weights == "balanced":
        counts = np.bincount(labels[data.training], minlength=classes)
        weights = (counts.sum() / (classes * np.maximum(counts, 1))).tolist()
    boxes = [row.boxes for row in store.manifest.rows]
    return Plan(classes, len(store), data.steps, weights, boxes)


def _load(model: Classifier, weights: Path) -> None:
    model.load_state_dict(load_file(weights))


def _load_last(model: Classifier, checkpoint: Path) -> None:
    """Give a model the weights it was stopped with; a frozen front must be what it was."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    own = {k.removeprefix("model."): v for k, v in state.items() if k.startswith("model.")}
    model.load_state_dict(own)


def _run(
    work: Classification,
    data: Slices,
    keeper: CheckpointWriter,
    task: Task,
    checkpoint: Path | None,
    device: str,
    loggers: Sequence[Logger],
) -> None:
    """Run one stage, or what is left of it."""
    follower = ProgressReporter(task, keeper, work.recipe.epochs)
    trainer = lightning.Trainer(
        max_epochs=work.stage.epochs,
        accelerator="gpu" if device == "cuda" else device,
        devices=processes.local_count(),
        num_nodes=processes.count() // processes.local_count(),
        strategy="ddp" if processes.count() > 1 else "auto",
        sync_batchnorm=device == "cuda" and processes.count() > 1,
        use_distributed_sampler=False,  # ours deals each batch out already
        precision="bf16-mixed" if work.recipe.precision == "bfloat16" else "32-true",
        callbacks=[keeper, follower],
        logger=list(loggers),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        reload_dataloaders_every_n_epochs=1,
        deterministic="warn",
    )
    with _explained(work.recipe, keeper):
        trainer.fit(work, datamodule=data, ckpt_path=checkpoint, weights_only=True)


@contextmanager
def _explained(recipe: Recipe, keeper: CheckpointWriter) -> Iterator[None]:
    """Turn what stops a training into a sentence."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except (SystemExit, KeyboardInterrupt) as stop:  # Lightning turns Ctrl-C into an exit
        signal.signal(signal.SIGINT, handler)
        done = len(keeper.history)
        raise Interrupted(
            f"Stopped after {done} of {recipe.epochs} epochs: "
            f"the same command with --out {keeper.folder} --resume goes on from there."
        ) from stop
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        raise OutOfMemory(
            f"Out of memory: lower batch_size (now {recipe.batch_size}) or "
            f"image_size (now {recipe.image_size})."
        ) from error


def _is_out_of_memory(error: BaseException) -> bool:
    texts = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, MemoryError) or any(t in str(error).lower() for t in texts)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning's notices from a user who cannot act on them."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        warnings.filterwarnings("ignore", message=".*does not have a deterministic.*")
        try:
            yield
        finally:
            logger.setLevel(level)
