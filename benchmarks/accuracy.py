"""Accuracy after the same epochs of the same recipe: ours and the plain loop, three seeds each."""

import os
import shutil
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.measure import DATA
from benchmarks.peers import image_folder, loader, plain_loop
from tumorscope.data.layouts import read_manifest
from tumorscope.data.store import open_store
from tumorscope.model import build_classifier
from tumorscope.records import Part, Partition
from tumorscope.schema.recipe import load_recipe
from tumorscope.support.progress import Quiet
from tumorscope.training import TrainingContext, fit

EACH, HELD_OUT, SIZE, EPOCHS, SEEDS = 250, 100, 96, 8, range(3)
PRECISIONS = ("single", "bfloat16")


def split_folders(top: Path) -> tuple[Path, Path]:
    """Copy images of each class of `sartaj`'s training part into a training and a test folder."""
    learn, test = top / "train", top / "test"
    for source in sorted((DATA / "sartaj" / "Training").iterdir()):
        for number, path in enumerate(sorted(source.iterdir())[: EACH + HELD_OUT]):
            place = (test if number >= EACH else learn) / source.name
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)
    return learn, test


def plain(learn: Path, test: Path, seed: int) -> float:
    """Train the plain loop and return its accuracy."""
    torch.manual_seed(seed)
    model = plain_loop(learn, "resnet18", (), size=SIZE, epochs=EPOCHS).eval()
    right = 0
    with torch.inference_mode():
        for pixels, labels in loader(image_folder(test, SIZE)):
            right += int((model(pixels).argmax(dim=1) == labels).sum())
    return right / (4 * HELD_OUT)


def ours(both: Path, seed: int, precision: str) -> float:
    """Train the package's recipe on the same images and return its accuracy."""
    settings = [f"image_size={SIZE}", f"epochs={EPOCHS}", f"seed={seed}", "keep=last"]
    recipe = load_recipe("resnet18", [*settings, f"precision={precision}"])
    store = open_store(read_manifest(both), SIZE)
    tested = np.array(["test/" in row.image for row in store.manifest.rows])
    parts: list[Part] = ["validation" if out else "train" for out in tested]
    partition = Partition(tuple(parts), tuple(map(str, range(len(store)))), "drawn", "")
    model: nn.Module = build_classifier(recipe, 4)
    with tempfile.TemporaryDirectory() as folder:
        context = TrainingContext(Path(folder), "cpu", Quiet())
        trained = fit(model, store, partition, recipe, context)  # type: ignore[arg-type]
    return float(trained.history[trained.kept_epoch - 1]["validation_accuracy"])


def measure() -> Iterator[str]:
    """Yield a row for the plain loop and for each precision of ours."""
    with tempfile.TemporaryDirectory() as top:
        learn, test = split_folders(Path(top) / "set")
        os.environ["TUMORSCOPE_CACHE"] = f"{top}/cache"
        yield _row("plain loop, single", [plain(learn, test, seed) for seed in SEEDS])
        for precision in PRECISIONS:
            found = [ours(Path(top) / "set", seed, precision) for seed in SEEDS]
            yield _row(f"ours, {precision}", found)


def _row(name: str, found: list[float]) -> str:
    each = ", ".join(f"{100 * value:.1f}" for value in found)
    return f"| {name} | {statistics.mean(found):.1%} | {each} |"
