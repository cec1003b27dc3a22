"""What transfer is worth on 253 images: staged MobileNetV2 against a CNN from scratch.

Five leak-free folds, five seeds. A line a recipe, fold and seed goes to docs/results/, with one
character a test image (1 right, 0 wrong), so that what is done is not done again and every interval
can be computed from the text. Start it as often as needed; at the end it prints the table.

    python experiments/small_data.py --weights FILE
"""

import argparse
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import tumorscope
from tumorscope.evaluation.seeds import seed_spread
from tumorscope.metrics.intervals import paired_gain, sign_flip_test
from tumorscope.runs.folder import is_run
from tumorscope.schema.recipe import Recipe, load_recipe
from tumorscope.support.files import read_csv, write_csv
from tumorscope.support.terminal import terminal_progress

DATA = Path(os.environ.get("TUMORSCOPE_DATA", "../shared/data")) / "yesno"
SAVED = Path("docs/results/small-data.csv")
COLUMNS = ("recipe", "fold", "seed", "right", "majority", "groups")
FOLDS, SEEDS = range(1, 6), range(5)
RUNS = Path("runs/small-data")


def main() -> None:
    """Train what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("settings", nargs="*", metavar="field=value")
    asked = parser.parse_intermixed_args()
    partition = RUNS / "partition.csv"
    tumorscope.split(data=DATA, out=partition, folds=len(FOLDS), seed=0)
    rows: list[dict[str, str]] = read_csv(SAVED) if SAVED.is_file() else []
    done = {(row["recipe"], row["fold"], row["seed"]) for row in rows}
    for seed in SEEDS:
        for fold in FOLDS:
            for recipe in recipes(asked.weights, asked.settings):
                if (recipe.name, str(fold), str(seed)) in done:
                    continue
                folder = RUNS / f"{recipe.name}-fold{fold}-seed{seed}"
                rows.append(train(recipe, partition, fold, seed, folder))
                write_csv(SAVED, COLUMNS, [[row[name] for name in COLUMNS] for row in rows])
                shutil.rmtree(folder)  # a hundred megabytes a run would fill a laptop
    report(rows)


def recipes(weights: Path, settings: Sequence[str]) -> list[Recipe]:
    """Return the recipes: from scratch, the head alone, and the head and then the last block."""
    given = [
        *(f"weights={weights}", "backbone_options.pad_type=same"),
        *("normalize.mean=[0.5, 0.5, 0.5]", "normalize.std=[0.5, 0.5, 0.5]", *settings),
    ]
    staged = load_recipe("mobilenetv2-staged", given)
    head = staged.model_copy(update={"name": "head-alone", "stages": staged.stages[:1]})
    return [load_recipe("cnn-baseline", settings), head, staged]


def train(recipe: Recipe, partition: Path, fold: int, seed: int, folder: Path) -> dict[str, str]:
    """Train one recipe on one fold with one seed and return its row."""
    tumorscope.train(
        data=DATA,
        recipe=recipe.model_copy(update={"seed": seed}),
        out=folder,
        partition=partition,
        test_fold=fold,
        resume=is_run(folder),
        progress=terminal_progress(quiet=False),
    )
    answers = read_csv(folder / "predictions.csv")
    group = {row["image"]: row["group"] for row in read_csv(folder / "partition.csv")}
    trained = [row["label"] for row in read_csv(folder / "partition.csv") if row["part"] == "train"]
    majority = max(sorted(set(trained)), key=trained.count)
    return {
        "recipe": recipe.name,
        "fold": str(fold),
        "seed": str(seed),
        "right": "".join(str(int(a["truth"] == a["predicted"])) for a in answers),
        "majority": "".join(str(int(a["truth"] == majority)) for a in answers),
        "groups": " ".join(group[a["image"]] for a in answers),
    }


def report(rows: Sequence[dict[str, str]]) -> None:
    """Print each recipe's accuracy over seeds, and the gains with their intervals over groups."""
    names = list(dict.fromkeys(row["recipe"] for row in rows))
    right = {name: answers(rows, name) for name in names}
    for name in names:
        spread = seed_spread([float(v) for v in right[name].mean(axis=1)])
        each = " ".join(f"{value:.1%}" for value in spread.values)
        span = f"{spread.low:.1%} to {spread.high:.1%} by chance in training alone"
        print(f"{name}: mean {spread.mean:.1%} ({span}); {each}")
    first = [row for row in rows if (row["recipe"], row["seed"]) == (names[0], "0")]
    majority = np.array([[c == "1" for row in first for c in row["majority"]]] * len(SEEDS))
    print(f"majority: {majority.mean():.1%} of {majority.shape[1]}")
    right = {"majority": majority, **right}
    groups = [group for row in first for group in row["groups"].split()]
    for one in list(right)[:-1]:
        gain, ends = paired_gain(right[one].mean(axis=0), right[names[-1]].mean(axis=0), groups)
        assert ends is not None
        chances = [
            sign_flip_test(a, b, groups) for a, b in zip(right[one], right[names[-1]], strict=True)
        ]
        print(
            f"{names[-1]} against {one}: {gain:+.1%} ({ends[0]:+.1%} to {ends[1]:+.1%} over "
            f"groups), p by seed {' '.join(f'{p:.3f}' for p in chances)}"
        )


def answers(rows: Sequence[dict[str, str]], name: str) -> NDArray[np.bool_]:
    """Return whether a recipe is right, bool, shape (seeds, images)."""
    seeds = sorted({row["seed"] for row in rows})
    return np.array(
        [
            [c == "1" for r in rows if (r["recipe"], r["seed"]) == (name, seed) for c in r["right"]]
            for seed in seeds
        ]
    )


if __name__ == "__main__":
    main()
