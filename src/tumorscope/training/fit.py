"""A model trained through all stages of a recipe."""

import logging
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import lightning.pytorch as lightning
import numpy as np
import torch

from tumorscope.data.store import Store
from tumorscope.errors import Interrupted, OutOfMemory
from tumorscope.model import Classifier
from tumorscope.records import Partition
from tumorscope.schema.recipe import Recipe
from tumorscope.training import processes
from tumorscope.training.checkpoints import (
    CheckpointWriter,
    keep_best,
    last_checkpoint,
    load_best,
    load_last,
    read_history,
)
from tumorscope.training.context import TrainingContext
from tumorscope.training.data import Slices, StoreBatches, resident_pixels
from tumorscope.training.device import settle_precision
from tumorscope.training.estimate import foretell
from tumorscope.training.front import Fronts
from tumorscope.training.history import Epoch, best_epoch, stage_losses, write_history
from tumorscope.training.memory import keep_freed_memory
from tumorscope.training.reporting import ProgressReporter
from tumorscope.training.schedule import has_stalled
from tumorscope.training.steps import Classification, Plan, StageStart


@dataclass(frozen=True)
class TrainedModel:
    """What training ends with.

    Attributes:
        model: the network with the weights of the kept epoch, on the CPU, in evaluation mode.
        history: every epoch's scores.
        kept_epoch: the number of the epoch whose weights these are, from 1.
    """

    model: Classifier
    history: list[Epoch]
    kept_epoch: int


def fit(
    model: Classifier, store: Store, partition: Partition, recipe: Recipe, context: TrainingContext
) -> TrainedModel:
    """Train one network through all stages, resuming from its checkpoint, if there is one.

    Args:
        model: the network to train, as `build_member` made it.
        store: the pixels, at the recipe's size.
        partition: which rows to train on and which to validate on.
        recipe: what to do.
        context: the run's folder, the device, and where to report.

    Raises:
        Interrupted: by Ctrl-C.
        OutOfMemory: the batch or the image is too large for this machine.
    """
    recipe = settle_precision(recipe, context.device)
    keep_freed_memory()
    # Deterministic mode also fills new tensors before they are written: a quarter of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    (context.member_folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    history = read_history(context.member_folder)
    if history and processes.leads():
        write_history(context.member_folder, history)  # without epochs that no checkpoint knows
    labels = store.manifest.class_numbers()
    batches = StoreBatches(store, labels, resident_pixels(store, context.device))
    plan = _plan(store, partition, recipe)
    if not history and context.member == 1 and processes.leads():
        images = len(partition.where("train"))
        context.progress.say(foretell(model, recipe, images, context.device))
    fronts = Fronts(model, recipe, context)
    with _quiet():
        for number, stage in enumerate(recipe.stages):
            losses = stage_losses(history, number)
            if len(losses) >= stage.epochs or has_stalled(stage, losses):
                continue
            start = StageStart(number, history)
            data = Slices(batches, partition, recipe, start.first_epoch)
            history = _run_stage(model, start, data, plan, fronts, context)
    load_best(model, context.member_folder, history, recipe.keep)
    if processes.leads():
        keep_best(context.member_folder, history, recipe.keep)
    kept = int(best_epoch(history, recipe.keep)["epoch"])
    return TrainedModel(model.cpu().eval(), history, kept)


def _plan(store: Store, partition: Partition, recipe: Recipe) -> Plan:
    classes, training = len(store.manifest.classes), partition.where("train")
    weights = None
    if recipe.class_weights == "balanced":
        counts = np.bincount(store.manifest.class_numbers()[training], minlength=classes)
        weights = (counts.sum() / (classes * np.maximum(counts, 1))).tolist()
    boxes = [row.boxes for row in store.manifest.rows]
    return Plan(classes, len(store), weights, boxes)


def _run_stage(
    model: Classifier,
    start: StageStart,
    data: Slices,
    plan: Plan,
    fronts: Fronts,
    context: TrainingContext,
) -> list[Epoch]:
    """Run one stage, or what is left of it, and return every epoch's scores so far."""
    recipe, stage = data.recipe, data.recipe.stages[start.number]
    if start.losses:  # Lightning restores these too, but the front's outputs are computed before
        load_last(model, context.member_folder)
    elif start.number > 0:
        # A stage begins where those before it were best.
        load_best(model, context.member_folder, start.history, recipe.keep)
    model.set_trainable(stage.train, stage.statistics)
    title = _title(recipe, start.number, context.member)
    if len(recipe.stages) > 1 or recipe.members > 1:
        context.progress.say(f"{title.capitalize()}: {', '.join(stage.train)} learns.")
    # Stages differ in speed, so that each has a task of its own, which begins when it learns.
    with (
        fronts.of_stage(start.number, data) as outputs,
        context.progress.task(
            title, (stage.epochs - len(start.losses)) * len(data.training)
        ) as task,
    ):
        steps = Classification(model, recipe, start, plan, data.steps, outputs)
        trainer = _trainer(
            recipe,
            stage.epochs,
            context,
            [
                CheckpointWriter(context.member_folder, recipe.keep),
                ProgressReporter(context.progress, task, recipe, len(start.history)),
            ],
        )
        checkpoint = last_checkpoint(context.member_folder) if start.losses else None
        with _readable_errors(recipe, context, steps.history):
            trainer.fit(steps, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    return steps.history


def _title(recipe: Recipe, stage: int, member: int) -> str:
    """Return what learns now, as a progress bar names it."""
    parts = [
        f"{name} {number} of {count}"
        for name, number, count in (
            ("network", member, recipe.members),
            ("stage", stage + 1, len(recipe.stages)),
        )
        if count > 1
    ]
    return ", ".join(parts) or "training"


def _trainer(
    recipe: Recipe, epochs: int, context: TrainingContext, callbacks: list[lightning.Callback]
) -> lightning.Trainer:
    return lightning.Trainer(
        max_epochs=epochs,
        accelerator="gpu" if context.device == "cuda" else context.device,
        devices=_devices(context.device),
        num_nodes=processes.count() // processes.local_count(),
        strategy="ddp" if processes.count() > 1 else "auto",
        sync_batchnorm=context.device == "cuda" and processes.count() > 1,
        use_distributed_sampler=False,  # ours deals each batch out already
        precision="bf16-mixed" if recipe.precision == "bfloat16" else "32-true",
        callbacks=callbacks,
        logger=list(context.loggers),
        enable_model_summary=False,  # it would print between the lines of the progress
        num_sanity_val_steps=0,
        reload_dataloaders_every_n_epochs=1,
        deterministic="warn",  # an operation without such an implementation runs all the same
    )


def _devices(device: str) -> int | list[int]:
    """Return what each machine trains on, as Lightning takes it: a count, or the chosen GPU."""
    if device == "cuda" and processes.count() == 1:
        return [torch.cuda.current_device()]
    return processes.local_count()


@contextmanager
def _readable_errors(
    recipe: Recipe, context: TrainingContext, history: list[Epoch]
) -> Iterator[None]:
    """Turn Ctrl-C and a lack of memory into a sentence that says how to go on."""
    handler = signal.getsignal(signal.SIGINT)
    own = f" of network {context.member} of {recipe.members}" if recipe.members > 1 else ""
    try:
        yield
    except (SystemExit, KeyboardInterrupt) as stop:  # Lightning turns Ctrl-C into an exit
        signal.signal(signal.SIGINT, handler)  # Lightning leaves it deaf
        raise Interrupted(
            f"Stopped after {len(history)} of {recipe.epochs} epochs{own}: the same command with "
            f"--out {context.folder} --resume continues from there."
        ) from stop
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        raise OutOfMemory(
            f"Out of memory: lower batch_size (now {recipe.batch_size}) or "
            f"image_size (now {recipe.image_size})."
        ) from error


def _is_out_of_memory(error: BaseException) -> bool:
    markers = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, MemoryError) or any(m in str(error).lower() for m in markers)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep notices of Lightning and of operations that do not repeat to the bit from the user."""
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
