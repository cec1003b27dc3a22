"""Training all layers on a GPU, against a plain loop on the same GPU."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks.measure import DATA, Comparison, compare_all
from benchmarks.peers import plain_loop
from benchmarks.training import PRECISIONS, ours
from tumorscope.support.files import read_csv

IMAGES, EPOCHS = 1024, 8


def whole() -> Iterator[Comparison]:
    """Compare ResNet-18 and ResNet-50 at 224 px, 1,024 images, 8 epochs."""
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top) / "set"
        _subset(folder)
        for backbone in ("resnet18", "resnet50"):
            variants = [
                (f"{backbone}, {precision}", "", _ours(folder, backbone, precision))
                for precision in PRECISIONS
            ]
            peer = partial(plain_loop, folder, backbone, (), size=224, epochs=EPOCHS)
            yield from compare_all(variants, partial(peer, device="cuda"))


def _ours(folder: Path, backbone: str, precision: str) -> Callable[[], None]:
    settings = (f"backbone={backbone}", f"precision={precision}")
    return partial(ours, folder, *settings, size=224, epochs=EPOCHS, device="cuda")


def _subset(folder: Path) -> None:
    """Lay some slices of `cheng` out in class folders."""
    for row in read_csv(DATA / "cheng" / "slices.csv")[:: 3064 // IMAGES][:IMAGES]:
        target = folder / row["label"]
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(DATA / "cheng" / row["image"], target)
