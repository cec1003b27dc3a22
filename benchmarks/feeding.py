"""Feeding an epoch of `sartaj` at 224 px to nobody, against `ImageFolder` and `DataLoader`."""

import os
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.measure import DATA, Comparison, compare
from benchmarks.peers import AUGMENTATION, DEVIATION, MEAN, image_folder, loader
from tumorscope.augment import augment, draw_uniforms
from tumorscope.layouts import read_manifest
from tumorscope.recipe import Augment, load_recipe
from tumorscope.store import Store, open_store
from tumorscope.training.data import Batches, StoreBatches

SIZE, BATCH = 224, 32


def ours(store: Store, spec: Augment | None) -> None:
    """Read every batch of an epoch as the training does, and change it if asked."""
    batches = StoreBatches(store, np.zeros(len(store), np.intp))
    uniforms = draw_uniforms(0, 0, len(store))
    mean, deviation = (torch.tensor(v).view(1, 3, 1, 1) for v in (MEAN, DEVIATION))
    for rows in Batches(np.arange(len(store)), BATCH, [0]):
        batch = batches[rows]
        pixels = batch.pixels.float()
        if spec is not None:
            pixels = augment(pixels, uniforms[batch.rows], spec)
        _ = (pixels / 255 - mean) / deviation


def peer(folder: Path, *, changed: bool) -> None:
    """Go through the loader once."""
    for _ in loader(image_folder(folder, SIZE, AUGMENTATION if changed else ())):
        pass


def measure() -> Iterator[Comparison]:
    """Compare without augmentation and with that of `resnet18`; the store has been filled."""
    folder = DATA / "sartaj" / "Training"
    spec = load_recipe("resnet18", []).augment
    with tempfile.TemporaryDirectory() as cache:
        os.environ["TUMORSCOPE_CACHE"] = cache
        store = open_store(read_manifest(folder), SIZE)
        for what, chosen, bar in (("plain", None, "≤ 1/20"), ("augmented", spec, "≤ 1/4")):
            yield compare(
                f"feeding {len(store)} images at {SIZE} px, {what}",
                bar,
                partial(ours, store, chosen),
                partial(peer, folder, changed=chosen is not None),
            )
