"""One stage as a Lightning module: its training step and its validation step."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy

from tumorscope.errors import Diverged
from tumorscope.model import Classifier, Halves, split_trunk
from tumorscope.model.augmentation import augment, augment_boxes, draw_edits, draw_uniforms, edit
from tumorscope.model.box_head import box_losses
from tumorscope.model.changes import FilledLesions
from tumorscope.model.heads import AttentionPool, attention_losses, box_coverage
from tumorscope.model.sequence import Seen
from tumorscope.records import Box
from tumorscope.schema.recipe import Recipe
from tumorscope.training import processes
from tumorscope.training.data import Batch
from tumorscope.training.front import FrontOutputs, view_uniforms
from tumorscope.training.history import Epoch, stage_losses
from tumorscope.training.schedule import has_stalled, plateau_factor, rate_factor

DROPOUT = 2  # keeps the draws inside the network apart from others of the same seed and epoch
TINY = 1e-12  # keeps the loss of a probability that rounds to zero finite
BOX_WEIGHT = 0.5  # of the loss of boxes, beside that of classes
HISTORY = "history"  # of the epochs, in a checkpoint


@dataclass(frozen=True)
class Plan:
    """What a training step needs to know about the data.

    Attributes:
        classes: how many there are.
        rows: images in the store.
        class_weights: one a class, None where all count alike.
        boxes: those of each row, in fractions of the image.
    """

    classes: int
    rows: int
    class_weights: Sequence[float] | None
    boxes: Sequence[Sequence[Box]]


@dataclass(frozen=True)
class StageStart:
    """Where a stage begins, or is taken up again.

    Attributes:
        number: of the stage, from 0.
        history: every epoch's scores so far.
    """

    number: int
    history: Sequence[Epoch]

    @property
    def losses(self) -> list[float]:
        """The validation loss of each epoch that the stage has done."""
        return stage_losses(self.history, self.number)

    @property
    def first_epoch(self) -> int:
        """How many epochs earlier stages took."""
        return len(self.history) - len(self.losses)


class Classification(lightning.LightningModule):
    """Cross-entropy training of a classifier through one stage of a recipe.

    All randomness is drawn anew from seed, epoch and batch, so that a resumed run goes the way the
    uninterrupted one would have gone.

    Attributes:
        history: every epoch's scores, those of earlier stages included.
    """

    class_weights: Tensor | None

    def __init__(
        self,
        model: Classifier,
        recipe: Recipe,
        start: StageStart,
        plan: Plan,
        steps: int,
        outputs: FrontOutputs | None = None,
    ) -> None:
        """Take up a stage.

        Args:
            model: the network; its trainable blocks are the stage's.
            recipe: what to do.
            start: which stage, and what was done before.
            plan: what a step must know of the data.
            steps: batches an epoch.
            outputs: those of the frozen front, where they were computed beforehand.
        """
        super().__init__()
        self.model = model
        self.averaged = _averaged(model, recipe.weight_averaging)
        # What DistributedDataParallel shall not wait for: the average learns by no gradient.
        self._ddp_params_and_buffers_to_ignore = [
            name for name in self.state_dict() if name.startswith("averaged.")
        ]
        self.recipe = recipe
        self.stage = recipe.stages[start.number]
        self.history: list[Epoch] = list(start.history)
        self._start = start
        self._plan = plan
        self._steps = steps
        self._outputs = outputs
        self._factor = rate_factor(self.stage, steps)
        self._plateau = 1.0
        self._lesions = FilledLesions()
        self._uniforms: Tensor | None = None
        self._split: dict[Classifier, Halves] = {}
        weights = None if plan.class_weights is None else torch.tensor(plan.class_weights)
        self.register_buffer("class_weights", weights, persistent=False)
        # A loss that is no number must show: the meters would leave it out.
        meters = (MeanMetric(nan_strategy="disable") for _ in range(2))
        self.training_loss, self.validation_loss = meters
        self.training_accuracy = MulticlassAccuracy(plan.classes, average="micro")
        self.validation_accuracy = MulticlassAccuracy(plan.classes, average="micro")

    @property
    def kept_model(self) -> Classifier:
        """The model that is validated and kept: the averaged one where there is one."""
        kept = self.model if self.averaged is None else self.averaged.module
        assert isinstance(kept, Classifier)
        return kept

    @property
    def view(self) -> int:
        """The view of this epoch, 0 the plain image, where views come in turn."""
        return self.current_epoch % (self.stage.views or 1)

    @property
    def epoch(self) -> int:
        """Epochs done before this one, those of earlier stages included."""
        return self._start.first_epoch + self.current_epoch

    def on_train_epoch_start(self) -> None:
        """Draw what the augmentation of this epoch needs, and look back at the losses."""
        seed, rows = self.recipe.seed, self._plan.rows
        if self.stage.views is None:
            drawn: Tensor | None = draw_uniforms(seed, self.epoch, rows)
        else:
            drawn = view_uniforms(seed, self.view, rows)
        self._uniforms = None if drawn is None else drawn.to(self.device)
        self._plateau = plateau_factor(self.stage, stage_losses(self.history, self._start.number))

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Set the rate, and seed dropout and its like from seed, epoch and batch."""
        step = self.current_epoch * self._steps + batch_idx
        rate = self.stage.learning_rate * self._factor(step) * self._plateau
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = rate
        own = [processes.rank()] if processes.rank() else []
        words = np.random.SeedSequence([self.recipe.seed, DROPOUT, self.epoch, batch_idx, *own])
        torch.manual_seed(int(words.generate_state(1, np.uint64)[0] >> 1))

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Return the loss of one augmented batch."""
        batch, filled = self._edited(batch)
        seen = self._see(batch)
        logits = self.model.decide(seen).float()
        losses = functional.cross_entropy(
            logits,
            batch.labels,
            weight=self.class_weights,
            label_smoothing=self.recipe.label_smoothing,
            reduction="none",
        )
        weights = self._weights(batch.labels)
        if filled is not None:
            losses = torch.where(filled, -weights * logits.log_softmax(dim=1).mean(dim=1), losses)
        loss = _mean(losses.sum(), weights.sum())
        images = processes.summed(torch.full((), float(len(batch.labels)), device=self.device))
        self.training_loss.update(loss.detach(), weight=images / processes.count())
        self.training_accuracy.update(logits.detach(), batch.labels)
        if self.recipe.attention_weight or self.recipe.localise:
            boxes = self._boxes(batch, filled)
            if self.recipe.attention_weight:
                loss = loss + self.recipe.attention_weight * self._attention_loss(seen, boxes)
            if self.model.box_head is not None:
                losses = box_losses(self.model.box_head(seen), boxes)
                marked = torch.tensor(sum(map(bool, boxes)), device=losses.device)
                loss = loss + BOX_WEIGHT * _mean(losses.sum(), marked)
        return loss

    def _weights(self, labels: Tensor) -> Tensor:
        """Return how much each image of a batch counts."""
        if self.class_weights is None:
            return torch.ones(len(labels), device=labels.device)
        return self.class_weights[labels]

    def _see(self, batch: Batch) -> Seen:
        """Return what the trunk makes of one batch, augmented as this epoch does."""
        if self._outputs is not None:
            return self._halves(self.model).back(self._read(batch, self.view))
        pixels = batch.pixels.float()
        if self._uniforms is not None:
            pixels = augment(pixels, self._uniforms[batch.rows], self.recipe.augment)
        side = self.stage.side(self.current_epoch, self.recipe.image_size)
        if side != self.recipe.image_size:
            pixels = functional.interpolate(pixels, (side, side), mode="bilinear", antialias=True)
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        return self.model.see(pixels)

    def _edited(self, batch: Batch) -> tuple[Batch, Tensor | None]:
        """Return a batch with what its images lose, and which have lost their lesion."""
        if not self.recipe.augment.edits:
            return batch, None
        rows = batch.rows.tolist()
        boxes = [self._plan.boxes[row] for row in rows]
        drawn = draw_edits(self.recipe.seed, self.epoch, self._plan.rows)[rows]
        spec, lesions = self.recipe.augment, self._lesions
        pixels, filled = edit(batch.pixels, rows, boxes, drawn, spec, lesions)
        return batch._replace(pixels=pixels), filled

    def _boxes(self, batch: Batch, filled: Tensor | None) -> list[Sequence[Box]]:
        """Return the boxes of each image of a batch, changed as its pixels were."""
        boxes = [self._plan.boxes[row] for row in batch.rows.tolist()]
        if filled is not None:
            boxes = [() if gone else own for own, gone in zip(boxes, filled.tolist(), strict=True)]
        if self._uniforms is not None:
            drawn, side = self._uniforms[batch.rows].cpu(), self.recipe.image_size
            boxes = [
                augment_boxes(marked, own, self.recipe.augment, side) if marked else marked
                for marked, own in zip(boxes, drawn, strict=True)
            ]
        return boxes

    def _attention_loss(self, seen: Seen, boxes: Sequence[Sequence[Box]]) -> Tensor:
        """Return how far the attention is from the boxes."""
        assert isinstance(self.model.pool, AttentionPool)
        maps = seen.maps
        covered = box_coverage(boxes, *maps.shape[2:]).to(maps.device)
        losses = attention_losses(self.model.pool.log_attention(maps), covered)
        return _mean(losses.sum(), (covered.sum(dim=1) > 0).sum())

    def _read(self, batch: Batch, view: int) -> Tensor:
        assert self._outputs is not None
        return self._outputs.read(batch.rows.tolist(), view).to(self.device)

    def _halves(self, model: Classifier) -> Halves:
        """Return the halves of the model that learns, or of its average."""
        if model not in self._split:
            halves = split_trunk(model, self.recipe.image_size)
            assert halves is not None
            self._split[model] = halves
        return self._split[model]

    def on_train_batch_end(self, *_: Any) -> None:
        """Move the averaged weights one step."""
        if self.averaged is not None:
            self.averaged.update_parameters(self.model)

    def on_validation_epoch_start(self) -> None:
        """Forget the last validation; all processes score the leader's network."""
        processes.follow_leader(self.kept_model)
        self.validation_loss.reset()
        self.validation_accuracy.reset()

    def validation_step(self, batch: Batch, _: int) -> None:
        """Score one batch as it is answered, but for the mirror images."""
        if not len(batch.labels):  # fewer images than processes
            return
        if self._outputs is not None:
            logits = self._halves(self.kept_model).logits(self._read(batch, view=0))
        else:
            logits = self.kept_model(self.kept_model.prepared(batch.pixels.float()))
        chances = logits.float().softmax(dim=1)
        loss = functional.nll_loss(chances.clamp(min=TINY).log(), batch.labels)
        self.validation_loss.update(loss, weight=len(batch.labels))
        self.validation_accuracy.update(chances, batch.labels)

    def on_train_epoch_end(self) -> None:
        """Record the epoch's scores, and end a stage that has stalled."""
        meters = {
            "train_loss": self.training_loss,
            "train_accuracy": self.training_accuracy,
            "validation_loss": self.validation_loss,
            "validation_accuracy": self.validation_accuracy,
        }
        scores = {name: float(meter.compute()) for name, meter in meters.items()}
        for meter in meters.values():
            meter.reset()
        rate = float(self.trainer.optimizers[0].param_groups[0]["lr"])
        self._refuse_divergence(scores, rate)
        row = {"epoch": self.epoch + 1, "stage": self._start.number, "learning_rate": rate}
        self.history.append({**row, **scores})
        self.trainer.should_stop = self.has_stalled

    def _refuse_divergence(self, scores: dict[str, float], rate: float) -> None:
        """Stop before an epoch is kept whose losses are no numbers: none after it would be."""
        if all(math.isfinite(score) for score in scores.values()):
            return
        raise Diverged(
            f"The loss is no number any more in epoch {self.epoch + 1}, at a learning rate of "
            f"{rate:.2g}: lower it (learning_rate={self.stage.learning_rate / 10:.2g}), or set "
            "precision=single. --resume would come to the same end."
        )

    @property
    def has_stalled(self) -> bool:
        """Whether early stopping ends the stage after its last epoch."""
        return has_stalled(self.stage, stage_losses(self.history, self._start.number))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Let the history travel in the checkpoint."""
        checkpoint[HISTORY] = self.history

    def configure_optimizers(self) -> Optimizer:
        """Return the stage's optimiser; its rate is set before every batch."""
        rate, decay = self.stage.learning_rate, self.stage.weight_decay
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        if self.stage.optimizer == "sgd":
            return SGD(parameters, rate, momentum=0.9, weight_decay=decay)
        kind = AdamW if self.stage.optimizer == "adamw" else Adam
        return kind(parameters, rate, weight_decay=decay, fused=True)


def _averaged(model: Classifier, decay: float) -> AveragedModel | None:
    if not decay:
        return None
    average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    return AveragedModel(model, multi_avg_fn=average, use_buffers=True)


def _mean(total: Tensor, count: Tensor) -> Tensor:
    """Return a sum over this process's images by the count of all processes' images.

    It is scaled so that the mean over processes, which they take of the gradients, is the mean
    over the images.
    """
    return total * processes.count() / processes.summed(count.float()).clamp(min=1e-9)
