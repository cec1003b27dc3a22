"""What a model learns from labels that mean nothing: nothing without leaks, much with them.

The labels of `cheng` are shuffled by patient: each patient gets the label of another. A network
learns them by heart, and is tested on patients it has not seen, and on random images of patients it
has. A row a training; what is done is not done again.

    python experiments/random_labels.py --save docs/results/random-labels.csv
"""

import argparse
import os
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np

import tumorscope
from tumorscope.evaluation.seeds import seed_spread
from tumorscope.schema.grouping import GroupingRules
from tumorscope.support.files import read_csv, write_csv
from tumorscope.support.terminal import terminal_progress

DATA = Path(os.environ.get("TUMORSCOPE_DATA", "../shared/data")) / "cheng"
RUNS = Path("runs/random-labels")
COLUMNS = (
    *("partition", "shuffle", "images", "leaks", "macro_auroc", "low", "high", "accuracy"),
    *("majority", "look_up", "training_accuracy"),
)
RULES = {
    "by patient": GroupingRules(),
    "random images": GroupingRules(patients=False, lineage=False, copies=False, series=False),
}
SETTINGS = (
    *("image_size=64", "epochs=16", "batch_size=32", "keep=last", "schedule=one_cycle"),
    *("augment.rotation=0", "augment.horizontal_flip=0", "augment.vertical_flip=0"),
)


def main() -> None:
    """Train what is missing and print the means over shuffles."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--save", type=Path, required=True)
    parser.add_argument("--shuffles", type=int, default=5)
    asked = parser.parse_args()
    rows: list[tuple[object, ...]] = []
    if asked.save.is_file():
        rows = [tuple(row.values()) for row in read_csv(asked.save)]
    done = {(row[0], str(row[1])) for row in rows}
    for shuffle, partition in product(range(asked.shuffles), RULES):
        if (partition, str(shuffle)) not in done:
            rows.append(train(partition, shuffle))
            write_csv(asked.save, COLUMNS, rows)
    report([dict(zip(COLUMNS, map(str, row), strict=True)) for row in rows])


def shuffled(number: int) -> Path:
    """Write a manifest in which each patient has the label of another, and return it."""
    rows = read_csv(DATA / "slices.csv")
    label = {row["patient_id"]: row["label"] for row in rows}
    patients = sorted(label)
    drawn = np.random.default_rng(number).permutation(patients)
    given = {own: label[other] for own, other in zip(patients, drawn, strict=True)}
    folder = RUNS / f"shuffle-{number}"
    folder.mkdir(parents=True, exist_ok=True)
    top = Path(rows[0]["image"]).parts[0]
    if not (folder / top).exists():
        (folder / top).symlink_to((DATA / top).resolve())
    kept = [(row["image"], given[row["patient_id"]], row["patient_id"]) for row in rows]
    write_csv(folder / "slices.csv", ("image", "label", "patient_id"), kept)
    return folder / "slices.csv"


def train(partition: str, shuffle: int) -> tuple[object, ...]:
    """Train on one shuffle and one kind of partition and return its row."""
    manifest = shuffled(shuffle)
    folder = manifest.parent / partition.replace(" ", "-")
    parts = folder.with_suffix(".csv")
    tumorscope.split(
        data=manifest, out=parts, seed=shuffle, grouping=RULES[partition], validation_share=0.05
    )
    run = tumorscope.train(
        data=manifest,
        overrides=[*SETTINGS, f"seed={shuffle}"],
        out=folder,
        partition=parts,
        overwrite=folder.exists(),
        progress=terminal_progress(quiet=False),
    )
    found, learnt = run.results, run.results.parts["train"].accuracy.value
    area, controls = found.all.macro_auroc, found.all.controls
    values = (area.value, area.low, area.high, found.all.accuracy.value, controls.majority.value)
    shown = [f"{v:.4f}" for v in (*values, controls.look_up.value, learnt) if v is not None]
    return (partition, shuffle, found.all.n, found.leaks, *shown)


def report(rows: Sequence[dict[str, str]]) -> None:
    """Print the mean over shuffles for each kind of partition."""
    for partition in RULES:
        own = [row for row in rows if row["partition"] == partition]
        if len(own) > 1:
            area = seed_spread([float(row["macro_auroc"]) for row in own])
            learnt = np.mean([float(row["training_accuracy"]) for row in own])
            accuracy = np.mean([float(row["accuracy"]) for row in own])
            print(
                f"{partition}: macro AUROC {area.mean:.3f} ({area.low:.3f} to {area.high:.3f}) "
                f"over {len(own)} shuffles, accuracy {accuracy:.1%}, in training {learnt:.1%}"
            )


if __name__ == "__main__":
    main()
