"""Training ResNet-18, against a plain `ImageFolder` and `DataLoader` loop of the same recipe."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from benchmarks.measure import DATA, Comparison, compare
from tumorscope._torchvision import declare_missing_operators

declare_missing_operators()

from torchvision import datasets, models, transforms  # noqa: E402

from tumorscope.evaluation import class_numbers  # noqa: E402
from tumorscope.layouts import read_manifest  # noqa: E402
from tumorscope.model import build_classifier  # noqa: E402
from tumorscope.progress import Quiet  # noqa: E402
from tumorscope.recipe import load_recipe  # noqa: E402
from tumorscope.records import Part, Partition  # noqa: E402
from tumorscope.store import open_store  # noqa: E402
from tumorscope.training import fit  # noqa: E402

EACH, EPOCHS, SIZE = 60, 2, 224
HELD_OUT = 4  # images that our loop validates on; the plain loop validates on none


def subset(folder: Path) -> None:
    """Copy some images of each class of `sartaj`'s training part."""
    for source in sorted((DATA / "sartaj" / "Training").iterdir()):
        target = folder / source.name
        target.mkdir(parents=True)
        for path in sorted(source.iterdir())[:EACH]:
            shutil.copy(path, target)


def plain(folder: Path) -> None:
    """Train as the field's notebooks do."""
    steps = [
        transforms.Resize((SIZE, SIZE)),
        transforms.RandomRotation(15),
        transforms.RandomHorizontalFlip(),
        transforms.RandomVerticalFlip(),
        transforms.ToTensor(),
        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ]
    images = datasets.ImageFolder(str(folder), transforms.Compose(steps))
    loader = DataLoader(images, batch_size=32, shuffle=True, num_workers=2)
    model = models.resnet18(num_classes=4)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    model.train()
    for _ in range(EPOCHS):
        for pixels, labels in loader:
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(pixels), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()


def ours(folder: Path, *settings: str, epochs: int = EPOCHS) -> None:
    """Train through the package, from files to best weights; nothing read before is kept."""
    with tempfile.TemporaryDirectory() as top:
        os.environ["TUMORSCOPE_CACHE"] = f"{top}/cache"
        recipe = load_recipe("resnet18", [f"epochs={epochs}", f"image_size={SIZE}", *settings])
        store = open_store(read_manifest(folder), SIZE)
        parts: list[Part] = ["train"] * len(store)
        parts[:HELD_OUT] = ["validation"] * HELD_OUT
        partition = Partition(tuple(parts), tuple(map(str, range(len(store)))), "drawn", "")
        model = build_classifier(recipe, 4)
        labels = class_numbers(store)
        fit(model, store, labels, partition, recipe, Path(top), device="cpu", progress=Quiet())


def measure() -> Iterator[Comparison]:
    """Compare over whole epochs: with the plain loop, and bfloat16 with single precision."""
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top) / "set"
        subset(folder)
        images = f"{EACH * 4} images"
        for precision in ("single", "bfloat16"):
            yield compare(
                f"training ResNet-18 at {SIZE} px, {images}, {EPOCHS} epochs, {precision}",
                "≤ 1",
                partial(ours, folder, f"precision={precision}"),
                partial(plain, folder),
            )
        for backbone in ("resnet50", "mobilenetv2_100"):
            half, single = (
                partial(ours, folder, f"backbone={backbone}", f"precision={precision}", epochs=1)
                for precision in ("bfloat16", "single")
            )
            what = f"bfloat16 against single: {backbone} at {SIZE} px, {images}, 1 epoch"
            yield compare(what, "≤ 1", half, single)
