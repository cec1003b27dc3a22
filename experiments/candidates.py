"""Choose between variants of a recipe for each test fold without that fold.

Every variant trains on three of five patient folds, once for each pair that is left out, and
answers both folds of the pair. For test fold 1, say, a variant is judged by what it answers on
folds 2 to 5 when neither that fold nor fold 1 was trained on: what wins there was chosen without
an image of the test fold. A row a training goes to a CSV, with one character an image (1 right,
0 wrong) of the pair's first fold and, after a slash, of its second: for the answer as the recipe
gives it, and for the mean over ten augmented views.

    python experiments/candidates.py $TUMORSCOPE_DATA/cheng/slices.csv --save FILE.csv \
        --share 1/2 weights=mobilenetv2_100_imagenet.safetensors

What has run is not run again. `--share 1/2` does every second one, so that several processes can
work side by side, each on a file of its own; `--report FILE …` prints what they say together.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from statistics import mean

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from experiments.bare import answer, marks, patient_numbers, train_bare
from tumorscope.data.dataset import read_store
from tumorscope.data.store import Store
from tumorscope.grouping.partition import fold_partition
from tumorscope.records import Partition
from tumorscope.schema.recipe import Recipe, load_recipe
from tumorscope.support.files import read_csv, write_csv
from tumorscope.support.progress import Quiet

FOLDS = range(1, 6)
# The recipe as it was when these were compared; what it became since is `now`.
BEFORE = ["smooth_answers=false", "statistics=learned"]
LATE = [*BEFORE, "train=[blocks.2, blocks.3, blocks.4, blocks.5, blocks.6, conv_head, bn2, head]"]
# What two cores do in the time of one another, but for the first, which takes half as long again.
CANDIDATES: dict[str, list[str]] = {
    "as-is": [*BEFORE, "train=[all]", "epochs=15"],
    "late": [*LATE, "epochs=18"],
    "late-fixed": [*LATE, "statistics=fixed", "epochs=22"],
    "short": [*BEFORE, "train=[all]", "epochs=10"],
    "late-attention": [*LATE, "epochs=18", "attention_weight=1"],
    "late-256": [*LATE, "epochs=14", "image_size=256"],
    "now": [],
}
COLUMNS = ("candidate", "pair", "seed", "seconds", "right", "right_of_views")
VIEWS = 10


def main() -> None:
    """Run what is missing, or report what has run."""
    asked = _arguments()
    if asked.report:
        report([row for path in asked.report for row in read_csv(path)])
        return
    rows = [tuple(row.values()) for row in read_csv(asked.save)] if asked.save.is_file() else []
    done = {(row[0], row[1]) for row in rows}
    own, of = (int(word) for word in asked.share.split("/"))
    jobs = [(name, pair) for name in asked.candidates for pair in combinations(FOLDS, 2)]
    for name, pair in jobs[own - 1 :: of]:
        if (name, f"{pair[0]}+{pair[1]}") in done:
            continue
        recipe = load_recipe("best", [*asked.settings, *CANDIDATES[name], f"seed={asked.seed}"])
        rows.append((name, *train(asked.data, recipe, pair, asked.device)))
        write_csv(asked.save, COLUMNS, rows)
        print(rows[-1][:4], flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("settings", nargs="*", metavar="field=value")
    parser.add_argument("--candidates", nargs="+", default=list(CANDIDATES), choices=CANDIDATES)
    parser.add_argument("--share", default="1/1")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--save", type=Path)
    parser.add_argument("--report", type=Path, nargs="+")
    return parser.parse_intermixed_args()


def train(data: Path, recipe: Recipe, pair: tuple[int, int], device: str) -> tuple[str, ...]:
    """Train without a pair of folds and return the rest of a row."""
    store = read_store(data, recipe, Quiet(), strict=True)
    left_out = [row.fold in pair for row in store.manifest.rows]
    partition = _without(store, recipe, left_out)
    start = time.perf_counter()
    trained = train_bare(store, partition, recipe, device)
    seconds = time.perf_counter() - start
    tested = np.flatnonzero(left_out)
    labels = store.manifest.class_numbers()[tested]
    first = np.array([store.manifest.rows[row].fold == pair[0] for row in tested])
    answers = [answer(trained, store, tested, recipe, views) == labels for views in (0, VIEWS)]
    right = [f"{marks(given[first])}/{marks(given[~first])}" for given in answers]
    return (f"{pair[0]}+{pair[1]}", str(recipe.seed), f"{seconds:.0f}", *right)


def _without(store: Store, recipe: Recipe, left_out: Sequence[bool]) -> Partition:
    """Return parts in which the pair is the test part and whole patients validate."""
    return fold_partition(
        store.manifest.rows,
        patient_numbers(store),
        [2 if out else 1 for out in left_out],
        test_fold=2,
        seed=recipe.seed,
        validation_share=recipe.validation_share,
    )


def report(rows: Sequence[dict[str, str]]) -> None:
    """Print what variants answer on the pairs that all have run, and what views change on all."""
    pairs = {name: {r["pair"] for r in rows if r["candidate"] == name} for name in CANDIDATES}
    names = [name for name, own in pairs.items() if own]
    shared = set.intersection(*(pairs[name] for name in names))
    print(f"Pairs of folds that {' and '.join(names)} have run: {', '.join(sorted(shared))}")
    print("test fold", *(f"{name}, plain | {name}, views" for name in names), sep=" | ")
    for fold in FOLDS:
        own = [row for row in rows if row["pair"] in shared and str(fold) in row["pair"]]
        if own:
            print(fold, *_means(names, own, fold), sep=" | ")
    print("all", *_means(names, [row for row in rows if row["pair"] in shared]), sep=" | ")
    plain, views = (
        [accuracy for row in rows for accuracy in accuracies(row, column)]
        for column in COLUMNS[-2:]
    )
    better = sum(after > before for before, after in zip(plain, views, strict=True))
    print(
        f"The mean over {VIEWS} views takes {mean(plain):.2%} to {mean(views):.2%} over "
        f"{len(plain)} answered folds; it is better on {better} of them."
    )


def _means(
    names: Sequence[str], rows: Sequence[dict[str, str]], fold: int | None = None
) -> list[str]:
    """Return each variant's mean accuracy, plain and over views, on folds other than one."""

    def score(name: str, column: str) -> float:
        own = [row for row in rows if row["candidate"] == name]
        return mean(value for row in own for value in accuracies(row, column, fold))

    return [f"{score(name, column):.2%}" for name in names for column in COLUMNS[-2:]]


def accuracies(row: dict[str, str], column: str, besides: int | None = None) -> list[float]:
    """Return the accuracies on the folds of a pair, or on the one that is not a given one."""
    numbers = [int(number) for number in row["pair"].split("+")]
    return [
        right.count("1") / len(right)
        for number, right in zip(numbers, row[column].split("/"), strict=True)
        if number != besides
    ]


if __name__ == "__main__":
    main()
