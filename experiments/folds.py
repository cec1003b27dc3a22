"""Train a recipe on every fold of a data set, for several seeds, and keep a row a training.

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

import tumorscope
from tumorscope.files import read_csv, write_csv
from tumorscope.run import is_run
from tumorscope.terminal import terminal_progress

COLUMNS = (
    *("recipe", "fold", "seed", "images", "right", "accuracy", "balanced_accuracy", "macro_f1"),
    *("macro_auroc", "majority", "kept_epoch", "validation_accuracy", "seconds"),
)


def main() -> None:
    """Run what is missing, a fold after the other, the seeds of a fold together."""
    asked = _arguments()
    rows: list[tuple[object, ...]] = []
    if asked.save.is_file():
        rows = [tuple(row.values()) for row in read_csv(asked.save)]
    done = {(row[0], row[1], row[2]) for row in rows}
    for fold in asked.folds:
        for seed in asked.seeds:
            if (asked.name or asked.recipe, str(fold), str(seed)) in done:
                continue
            rows.append(_train(asked, fold, seed))
            write_csv(asked.save, COLUMNS, rows)
            print(dict(zip(COLUMNS, rows[-1], strict=True)), flush=True)
    _print_means([row for row in rows if row[0] == (asked.name or asked.recipe)])


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


def _print_means(rows: Sequence[tuple[object, ...]]) -> None:
    """Print the mean accuracy of all folds, and of all but the first where others tuned on it."""
    accuracy = [(int(str(row[1])), float(str(row[5]))) for row in rows]
    later = [value for fold, value in accuracy if fold > 1]
    folds = sorted({fold for fold, _ in accuracy})
    print(f"mean of folds {folds}: {statistics.mean(value for _, value in accuracy):.2%}")
    if later:
        print(f"mean of those after the first: {statistics.mean(later):.2%}")


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
    found, test = run.results, run.results.parts["test"].accuracy
    history = read_csv(folder / "metrics.csv")
    kept = tumorscope.Predictor.load(folder).card.provenance.kept_epoch
    right = round((test.value or 0) * test.n)
    scores = (found.accuracy, found.balanced_accuracy, found.macro_f1, found.macro_auroc)
    values = [f"{score.value:.4f}" for score in (*scores, found.controls.majority)]
    validation = f"{float(history[kept - 1]['validation_accuracy']):.4f}"
    return (name, fold, seed, test.n, right, *values, kept, validation, seconds)


if __name__ == "__main__":
    main()
