"""What a training step and a validation step are."""

import math
from collections.abc import Callable
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy

from tumorscope.augment import augment, draw_uniforms
from tumorscope.model import Classifier
from tumorscope.recipe import Recipe, Stage
from tumorscope.training.data import Batch

DROPOUT = 2  # keeps the draws inside the network apart from others of the same seed and epoch
WARM_UP = 0.3  # share of a one-cycle schedule in which the rate rises


def schedule(kind: str, steps: int) -> Callable[[int], float]:
    """Return the factor of the learning rate as a function of the step, without any memory."""
    if kind == "cosine":
        return lambda step: 0.5 * (1 + math.cos(math.pi * min(step / steps, 1)))
    if kind == "one_cycle":
        peak = max(1.0, WARM_UP * steps)

        def factor(step: int) -> float:
            """Return the share of the largest rate."""
            if step < peak:
                return 0.04 + 0.96 * 0.5 * (1 - math.cos(math.pi * step / peak))
            rest = max(1.0, steps - peak)
            return 0.5 * (1 + math.cos(math.pi * min((step - peak) / rest, 1)))

        return factor
    return lambda _: 1.0


class Classification(lightning.LightningModule):
    """Cross-entropy training of a classifier through one stage of a recipe.

    All randomness is drawn anew from seed, epoch and batch, so that a resumed training goes the
    way the uninterrupted one would have gone.
    """

    def __init__(
        self, model: Classifier, recipe: Recipe, stage: Stage, classes: int, rows: int, steps: int
    ) -> None:
        super().__init__()
        self.model = model
        self.averaged = _averaged(model, recipe.weight_averaging)
        self.recipe = recipe
        self.stage = stage
        self.rows = rows
        self.steps = steps
        self.first_epoch = 0
        self.uniforms = torch.empty(0)
        self.training_loss, self.validation_loss = MeanMetric(), MeanMetric()
        self.training_accuracy = MulticlassAccuracy(classes, average="micro")
        self.validation_accuracy = MulticlassAccuracy(classes, average="micro")

    @property
    def kept_model(self) -> nn.Module:
        """The model that is validated and kept: the averaged one where there is one."""
        kept: nn.Module = self.model if self.averaged is None else self.averaged.module
        return kept

    @property
    def epoch(self) -> int:
        """Epochs done before this one, those of earlier stages included."""
        return self.first_epoch + self.current_epoch

    def on_train_epoch_start(self) -> None:
        """Draw what the augmentation of this epoch needs."""
        uniforms = draw_uniforms(self.recipe.seed, self.epoch, self.rows)
        self.uniforms = uniforms.to(self.device)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Seed dropout and its like from seed, epoch and batch."""
        words = np.random.SeedSequence([self.recipe.seed, DROPOUT, self.epoch, batch_idx])
        torch.manual_seed(int(words.generate_state(1, np.uint64)[0] >> 1))

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Return the loss of one augmented batch."""
        pixels = augment(
            batch.pixels.float(), self.uniforms[batch.rows], self.recipe.augment
        ).contiguous(memory_format=torch.channels_last)
        logits = self.model(pixels)
        loss = functional.cross_entropy(
            logits, batch.labels, label_smoothing=self.recipe.label_smoothing
        )
        self.training_loss.update(loss.detach(), weight=len(batch.labels))
        self.training_accuracy.update(logits.detach(), batch.labels)
        return loss

    def on_train_batch_end(self, *_: Any) -> None:
        """Move the averaged weights one step."""
        if self.averaged is not None:
            self.averaged.update_parameters(self.model)

    def on_validation_epoch_start(self) -> None:
        """Forget the last validation."""
        self.validation_loss.reset()
        self.validation_accuracy.reset()

    def validation_step(self, batch: Batch, _: int) -> None:
        """Score one batch as it is."""
        logits = self.kept_model(batch.pixels.float()).float()
        loss = functional.cross_entropy(logits, batch.labels)
        self.validation_loss.update(loss, weight=len(batch.labels))
        self.validation_accuracy.update(logits, batch.labels)

    def take_scores(self) -> dict[str, float]:
        """Return the scores of the epoch that has just ended and start new ones."""
        meters = {
            "train_loss": self.training_loss,
            "train_accuracy": self.training_accuracy,
            "validation_loss": self.validation_loss,
            "validation_accuracy": self.validation_accuracy,
        }
        scores = {name: float(meter.compute()) for name, meter in meters.items()}
        for meter in meters.values():
            meter.reset()
        return scores

    def configure_optimizers(self) -> Any:
        """Return the stage's optimiser and its schedule, stepped after every batch."""
        optimizer = self._optimizer()
        factor = schedule(self.stage.schedule, self.steps * self.stage.epochs)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": LambdaLR(optimizer, factor), "interval": "step"},
        }

    def _optimizer(self) -> Optimizer:
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
