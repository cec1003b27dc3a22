"""Training and answering without a run's folder, for experiments with many trainings."""

import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tumorscope.data.store import Store, batches
from tumorscope.model import Classifier, build_member
from tumorscope.model.augmentation import augment, draw_uniforms
from tumorscope.records import Partition
from tumorscope.schema.recipe import Recipe
from tumorscope.support.progress import Quiet
from tumorscope.training import TrainingContext, fit, resolve_device

BATCH = 64


def patient_numbers(store: Store) -> list[int]:
    """Return a number a row that tells its patient from the others."""
    patients = [str(row.patient_id) for row in store.manifest.rows]
    number_of = {patient: number for number, patient in enumerate(sorted(set(patients)))}
    return [number_of[patient] for patient in patients]


def train_bare(store: Store, partition: Partition, recipe: Recipe, device: str) -> Classifier:
    """Train one network on a partition and return it with the weights that were kept, there."""
    with tempfile.TemporaryDirectory() as folder:
        context = TrainingContext(Path(folder), resolve_device(device), Quiet())
        model = build_member(recipe, len(store.manifest.classes))
        return fit(model, store, partition, recipe, context).model.to(context.device)


def answer(
    model: Classifier, store: Store, rows: NDArray[np.intp], recipe: Recipe, views: int = 0
) -> NDArray[np.intp]:
    """Return the classes that a model gives some rows, over augmented views if there are any."""
    device = model.mean.device
    drawn = [draw_uniforms(0, view, len(store)) for view in range(views)]
    found = []
    with torch.inference_mode():
        for places in batches(len(rows), BATCH):
            own = rows[places]
            pixels = torch.from_numpy(store.pixels(own)).unsqueeze(1).float().to(device)
            chances = model.probabilities(pixels)
            for uniforms in drawn:
                changed = augment(pixels, uniforms[own].to(device), recipe.augment)
                chances = chances + model.probabilities(changed)
            found.append(chances.argmax(dim=1).cpu().numpy())
    return np.concatenate(found)


def marks(right: NDArray[np.bool_]) -> str:
    """Return one character an image, 1 where the answer is right and 0 where it is wrong."""
    return "".join("1" if mark else "0" for mark in right)
