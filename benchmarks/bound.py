"""Training all layers of ResNet-18 against what matrix products allow."""

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.inference import peak
from benchmarks.training import EACH, PRECISIONS, ours, subset
from tumorscope.model import build_classifier
from tumorscope.schema.recipe import load_recipe

SIZE, SHORT, LONG, ROUNDS = 128, 2, 6, 3


def measure() -> Iterator[str]:
    """Yield a row a precision: the time of an epoch more, against its operations at peak pace."""
    operations = operations_of_an_image()
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top) / "set"
        subset(folder)
        for precision in PRECISIONS:
            kind = torch.float32 if precision == "single" else torch.bfloat16
            paces, shares = [], []
            for _ in range(ROUNDS):
                before = peak(kind)
                longer = _train(folder, precision, LONG) - _train(folder, precision, SHORT)
                paces.append((LONG - SHORT) * 4 * EACH / longer)
                shares.append(paces[-1] / (max(before, peak(kind)) / operations))
            middle = statistics.median(paces)
            share = f"{statistics.median(shares):.0%} ({min(shares):.0%} – {max(shares):.0%})"
            bound = middle / statistics.median(shares)
            yield f"| {precision} | {middle:.0f} | {bound:.0f} | {share} |"


def _train(folder: Path, precision: str, epochs: int) -> float:
    """Return how long a training takes from files to weights, in seconds."""
    started = time.perf_counter()
    ours(folder, f"precision={precision}", size=SIZE, epochs=epochs)
    return time.perf_counter() - started


def operations_of_an_image() -> float:
    """Return the operations of forward and backward pass for one image."""
    model = build_classifier(load_recipe("resnet18", [f"image_size={SIZE}"]), 4)
    model.train()
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(2, 1, SIZE, SIZE)).sum().backward()
    return float(counter.get_total_flops()) / 2
