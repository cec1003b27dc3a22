"""Train the network that candidates for augmented copies are found by.

    python tools/build_descriptor.py $TUMORSCOPE_DATA/cheng/slices.csv

Two augmented views of a slice shall have one code, and all other slices of a batch others
(NT-Xent: Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations",
2020). A batch holds the slices of whole patients, so that neighbouring slices are told apart. The
set is Cheng's (CC BY 4.0), the weights are drawn anew. About 6 minutes on two cores.
"""

import argparse
import math
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

from tumorscope.data.layouts import read_manifest
from tumorscope.data.resize import resize_squares
from tumorscope.data.store import MIDDLE, open_store
from tumorscope.grouping.descriptor import FILE, SIDE
from tumorscope.support.terminal import terminal_progress

EPOCHS, BATCH, RATE = 120, 384, 4e-3
TEMPERATURE = 0.07
WIDTHS = (16, 32, 64, 96)
WORKING = 96  # the side at which views are made, in pixels
BORDERS = ("zeros", "border", "reflection", "wrapped")


class Descriptor(nn.Module):
    """Seven convolutions, the mean and the largest value of each channel, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        shape = [(1, WIDTHS[0], 2)]
        for before, after in pairwise(WIDTHS):
            shape += [(before, after, 2), (after, after, 1)]
        self.body = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(given, made, 3, stride, 1, bias=False),
                    nn.BatchNorm2d(made),
                    nn.ReLU(),
                )
                for given, made, stride in shape
            )
        )
        self.head = nn.Linear(2 * WIDTHS[-1], 64)

    def forward(self, images: Tensor) -> Tensor:
        """Return codes of length 1 of images with levels from 0 to 255."""
        levels = images / 255
        mean, spread = levels.mean((1, 2, 3), keepdim=True), levels.std((1, 2, 3), keepdim=True)
        maps = self.body((levels - mean) / (spread + 0.02))
        pooled = torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1)
        return functional.normalize(self.head(pooled), dim=1)


class Views:
    """Random augmentations of square slices, as offline augmentation writes them."""

    def __init__(self, seed: int) -> None:
        self._draw = torch.Generator().manual_seed(seed)

    def __call__(self, images: Tensor, strength: float) -> Tensor:
        """Return one view of each image, levels from 0 to 255, float, shape (n, 1, 64, 64)."""
        view = self._noised(self._relit(self._moved(images / 255, strength)))
        return view * 255

    def _between(self, low: float, high: float, count: int, share: float = 1.0) -> Tensor:
        """Return random numbers, 0 for all but a share of them."""
        drawn = torch.rand(count, generator=self._draw) * (high - low) + low
        return drawn * (torch.rand(count, generator=self._draw) < share)

    def _moved(self, images: Tensor, strength: float) -> Tensor:
        grids = functional.affine_grid(
            self._warps(len(images), strength), list(images.shape), align_corners=False
        )
        border = torch.randint(0, len(BORDERS), (len(images),), generator=self._draw)
        moved = torch.empty_like(images)
        for number, name in enumerate(BORDERS):
            own, grid = border == number, grids[border == number]
            if name == "wrapped":
                grid = torch.remainder(grid + 1, 2) - 1
            moved[own] = functional.grid_sample(
                images[own],
                grid,
                padding_mode="border" if name == "wrapped" else name,
                align_corners=False,
            )
        return moved

    def _warps(self, count: int, strength: float) -> Tensor:
        angle = self._between(-20, 20, count, 0.7) * strength * math.pi / 180
        shear = self._between(-0.25, 0.25, count, 0.4) * strength
        wide = 1 + self._between(-0.22, 0.28, count, 0.6) * strength
        high = 1 + self._between(-0.22, 0.28, count, 0.6) * strength
        high = torch.where(torch.rand(count, generator=self._draw) < 0.6, wide, high)
        cosine, sine = torch.cos(angle), torch.sin(angle)
        rows = [torch.stack([cosine * wide, (shear - sine) * wide], 1)]
        rows += [torch.stack([sine * high, cosine * high], 1)]
        signs = 1 - 2 * torch.randint(0, 2, (count, 1, 2), generator=self._draw)
        matrix = torch.stack(rows, 1) * signs
        exchanged = torch.rand(count, generator=self._draw) < 0.5
        matrix[exchanged] = matrix[exchanged].flip(2)
        shift = torch.stack([self._between(-0.26, 0.26, count, 0.6) for _ in range(2)], 1)
        return torch.cat([matrix, shift[:, :, None] * strength], 2)

    def _relit(self, images: Tensor) -> Tensor:
        count = len(images)
        gamma = torch.exp(self._between(-0.4, 0.4, count, 0.4))[:, None, None, None]
        gain = 1 + self._between(-0.4, 0.4, count, 0.6)[:, None, None, None]
        lift = self._between(-0.15, 0.15, count, 0.4)[:, None, None, None]
        return (images.clamp(0, 1) ** gamma * gain + lift).clamp(0, 1)

    def _noised(self, images: Tensor) -> Tensor:
        """Blur some, make all small, add noise to some."""
        taps = torch.tensor([1.0, 4, 6, 4, 1]) / 16
        kernel = torch.outer(taps, taps)[None, None]
        times = self._between(0, 4, len(images), 0.4).long()
        for done in range(int(times.max())):
            own = times > done
            padded = functional.pad(images[own], (2, 2, 2, 2), mode="replicate")
            images[own] = functional.conv2d(padded, kernel)
        small = functional.interpolate(images, size=SIDE, mode="area")
        level = self._between(0, 0.07, len(images), 0.4)[:, None, None, None]
        return (small + torch.randn(small.shape, generator=self._draw) * level).clamp(0, 1)


def main() -> None:
    """Train, and write the network into the package."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path(str(FILE)))
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    asked = parser.parse_args()
    store = open_store(read_manifest(asked.data), MIDDLE)
    images = torch.from_numpy(resize_squares(store.at_128(range(len(store))), WORKING)[:, None])
    patients = [row.patient_id or row.image for row in store.manifest.rows]
    write(train(images, patients, asked.epochs), asked.out)


def train(images: Tensor, patients: list[str], epochs: int) -> Descriptor:
    """Train the network on slices, uint8, shape (n, 1, side, side)."""
    torch.manual_seed(0)
    draw, views, network = np.random.default_rng(0), Views(0), Descriptor()
    steps = epochs * len(images) // BATCH
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, RATE, total_steps=steps, pct_start=0.1
    )
    numbers, waiting = np.array(patients), np.empty(0, np.intp)
    with terminal_progress(quiet=False).task("training the descriptor", steps) as task:
        for _ in range(steps):
            if len(waiting) < BATCH:
                order = [np.flatnonzero(numbers == p) for p in draw.permutation(np.unique(numbers))]
                waiting = np.concatenate([waiting, *(draw.permutation(own) for own in order)])
            batch, waiting = images[waiting[:BATCH]].float(), waiting[BATCH:]
            pair = torch.cat([views(batch, 1.0), views(batch, float(draw.choice([0.3, 1.0])))])
            with torch.autocast("cpu", dtype=torch.bfloat16):
                codes = network(pair)
            likeness = (codes.float() @ codes.float().T / TEMPERATURE).fill_diagonal_(-1e4)
            loss = functional.cross_entropy(likeness, torch.arange(2 * BATCH).roll(BATCH))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            task.advance(1)
    return network


def write(network: Descriptor, path: Path) -> None:
    """Write the network as an ONNX file whose weights take half the bytes."""
    network.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the exporter that takes no symbolic shapes
        torch.onnx.export(
            network,
            (torch.zeros(2, 1, SIDE, SIDE),),
            path,
            input_names=["images"],
            output_names=["codes"],
            dynamic_axes={"images": {0: "n"}, "codes": {0: "n"}},
            dynamo=False,
        )
    model = onnx.load(path)
    graph = model.graph
    for tensor in list(graph.initializer):
        values = onnx.numpy_helper.to_array(tensor)
        if values.size > 1000:
            graph.initializer.remove(tensor)
            halves = onnx.numpy_helper.from_array(values.astype(np.float16), f"{tensor.name}_half")
            graph.initializer.append(halves)
            cast = onnx.helper.make_node("Cast", [halves.name], [tensor.name], to=1)
            graph.node.insert(0, cast)
    for node in graph.node:  # the exporter's notes name places of this machine
        node.doc_string = ""
    onnx.save(model, path)


if __name__ == "__main__":
    main()
