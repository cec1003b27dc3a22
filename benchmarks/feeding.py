"""Feeding an epoch of `sartaj` at 224 px to nobody, against `ImageFolder` and `DataLoader`."""

import os
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.measure import DATA, Comparison, compare
from benchmarks.peers import AUGMENTATION, image_folder, loader
from tumorscope.data.layouts import read_manifest
from tumorscope.data.store import Store, open_store
from tumorscope.model import Classifier, build_classifier
from tumorscope.model.augmentation import augment, draw_uniforms
from tumorscope.schema.recipe import Augment, load_recipe
from tumorscope.training.data import Batches, StoreBatches
from tumorscope.training.memory import keep_freed_memory

SIZE, BATCH = 224, 32


def ours(store: Store, model: Classifier, spec: Augment | None) -> None:
    """Read every batch of an epoch, change it if asked, and normalise it, as the training does."""
    batches = StoreBatches(store, np.zeros(len(store), np.intp))
    uniforms = draw_uniforms(0, 0, len(store))
    for rows in Batches(np.arange(len(store)), BATCH, [0]):
        batch = batches[rows]
        pixels = batch.pixels.float()
        if spec is not None:
            pixels = augment(pixels, uniforms[batch.rows], spec)
        model.normalized(pixels.contiguous(memory_format=torch.channels_last))


def peer(folder: Path, *, changed: bool) -> None:
    """Go through the loader once."""
    for _ in loader(image_folder(folder, SIZE, AUGMENTATION if changed else ())):
        pass


def measure() -> Iterator[Comparison]:
    """Compare without augmentation and with that of `resnet18`; the store has been filled."""
    folder = DATA / "sartaj" / "Training"
    recipe = load_recipe("resnet18")
    model = build_classifier(recipe, 4)
    keep_freed_memory()  # as a training does
    with tempfile.TemporaryDirectory() as cache:
        os.environ["TUMORSCOPE_CACHE"] = cache
        store = open_store(read_manifest(folder), SIZE)
        for what, chosen, bar in (
            ("plain", None, "≤ 1/20"),
            ("augmented", recipe.augment, "≤ 1/4"),
        ):
            yield compare(
                f"feeding {len(store)} images at {SIZE} px, {what}",
                bar,
                partial(ours, store, model, chosen),
                partial(peer, folder, changed=chosen is not None),
            )
