"""One step of training in bfloat16 and in single precision: does this machine gain by it?"""

from collections.abc import Callable, Iterator

import torch
from torch.nn import functional

from benchmarks.measure import Comparison, compare
from tumorscope.model import build_classifier
from tumorscope.schema.recipe import load_recipe
from tumorscope.training.device import autocast

SIZE, CLASSES = 224, 3
STEPS = (("mobilenetv2-staged", 32), ("resnet18", 16), ("resnet50-staged", 8))  # recipe and batch


def measure() -> Iterator[Comparison]:
    """Compare whole steps of all layers: forward, backward and AdamW, on random numbers."""
    for name, batch in STEPS:
        yield compare(
            f"{name}, all layers, {batch} images",
            "",
            _step(name, batch, "bfloat16"),
            _step(name, batch, "single"),
        )


def _step(name: str, batch: int, precision: str) -> Callable[[], None]:
    recipe = load_recipe(name, [f"image_size={SIZE}", "pretrained=false", f"precision={precision}"])
    model = build_classifier(recipe, CLASSES).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4)
    images = torch.rand(batch, 3, SIZE, SIZE).to(memory_format=torch.channels_last)
    labels = torch.arange(batch) % CLASSES

    def step() -> None:
        """Take one step."""
        with autocast(recipe, "cpu"):
            logits = model(images)
        functional.cross_entropy(logits.float(), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()

    return step
