"""Gather what runs scored on another set: a row a run, once each was evaluated there.

First each run is evaluated on that set, then its results are gathered:

    tumorscope evaluate RUN --data $TUMORSCOPE_DATA/sartaj          # for each
    python experiments/elsewhere.py sartaj RUN RUN … --save docs/results/best-on-sartaj.csv
"""

import argparse
from pathlib import Path

from tumorscope.schema.results import Results
from tumorscope.support.files import write_csv

COLUMNS = ("run", "images", "accuracy", "low", "high", "macro_f1")


def main() -> None:
    """Read the results and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="of the set, as under external/")
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--save", type=Path, required=True)
    asked = parser.parse_args()
    rows = []
    for run in asked.runs:
        text = (run / "external" / asked.name / "results.json").read_text(encoding="utf-8")
        scores = Results.model_validate_json(text).all
        own = scores.accuracy
        numbers = (own.value, own.low, own.high, scores.macro_f1.value)
        rows.append((run.name, own.n, *(f"{number:.4f}" for number in numbers)))
        print(*rows[-1], sep="\t")
    write_csv(asked.save, COLUMNS, rows)


if __name__ == "__main__":
    main()
