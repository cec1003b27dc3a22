"""Training, against a plain loop and fastai: the head alone, the last block, the whole network."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from itertools import product
from pathlib import Path

from benchmarks.measure import DATA, Comparison, compare_all
from benchmarks.peers import BATCH, fastai_learner, plain_loop
from tumorscope.data.layouts import read_manifest
from tumorscope.data.store import open_store
from tumorscope.model import build_classifier
from tumorscope.records import Part, Partition
from tumorscope.schema.recipe import load_recipe
from tumorscope.support.progress import Quiet
from tumorscope.training import TrainingContext, fit

EACH = 125  # of the four classes
HELD_OUT = 4  # images that our loop validates on; the plain loop validates on none
PRECISIONS = ("single", "bfloat16")


def subset(folder: Path) -> None:
    """Copy some images of each class of `sartaj`'s training part."""
    for source in sorted((DATA / "sartaj" / "Training").iterdir()):
        target = folder / source.name
        target.mkdir(parents=True)
        for path in sorted(source.iterdir())[:EACH]:
            shutil.copy(path, target)


def ours(folder: Path, *settings: str, size: int, epochs: int, device: str = "cpu") -> None:
    """Train through the package, from files to best weights; nothing read before is kept."""
    with tempfile.TemporaryDirectory() as top:
        os.environ["TUMORSCOPE_CACHE"] = f"{top}/cache"
        given = [f"epochs={epochs}", f"image_size={size}", f"batch_size={BATCH}", *settings]
        recipe = load_recipe("resnet18", given)
        store = open_store(read_manifest(folder), size)
        parts: list[Part] = ["train"] * len(store)
        parts[:HELD_OUT] = ["validation"] * HELD_OUT
        partition = Partition(tuple(parts), tuple(map(str, range(len(store)))), "drawn", "")
        model = build_classifier(recipe, len(store.manifest.classes))
        fit(model, store, partition, recipe, TrainingContext(Path(top), device, Quiet()))


def staged() -> Iterator[Comparison]:
    """Compare where most layers are frozen: ResNet-50 at 224 px, 500 images, 10 epochs."""
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top) / "set"
        subset(folder)
        for what, learning, names, bars in (
            ("head", "[head]", ["fc"], {1: "≤ 1/8", 4: "≤ 1/3"}),
            ("last block", "[last_block, head]", ["layer4.2", "fc"], {1: "≤ 1/2"}),
        ):
            variants = []
            for precision, (views, bar) in product(PRECISIONS, bars.items()):
                settings = (
                    *("backbone=resnet50", f"precision={precision}"),
                    *(f"stages.0.train={learning}", f"stages.0.views={views}"),
                )
                call = partial(ours, folder, *settings, size=224, epochs=10)
                variants.append((f"{what}, {precision}, views: {views}", bar, call))
            peer = partial(plain_loop, folder, "resnet50", names, size=224, epochs=10)
            yield from compare_all(variants, peer, warm_up=False)


def whole() -> Iterator[Comparison]:
    """Compare where all layers learn: ResNet-18 at 128 px, 500 images, 2 epochs."""
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top) / "set"
        subset(folder)
        for name, bar, peer in (
            ("plain loop", "≤ 0.8", partial(plain_loop, folder, "resnet18", ())),
            ("fastai", "≤ 0.91", partial(fastai_learner, folder)),
        ):
            variants = [
                (
                    f"{precision}, against {name}",
                    bar,
                    partial(ours, folder, f"precision={precision}", size=128, epochs=2),
                )
                for precision in PRECISIONS
            ]
            yield from compare_all(variants, partial(peer, size=128, epochs=2))
