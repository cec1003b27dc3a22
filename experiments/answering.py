"""What an image is best answered as, by images that did not train and do not test.

Each finished run of `experiments/folds.py` answers its validation images in several ways: as they
are, smoothed as interpolation smooths training images, and moved as augmentation moves them; then
with the mean of the answers to two of these. A recipe's answer over an image and its mirror image
is kept. A row a run and way goes to a CSV; test images are not looked at.

    python experiments/answering.py RUNS NAME --seeds 0 1 2 \
        --data $TUMORSCOPE_DATA/cheng --save docs/results/answering-on-cheng.csv

NAME is how the folders begin, before -fold1-seed0.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).parents[1]))

from experiments.averages import BATCH, FILES, FOLDS, Chances, answers, scored
from tumorscope.data.read import read_image
from tumorscope.data.resize import resize
from tumorscope.inference.bundle import open_bundle
from tumorscope.inference.runtimes.pytorch import load_deployed
from tumorscope.model.classifier import INTERPOLATION
from tumorscope.support.files import read_csv, write_csv
from tumorscope.training.memory import keep_freed_memory

COLUMNS = ("way", "fold", "seed", "images", "right", "log_loss")
PLAIN = "as it is"


def smoothed(pixels: Tensor) -> Tensor:
    """Return images smoothed as interpolation smooths on average."""
    weights = torch.tensor(INTERPOLATION)
    return functional.conv2d(pixels, torch.outer(weights, weights)[None, None], padding=1)


def moved(degrees: float = 0, zoom: float = 1) -> Callable[[Tensor], Tensor]:
    """Return what turns and enlarges images, by linear interpolation."""
    angle = np.deg2rad(degrees)
    rows = [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0]]
    back = torch.tensor(rows, dtype=torch.float32) / zoom

    def move(pixels: Tensor) -> Tensor:
        places = functional.affine_grid(
            back.expand(len(pixels), 2, 3), list(pixels.shape), align_corners=False
        )
        return functional.grid_sample(pixels, places, align_corners=False)

    return move


WAYS: dict[str, Callable[[Tensor], Tensor]] = {
    PLAIN: torch.clone,
    "smoothed": smoothed,
    "10 % smaller": moved(zoom=0.9),
    "10 % larger": moved(zoom=1.1),
    "turned by 10°": moved(degrees=10),
    "turned by -10°": moved(degrees=-10),
}


def main() -> None:
    """Score every way by every run, then say what they come to together."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path)
    parser.add_argument("name")
    parser.add_argument("--data", type=Path, required=True, help="the folder of the images")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--save", type=Path, required=True)
    asked = parser.parse_args()
    keep_freed_memory()
    rows: list[tuple[object, ...]] = []
    for fold in FOLDS:
        for seed in asked.seeds:
            run = asked.runs / f"{asked.name}-fold{fold}-seed{seed}"
            truth, _ = answers(run, "validation")
            for way, chances in told(run, asked.data).items():
                right, log_loss = scored(truth, chances)
                rows.append((way, fold, seed, len(truth), right, f"{log_loss:.4f}"))
        write_csv(asked.save, COLUMNS, rows)
    report(rows)


def report(rows: Sequence[tuple[object, ...]]) -> None:
    """Print what each way comes to over all runs."""
    for way in dict.fromkeys(row[0] for row in rows):
        own = [row for row in rows if row[0] == way]
        images, right = (sum(int(str(row[column])) for row in own) for column in (3, 4))
        loss = np.mean([float(str(row[5])) for row in own])
        print(f"{way}: {right / images:.2%} of {images} answers right, log loss {loss:.4f}")


def told(run: Path, data: Path) -> dict[str, Chances]:
    """Return a run's probabilities for its validation images, each way and with plain ones."""
    images = [row["image"] for row in read_csv(run / FILES["validation"])]
    single = seen(run, [data / name for name in images])
    both = {f"{PLAIN} and {way}": (single[PLAIN] + single[way]) / 2 for way in list(WAYS)[1:]}
    return single | both


def seen(run: Path, images: list[Path]) -> dict[str, Chances]:
    """Return the probabilities that a run's network has for some images, changed each way."""
    bundle = open_bundle(run)
    network = load_deployed(bundle).network.classifier
    network.smooth_answers = False
    side = bundle.card.preprocessing.image_size
    pixels: NDArray[np.float32] = np.array(
        [resize(read_image(path).pixels, side) for path in images], np.float32
    )
    parts: dict[str, list[Tensor]] = {way: [] for way in WAYS}
    with torch.inference_mode():
        for batch in torch.split(torch.from_numpy(pixels).unsqueeze(1), BATCH):
            for way, change in WAYS.items():
                parts[way].append(network.probabilities(change(batch)))
    return {way: torch.cat(own).double().numpy() for way, own in parts.items()}


if __name__ == "__main__":
    main()
