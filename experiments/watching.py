"""How often a watched model gives a false alarm in a year, and how long a fall stays unseen.

Simulated years: a patient with a truth a day. False alarms are counted over years without a fall;
delays, in patients, after a fall in the hundredth patient, beside the best that any test could do
that knew when it happened and how far it went. Drift: a case a patient, three hundred early ones
and twelve looks of a hundred, with embeddings, grey levels, sizes and answers; without drift, and
with a shift of half a standard deviation in the embedding or the grey levels from the sixth look.

    python experiments/watching.py --save docs/results/watching.csv
"""

import argparse
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.support.files import write_csv
from tumorscope.watching.cases import Case
from tumorscope.watching.drift import BATCH, FITTED, REFERENCE, find_drift
from tumorscope.watching.sequential import (
    confidence_sequence,
    drop_evidence,
    first_passing,
    needed,
)
from tumorscope.watching.watch import HORIZON

YEAR, BEFORE = 365, 100
YEARS, FALLS, SETS, SHIFTED = 1000, 300, 1000, 200
COLUMNS = ("what", "expected", "fall", "runs", "share", "median_delay", "best_possible")
Rows = list[tuple[object, ...]]


def main() -> None:
    """Simulate, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--save", type=Path, required=True)
    asked = parser.parse_args()
    draw = np.random.default_rng(0)
    rows: Rows = []
    for expected in (0.8, 0.9, 0.95):
        rows += of_accuracy(draw, expected)
    rows += of_drift(draw)
    write_csv(asked.save, COLUMNS, rows)
    for row in rows:
        print(*row, sep="\t")


def patients(draw: np.random.Generator, count: int, accuracy: float) -> NDArray[np.float64]:
    """Return the share of right answers of some patients, each with one to twenty images."""
    images = draw.integers(1, 21, count)
    # Images of one patient are right together more often than those of two.
    own = draw.beta(4 * accuracy, 4 * (1 - accuracy), count)
    return draw.binomial(images, own) / images


def of_accuracy(draw: np.random.Generator, expected: float) -> Rows:
    """Return false alarms, failing bounds and delays for one accuracy."""
    alarms, missed = 0, 0
    for _ in range(YEARS):
        values = patients(draw, YEAR, expected)
        alarms += first_passing(drop_evidence(values, expected, HORIZON)) is not None
        low, high = confidence_sequence(values)
        missed += bool((low > expected).any() or (high < expected).any())
    rows: Rows = [
        ("false alarm of a fall in a year", expected, "", YEARS, f"{alarms / YEARS:.4f}", "", ""),
        ("bounds miss the truth in a year", expected, "", YEARS, f"{missed / YEARS:.4f}", "", ""),
    ]
    for fall in (0.05, 0.10, 0.20):  # of patients with one image, for whom the bound holds
        delays = []
        for _ in range(FALLS):
            shares = np.repeat([expected, expected - fall], [BEFORE, 1500])
            values = draw.binomial(1, shares).astype(np.float64)
            found = first_passing(drop_evidence(values, expected, HORIZON))
            delays.append(np.inf if found is None else found - BEFORE)
        seen = float(np.isfinite(delays).mean())
        best = needed(expected, expected - fall)
        middle = f"{np.median(delays):.0f}"
        rows.append(("fall is told", expected, fall, FALLS, f"{seen:.4f}", middle, best))
    return rows


def of_drift(draw: np.random.Generator) -> Rows:
    """Return false alarms of drift, and how soon a shift is seen."""
    rows: Rows = []
    for what, shift in (("none", 0.0), ("embedding", 0.5), ("grey levels", 0.5)):
        seen, looks = 0, []
        sets = SETS if what == "none" else SHIFTED
        for _ in range(sets):
            alarms = [own for own in find_drift(simulated(draw, what, shift)) if own.alarming]
            late = [own.look for own in alarms if own.look >= 6]
            seen += bool(alarms) if what == "none" else bool(late)
            looks += [min(late) - 5] if late and what != "none" else []
        title = "false alarm of drift in 12 looks" if what == "none" else f"shift of {what} is told"
        middle = f"{BATCH * np.median(looks):.0f}" if looks else ""
        rows.append((title, "", shift or "", sets, f"{seen / sets:.4f}", middle, ""))
    return rows


def simulated(draw: np.random.Generator, what: str, shift: float) -> list[Case]:
    """Return the cases of a log."""
    count = FITTED + REFERENCE + 12 * BATCH
    later = np.arange(count) >= FITTED + REFERENCE + 5 * BATCH
    scales = np.linspace(3, 0.2, 64)
    features = draw.normal(size=(count, 64)) * scales
    means = draw.normal(40, 8, count)
    if what == "embedding":
        features[later] += shift * scales
    if what == "grey levels":
        means[later] += shift * 8
    labels = draw.choice(["glioma", "meningioma", "pituitary"], count, p=[0.5, 0.3, 0.2])
    sides = draw.choice([256, 512], count, p=[0.3, 0.7])
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        Case(
            id=str(n),
            created=moment,
            name=f"{n}.png",
            kind="image",
            content="",
            model="m",
            answer={
                "label": labels[n],
                "accepted": True,
                "probabilities": {labels[n]: float(draw.beta(9, 1))},
            },
            facts={"mean": float(means[n]), "width": int(sides[n]), "height": int(sides[n])},
            features=features[n].astype(np.float16),
        )
        for n in range(count)
    ]


if __name__ == "__main__":
    main()
