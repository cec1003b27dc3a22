"""What averaging models would gain: their answers, or their weights.

Each pair of finished runs of `experiments/folds.py` that had the same parts is put together in two
ways: the mean of their probabilities, scored on test and validation images, and the mean of their
weights, scored on validation images alone.

    python experiments/averages.py RUNS NAME NAME … --seed 2 \
        --data $TUMORSCOPE_DATA/cheng --save docs/results/averages-on-cheng.csv

NAME is how the folders of a variant begin, before -fold1-seed2.
"""

import argparse
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tumorscope.data.read import read_image
from tumorscope.data.resize import resize
from tumorscope.inference.bundle import open_bundle
from tumorscope.inference.runtimes.pytorch import load_deployed
from tumorscope.support.files import read_csv, write_csv

COLUMNS = ("models", "averaged", "part", "fold", "images", "right", "log_loss")
FOLDS = (1, 2, 3, 4, 5)
FILES = {"test": "predictions.csv", "validation": "predictions-validation.csv"}
BATCH = 32
PREFIX = "probability_"

Chances = NDArray[np.float64]


def main() -> None:
    """Score single models, then pairs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path)
    parser.add_argument("names", nargs="+", metavar="NAME")
    parser.add_argument("--data", type=Path, required=True, help="the folder of the images")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", type=Path, required=True)
    asked = parser.parse_args()
    groups = [*((name,) for name in asked.names), *combinations(asked.names, 2)]
    rows: list[tuple[object, ...]] = []
    for fold in FOLDS:
        for group in groups:
            runs = [asked.runs / f"{name}-fold{fold}-seed{asked.seed}" for name in group]
            for averaged, part, images, right, loss in scores(runs, asked.data):
                rows.append((" + ".join(group), averaged, part, fold, images, right, f"{loss:.4f}"))
        write_csv(asked.save, COLUMNS, rows)
    for key in dict.fromkeys(row[:3] for row in rows):
        own = [row for row in rows if row[:3] == key]
        shares = [int(str(row[5])) / int(str(row[4])) for row in own]
        print(*key, f"mean of folds {np.mean(shares):.2%}")


def scores(runs: Sequence[Path], data: Path) -> Iterator[tuple[str, str, int, int, float]]:
    """Yield what was averaged, the part, its images, how many are right, and the log loss."""
    for part, name in FILES.items():
        told = [answers(run, part) for run in runs]
        if len({tuple(row["image"] for row in read_csv(run / name)) for run in runs}) > 1:
            raise SystemExit(f"{' and '.join(map(str, runs))} did not answer the same images.")
        truth, chances = told[0][0], np.mean([own for _, own in told], axis=0)
        yield ("answers", part, len(truth), *scored(truth, chances))
    if len(runs) > 1 and same_shapes(runs):
        truth, _ = answers(runs[0], "validation")
        yield ("weights", "validation", len(truth), *scored(truth, with_mean_weights(runs, data)))


def answers(run: Path, part: str) -> tuple[NDArray[np.intp], Chances]:
    """Return the classes of a run's images and its probabilities, in the order of the data."""
    rows = read_csv(run / FILES[part])
    names = [name.removeprefix(PREFIX) for name in rows[0] if name.startswith(PREFIX)]
    chances = [[float(row[PREFIX + name]) for name in names] for row in rows]
    return np.array([names.index(row["truth"]) for row in rows]), np.array(chances)


def scored(truth: NDArray[np.intp], chances: Chances) -> tuple[int, float]:
    """Return how many answers are right, and the mean log loss."""
    own = chances[np.arange(len(truth)), truth]
    return int((chances.argmax(axis=1) == truth).sum()), float(-np.log(own.clip(1e-7)).mean())


def same_shapes(runs: Sequence[Path]) -> bool:
    """Say whether the weights of models can be averaged."""
    kinds = [open_bundle(run).card.recipe for run in runs]
    return len({(kind.backbone, kind.head, kind.localise, kind.members) for kind in kinds}) == 1


def with_mean_weights(runs: Sequence[Path], data: Path) -> Chances:
    """Return what the mean of some models' weights answers to the first one's validation images."""
    models = [load_deployed(open_bundle(run)) for run in runs]
    weights = [model.network.classifier.state_dict() for model in models]
    mean = {
        name: torch.stack([own[name].double() for own in weights]).mean(0).to(value.dtype)
        for name, value in weights[0].items()
    }
    network = models[0].network
    network.classifier.load_state_dict(mean)
    side = open_bundle(runs[0]).card.preprocessing.image_size
    images = [row["image"] for row in read_csv(runs[0] / FILES["validation"])]
    pixels = np.array([resize(read_image(data / name).pixels, side) for name in images], np.float32)
    batches = np.split(pixels, range(BATCH, len(pixels), BATCH))
    with torch.inference_mode():
        parts = [network(torch.from_numpy(own))[0] for own in batches]
    return torch.cat(parts).double().numpy()


if __name__ == "__main__":
    main()
