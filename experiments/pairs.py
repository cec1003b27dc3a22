"""Put two networks of one recipe together from runs of each, and score the pair as a run.

    python experiments/pairs.py DATA RUNS NAME --seeds 0 1 2 --out PAIRS \
        --save docs/results/best-two-on-cheng.csv weights=FILE

Each fold's run with one seed becomes the first network and the run with the next seed (after the
last, the first) the second, as a run with `members=2` keeps them; bundle and report are made anew.
NAME is how the folders of finished runs of `experiments/folds.py` begin, before -fold1-seed0. The
second network has trained on some of the first one's validation images: its calibration is not that
of a run of two, its answers on test images are those of two networks.
"""

import argparse
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import tumorscope
from experiments.averages import FOLDS
from experiments.folds import COLUMNS, report, row_of
from tumorscope.schema.recipe import dump_recipe, load_recipe
from tumorscope.support.files import read_csv, write_csv, write_text

KEPT = ("environment.json", "left_out.csv", "manifest.csv", "partition.csv")  # of the first


def main() -> None:
    """Make every pair that is not in the file yet, and say what they come to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path)
    parser.add_argument("name")
    parser.add_argument("settings", nargs="*", metavar="field=value")
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--save", type=Path, required=True)
    asked = parser.parse_intermixed_args()
    rows = [tuple(row.values()) for row in read_csv(asked.save)] if asked.save.is_file() else []
    done = {row[1:3] for row in rows}
    following = [*asked.seeds[1:], asked.seeds[0]]
    for fold in FOLDS:
        for seed, other in zip(asked.seeds, following, strict=True):
            if (str(fold), str(seed)) in done:
                continue
            first, second = (
                asked.runs / f"{asked.name}-fold{fold}-seed{own}" for own in (seed, other)
            )
            folder = asked.out / f"fold{fold}-seeds-{seed}-{other}"
            recipe = put_together(first, second, folder)
            run = tumorscope.train(
                asked.data,
                recipe=recipe,
                overrides=asked.settings,
                out=folder,
                test_fold=fold,
                resume=True,
            )
            rows.append(tuple(str(cell) for cell in row_of("best", fold, seed, run, "")))
            write_csv(asked.save, COLUMNS, rows)
    report([dict(zip(COLUMNS, row, strict=True)) for row in rows])


def put_together(first: Path, second: Path, folder: Path) -> Path:
    """Make a run of two networks, both trained, and return its recipe."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "member-2").mkdir(parents=True)
    for name in KEPT:
        shutil.copyfile(first / name, folder / name)
    for run, place in ((first, folder), (second, folder / "member-2")):
        shutil.copytree(run / "checkpoints", place / "checkpoints")
        shutil.copyfile(run / "metrics.csv", place / "metrics.csv")
    recipe = load_recipe(first / "recipe.yaml", ["members=2"])
    write_text(folder / "recipe.yaml", dump_recipe(recipe))
    return folder / "recipe.yaml"


if __name__ == "__main__":
    main()
