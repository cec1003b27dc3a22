"""What a training step and a validation step are."""

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

from tumorscope.augment import augment, draw_uniforms
from tumorscope.model import Classifier
from tumorscope.recipe import Recipe, Stage
from tumorscope.training.data import Batch
from tumorscope.training.schedule import plateau_factor, rate_factor

DROPOUT = 2  # keeps the draws inside the network apart from others of the same seed and epoch
TINY = 1e-12  # keeps the loss of a probability that rounds to zero finite


@dataclass(frozen=True)
class Plan:
    """What a training step must know of the data.

    Attributes:
        classes: how many there are.
        rows: images in the store.
        steps: batches an epoch.
        class_weights: one a class, None where all count alike.
    """

    classes: int
    rows: int
    steps: int
    class_weights: Sequence[float] | None


class Classification(lightning.LightningModule):
    """Cross-entropy training of a classifier through one stage of a recipe.

    All randomness is drawn anew from seed, epoch and batch, so that a resumed training goes the
    way the uninterrupted one would have gone.

    Attributes:
        losses: validation loss of each epoch of this stage so far.
    """

    class_weights: Tensor | None

    def __init__(
        self, model: Classifier, recipe: Recipe, stage: Stage, plan: Plan, first_epoch: int
    ) -> None:
        super().__init__()
        self.model = model
        self.averaged = _averaged(model, recipe.weight_averaging)
        self.recipe = recipe
        self.stage = stage
        self.plan = plan
        self.first_epoch = first_epoch
        self.losses: list[float] = []
        self.factor = rate_factor(stage, plan.steps)
        self.plateau = 1.0
        self.uniforms = torch.empty(0)
        weights = None if plan.class_weights is None else torch.tensor(plan.class_weights)
        self.register_buffer("class_weights", weights, persistent=False)
        self.training_loss, self.validation_loss = MeanMetric(), MeanMetric()
        self.training_accuracy = MulticlassAccuracy(plan.classes, average="micro")
        self.validation_accuracy = MulticlassAccuracy(plan.classes, average="micro")

    @property
    def kept_model(self) -> Classifier:
        """The model that is validated and kept: the averaged one where there is one."""
        kept = self.model if self.averaged is None else self.averaged.module
        assert isinstance(kept, Classifier)
        return kept

    @property
    def epoch(self) -> int:
        """Epochs done before this one, those of earlier stages included."""
        return self.first_epoch + self.current_epoch

    def on_train_epoch_start(self) -> None:
        """Draw what the augmentation of this epoch needs, and look back at the losses."""
        uniforms = draw_uniforms(self.recipe.seed, self.epoch, self.plan.rows)
        self.uniforms = uniforms.to(self.device)
        self.plateau = plateau_factor(self.stage, self.losses)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Set the rate, and seed dropout and its like from seed, epoch and batch."""
        step = self.current_epoch * self.plan.steps + batch_idx
        rate = self.stage.learning_rate * self.factor(step) * self.plateau
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = rate
        words = np.random.SeedSequence([self.recipe.seed, DROPOUT, self.epoch, batch_idx])
        torch.manual_seed(int(words.generate_state(1, np.uint64)[0] >> 1))

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Return the loss of one augmented batch."""
        pixels = augment(
            batch.pixels.float(), self.uniforms[batch.rows], self.recipe.augment
        ).contiguous(memory_format=torch.channels_last)
        logits = self.model(pixels)
        loss = functional.cross_entropy(
            logits,
            batch.labels,
            weight=self.class_weights,
            label_smoothing=self.recipe.label_smoothing,
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
        chances = self.kept_model.probabilities(batch.pixels.float())
        loss = functional.nll_loss(chances.clamp(min=TINY).log(), batch.labels)
        self.validation_loss.update(loss, weight=len(batch.labels))
        self.validation_accuracy.update(chances, batch.labels)

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
