"""Train a recipe on every fold of a data set, for several seeds, and keep a row a training.

A row ends with one character a test image (1 right, 0 wrong) and the images' groups, so that every
interval can be computed from the text.

A training whose row is there is not run again, one that was stopped goes on where it was: start
the same command as often as needed. A recipe that has changed since needs another --name.

    python experiments/folds.py DATA --recipe best --save docs/results/best-on-cheng.csv \
        weights=FILE
"""

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import tumorscope
from tumorscope.evaluation.scores import share_score
from tumorscope.metrics.intervals import Clusters
from tumorscope.runs.folder import is_run
from tumorscope.schema.wording import with_interval
from tumorscope.support.files import read_csv, write_csv
from tumorscope.support.terminal import terminal_progress

COLUMNS = (
    *("recipe", "fold", "seed", "images", "accuracy", "low", "high", "balanced_accuracy"),
    *("macro_f1", "macro_auroc", "majority", "kept_epoch", "validation_accuracy", "seconds"),
    *("right", "groups"),
)


def main() -> None:
    """Run what is missing, a fold after the other, the seeds of a fold together."""
    asked = _arguments()
    for fold in asked.folds:
        for seed in asked.seeds:
            done = {tuple(row[:3]) for row in _saved(asked.save)}
            if (asked.name or asked.recipe, str(fold), str(seed)) in done:
                continue
            row = _train(asked, fold, seed)
            # Read anew, since others may have added to it in the meantime.
            write_csv(asked.save, COLUMNS, [*_saved(asked.save), row])
            print(dict(zip(COLUMNS[:-2], row, strict=False)), flush=True)
    report([dict(zip(COLUMNS, row, strict=True)) for row in _saved(asked.save)])


def _saved(path: Path) -> list[tuple[str, ...]]:
    """Return the rows of a file, none where there is none yet."""
    return [tuple(row.values()) for row in read_csv(path)] if path.is_file() else []


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("settings", nargs="*", metavar="field=value")
    parser.add_argument("--recipe", default="best")
    parser.add_argument("--name", help="what to call it in the table; the recipe's name")
    parser.add_argument("--partition", type=Path)
    parser.add_argument("--folds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--runs", type=Path, default=Path("runs/folds"))
    parser.add_argument("--save", type=Path, required=True)
    return parser.parse_intermixed_args()


def report(rows: Sequence[dict[str, str]]) -> None:
    """Print each recipe's mean over folds, and its accuracy on all their images together."""
    for name in dict.fromkeys(row["recipe"] for row in rows):
        own = [row for row in rows if row["recipe"] == name]
        folds = sorted({int(row["fold"]) for row in own})
        for some in (folds, folds[1:]):
            chosen = [row for row in own if int(row["fold"]) in some]
            if chosen:
                mean = statistics.mean(float(row["accuracy"]) for row in chosen)
                print(f"{name}, folds {some}: mean {mean:.2%}, {_together(chosen)}")


def _together(rows: Sequence[dict[str, str]]) -> str:
    """Return the accuracy on the images of several folds, with its interval over groups."""
    right = np.array([c == "1" for row in rows for c in row["right"]])
    groups = [group for row in rows for group in row["groups"].split()]
    found = share_score(right, Clusters.of(groups))
    return f"{right.sum()} of {len(right)} images, {with_interval(found)}"


def _train(asked: argparse.Namespace, fold: int, seed: int) -> tuple[object, ...]:
    name = asked.name or asked.recipe
    folder = asked.runs / f"{asked.save.stem}-{name}-fold{fold}-seed{seed}"
    start, resumed = time.perf_counter(), is_run(folder)
    run = tumorscope.train(
        data=asked.data,
        recipe=asked.recipe,
        overrides=[*asked.settings, f"seed={seed}"],
        out=folder,
        partition=asked.partition,
        test_fold=fold,
        resume=resumed,
        progress=terminal_progress(quiet=False),
    )
    seconds = "" if resumed else round(time.perf_counter() - start)
    return row_of(name, fold, seed, run, seconds)


def row_of(
    name: str, fold: int, seed: int, run: tumorscope.Run, seconds: object
) -> tuple[object, ...]:
    """Return a finished run's row; the seconds are unknown where it was stopped in between."""
    found, folder = run.results, run.folder
    kept = tumorscope.Predictor.load(folder).card.provenance.kept_epoch
    validation = found.parts["validation"].accuracy.value
    values = (found.all.accuracy.value, found.all.accuracy.low, found.all.accuracy.high)
    scores = (
        found.all.balanced_accuracy,
        found.all.macro_f1,
        found.all.macro_auroc,
        found.all.controls.majority,
    )
    shown = ["" if v is None else f"{v:.4f}" for v in (*values, *(score.value for score in scores))]
    answers = read_csv(folder / "predictions.csv")
    group = {row["image"]: row["group"] for row in read_csv(folder / "partition.csv")}
    right = "".join(str(int(row["truth"] == row["predicted"])) for row in answers)
    groups = " ".join(group[row["image"]] for row in answers)
    made = (kept, "" if validation is None else f"{validation:.4f}", seconds)
    return (name, fold, seed, found.images.test, *shown, *made, right, groups)


if __name__ == "__main__":
    main()
