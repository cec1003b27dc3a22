"""Would the model answer the same without the tumour? How often answers change, by what is missing.

For each run of a recipe on a fold of `cheng`, every test image is answered as it is and with one
thing changed: the lesion filled smoothly from its surround, everything but the lesion black, the
background black, mirrored, turned. Intervals are over patients.

    python experiments/reliance.py $TUMORSCOPE_DATA/cheng/slices.csv RUN RUN … \
        --save docs/results/reliance-best.csv
"""

import argparse
from pathlib import Path

import numpy as np

from tumorscope.data.layouts import read_manifest
from tumorscope.data.read import read_image
from tumorscope.data.resize import resize
from tumorscope.explanation.reliance import CHANGES
from tumorscope.inference.predict import Predictor
from tumorscope.metrics.intervals import Clusters, interval
from tumorscope.support.files import read_csv, write_csv

COLUMNS = (
    *("change", "class", "images", "answer_changes", "low", "high"),
    *("mean_fall_of_probability", "fall_low", "fall_high"),
)
CHUNK = 32


def main() -> None:
    """Measure every run and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--save", type=Path, required=True)
    asked = parser.parse_args()
    manifest = read_manifest(asked.data)
    named = {row.image: row for row in manifest.rows}
    cases: dict[str, list[tuple[float, float]]] = {name: [] for name in CHANGES}
    labels, patients = [], []
    for run in asked.runs:
        predictor = Predictor.load(run)
        side = predictor.card.preprocessing.image_size
        rows = [named[line["image"]] for line in read_csv(run / "predictions.csv")]
        rows = [row for row in rows if row.boxes]
        for start in range(0, len(rows), CHUNK):
            some = rows[start : start + CHUNK]
            pixels = [resize(read_image(manifest.root / row.image).pixels, side) for row in some]
            before = predictor.probabilities(np.stack(pixels))
            answered = before.argmax(axis=1)
            for name, change in CHANGES.items():
                changed = [change(own, row.boxes) for own, row in zip(pixels, some, strict=True)]
                after = predictor.probabilities(np.stack(changed))
                for n, label in enumerate(answered):
                    other = float(after[n].argmax() != label)
                    cases[name].append((other, float(before[n, label] - after[n, label])))
        labels += [row.label for row in rows]
        patients += [str(row.patient_id) for row in rows]
        print(run, len(rows), flush=True)
    table = summed_up(cases, np.array(labels), patients)
    write_csv(asked.save, COLUMNS, table)
    for line in table:
        print(*line, sep="\t")


def summed_up(
    cases: dict[str, list[tuple[float, float]]], labels: np.ndarray, patients: list[str]
) -> list[tuple[object, ...]]:
    """Return a row a change and class, and one for all classes."""
    lines: list[tuple[object, ...]] = []
    for name, own in cases.items():
        values = np.array(own)
        for label in ("all", *sorted(set(labels))):
            chosen = np.flatnonzero((labels == label) | (label == "all"))
            clusters = Clusters.of([patients[n] for n in chosen])
            cells: list[str] = []
            for column, within in ((0, "share"), (1, "signed")):
                some = values[chosen, column]
                mean, ones = float(some.mean()), np.ones(len(some))
                ends = interval(mean, clusters.means(some), clusters, ones, within)  # type: ignore[arg-type]
                cells += [f"{v:.4f}" for v in (mean, *(ends or (np.nan, np.nan)))]
            lines.append((name, label, len(chosen), *cells))
    return lines


if __name__ == "__main__":
    main()
