"""What bfloat16 costs: the same training in both precisions, seed by seed.

Each seed trains on about 400 slices of whole patients and is tested on one of the patient folds,
the folds in turn, once in single precision and once in bfloat16. A row a seed and variant goes to a
CSV, with one character a test image (1 right, 0 wrong) and the images' patients.

    python experiments/precision.py $TUMORSCOPE_DATA/cheng/slices.csv \
        --save docs/results/precision-cpu.csv --weights mobilenetv2_100_imagenet.safetensors

What has run is not run again; at the end it prints the table.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).parents[1]))

from experiments.bare import answer, marks, patient_numbers, train_bare
from tumorscope.data.dataset import read_store
from tumorscope.data.store import Store
from tumorscope.grouping.partition import fold_partition
from tumorscope.metrics.intervals import paired_gain
from tumorscope.records import Part, Partition
from tumorscope.schema.recipe import Recipe, load_recipe
from tumorscope.support.files import read_csv, write_csv
from tumorscope.support.progress import Quiet

LEARNED = 400  # slices
FOLDS = 5
VARIANTS = {
    "resnet18, from scratch": ("resnet18", ["image_size=96", "epochs=25"]),
    "cnn, from scratch": ("cnn-baseline", ["image_size=96", "epochs=25", "patience=null"]),
    "mobilenetv2, from ImageNet": ("best", ["image_size=128", "epochs=10"]),
}
PRECISIONS = ("single", "bfloat16")
COLUMNS = ("variant", "seed", "precision", "seconds", "right", "groups")
WORTH = 1.0  # points; a larger loss is not given for speed


def main() -> None:
    """Train what is missing and print the table."""
    asked = _arguments()
    rows = read_csv(asked.save) if asked.save.is_file() else []
    done = {(row["variant"], row["seed"], row["precision"]) for row in rows}
    jobs = [(v, s, p) for s in range(asked.seeds) for v in asked.variants for p in PRECISIONS]
    own, of = (int(word) for word in asked.share.split("/"))
    for variant, seed, precision in jobs[own - 1 :: of]:
        if (variant, str(seed), precision) in done:
            continue
        name, settings = VARIANTS[variant]
        given = [*settings, f"precision={precision}", f"seed={seed}"]
        if name == "best":
            given.append(f"weights={asked.weights}")
        seconds, right, groups = train(asked.data, load_recipe(name, given), asked.device)
        values = (variant, str(seed), precision, seconds, right, groups)
        rows.append(dict(zip(COLUMNS, values, strict=True)))
        write_csv(asked.save, COLUMNS, [[row[column] for column in COLUMNS] for row in rows])
        print(values[:4], f"{right.count('1') / len(right):.1%}", flush=True)
    report(rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--share", default="1/1")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--save", type=Path, required=True)
    return parser.parse_args()


def train(data: Path, recipe: Recipe, device: str) -> tuple[str, str, str]:
    """Train and test once; return the seconds, the marks and the patients of the test images."""
    store = read_store(data, recipe, Quiet(), strict=True)
    partition = few(store, recipe)
    tested = partition.where("test")
    start = time.perf_counter()
    model = train_bare(store, partition, recipe, device)
    seconds = time.perf_counter() - start
    right = answer(model, store, tested, recipe) == store.manifest.class_numbers()[tested]
    groups = " ".join(partition.groups[row] for row in tested)
    return f"{seconds:.0f}", marks(right), groups


def few(store: Store, recipe: Recipe) -> Partition:
    """Return parts by patient in which few images train; which, follows from the seed."""
    rows = store.manifest.rows
    numbers = patient_numbers(store)
    whole = fold_partition(
        rows,
        numbers,
        [row.fold for row in rows],
        test_fold=recipe.seed % FOLDS + 1,
        seed=recipe.seed,
        validation_share=0.15,
    )
    order = np.random.default_rng(recipe.seed).permutation(max(numbers) + 1)
    kept: set[int] = set()
    count = 0
    for patient in order:
        own = sum(
            n == patient and part == "train" for n, part in zip(numbers, whole.parts, strict=True)
        )
        if count < LEARNED and own:
            kept.add(int(patient))
            count += own
    parts: list[Part] = [
        "out" if part == "train" and number not in kept else part
        for number, part in zip(numbers, whole.parts, strict=True)
    ]
    return Partition(tuple(parts), whole.groups, "fold", whole.note)


def report(rows: Sequence[dict[str, str]]) -> None:
    """Print each variant's accuracy in both precisions, and what bfloat16 changes."""
    for variant in dict.fromkeys(row["variant"] for row in rows):
        own = {(r["seed"], r["precision"]): r for r in rows if r["variant"] == variant}
        seeds = sorted({seed for seed, _ in own}, key=int)
        seeds = [seed for seed in seeds if all((seed, p) in own for p in PRECISIONS)]
        right = {
            precision: [
                np.array([mark == "1" for mark in own[seed, precision]["right"]]) for seed in seeds
            ]
            for precision in PRECISIONS
        }
        means = {p: np.array([each.mean() for each in right[p]]) for p in PRECISIONS}
        differences = 100 * (means["bfloat16"] - means["single"])
        low, high = stats.t.interval(
            0.95, len(seeds) - 1, differences.mean(), stats.sem(differences)
        )
        groups = [g for seed in seeds for g in own[seed, "single"]["groups"].split()]
        _, ends = paired_gain(
            np.concatenate(right["single"]), np.concatenate(right["bfloat16"]), groups
        )
        assert ends is not None
        time_of = {p: np.median([float(own[s, p]["seconds"]) for s in seeds]) for p in PRECISIONS}
        print(
            f"{variant}: {len(seeds)} seeds, single {means['single'].mean():.1%}, bfloat16 "
            f"{means['bfloat16'].mean():.1%}; difference {differences.mean():+.1f} points "
            f"({low:+.1f} to {high:+.1f} over seeds; {100 * ends[0]:+.1f} to {100 * ends[1]:+.1f} "
            f"over patients); median time {time_of['single']:.0f} and {time_of['bfloat16']:.0f} s; "
            f"a loss of more than {WORTH:g} point is "
            f"{'not excluded' if low < -WORTH else 'excluded over seeds'}"
        )


if __name__ == "__main__":
    main()
