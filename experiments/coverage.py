"""How often 95 % intervals hold the truth, in simulated studies of patients with several slices.

Patients have 1 to 20 slices, which are right with a chance of the patient's own; the correlation of
two slices of a patient is set. Accuracy and balanced accuracy come from right and wrong answers,
AUROC from a normal score whose patient effect has that share of the variance. A row a cell.

    python experiments/coverage.py --save docs/results/coverage.csv
"""

import argparse
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tumorscope.evaluation.summary import FEW_WRONG
from tumorscope.metrics import scores as metrics
from tumorscope.metrics.intervals import Clusters, Interval, interval, wilson
from tumorscope.support.files import read_csv, write_csv

COLUMNS = (
    *("score", "accuracy", "correlation", "patients", "studies", "truth"),
    *("covered", "slicewise", "warned", "covered_unwarned"),
)
FEW, MANY = (12, 20, 30), (40, 60, 100, 200)
LEVELS, CORRELATIONS = (0.7, 0.8, 0.9), (0.1, 0.2, 0.3)
HARD = (0.95, 0.5)
Answer = tuple[float, Interval | None, Interval, bool]  # truth, ends, slice-wise ends, warned


def main() -> None:
    """Simulate every cell and print what the cells come to together."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--save", type=Path, required=True)
    parser.add_argument("--studies", type=int, default=2000)
    asked = parser.parse_args()
    cells = [*product(STUDIES, LEVELS, CORRELATIONS, (*FEW, *MANY))]
    cells += [(score, *HARD, patients) for score in STUDIES for patients in (*FEW, *MANY)]
    with ProcessPoolExecutor() as pool:
        rows = list(pool.map(partial(_cell, studies=asked.studies), cells))
    write_csv(asked.save, COLUMNS, rows)
    report(read_csv(asked.save))


def _cell(cell: tuple[str, float, float, int], studies: int) -> tuple[object, ...]:
    """Simulate studies of one kind and return their row."""
    score, level, correlation, patients = cell
    generator = np.random.default_rng([round(1000 * level), round(100 * correlation), patients])
    found = [STUDIES[score](generator, level, correlation, patients) for _ in range(studies)]
    truth = found[0][0]
    held = np.array([_holds(ends, truth) for _, ends, _, _ in found])
    slicewise = np.array([_holds(ends, truth) for _, _, ends, _ in found])
    warned = np.array([w for *_, w in found])
    quiet = f"{held[~warned].mean():.4f}" if (~warned).any() else ""
    shares = (f"{held.mean():.4f}", f"{slicewise.mean():.4f}", f"{warned.mean():.4f}", quiet)
    return (*cell, studies, f"{truth:.4f}", *shares)


def _holds(ends: Interval | None, truth: float) -> bool:
    return ends is not None and ends[0] <= truth <= ends[1]


def _patients(generator: np.random.Generator, count: int) -> NDArray[np.intp]:
    return np.repeat(np.arange(count), generator.integers(1, 21, count))


def _answers(
    generator: np.random.Generator, level: float, correlation: float, patients: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Draw patient, class and answer of each slice; a patient has one class of three."""
    numbers = _patients(generator, patients)
    weight = 1 / correlation - 1
    chances = generator.beta(level * weight, (1 - level) * weight, patients)[numbers]
    truth = generator.integers(0, 3, patients)[numbers]
    right = generator.random(len(numbers)) < chances
    return (
        numbers,
        truth,
        np.where(right, truth, (truth + generator.integers(1, 3, len(truth))) % 3),
    )


def _study(
    score: Callable[[metrics.Counts], metrics.Values],
    balanced: bool,
    generator: np.random.Generator,
    level: float,
    correlation: float,
    patients: int,
) -> Answer:
    """Return the interval of a score of the confusion matrix in one study."""
    numbers, truth, predicted = _answers(generator, level, correlation, patients)
    clusters, counts = Clusters(numbers, patients), np.bincount(truth, minlength=3)
    shares = 1 / counts[truth] if balanced else np.ones(len(truth))
    value = float(score(metrics.confusion_matrix(truth, predicted, 3)))
    ends = interval(value, score(clusters.confusions(truth, predicted, 3)), clusters, shares)
    few = len(np.unique(numbers[truth != predicted])) < FEW_WRONG
    return level, ends, wilson(value, len(truth)), few


def _auroc_study(
    generator: np.random.Generator, level: float, correlation: float, patients: int
) -> Answer:
    """Return the interval of the AUROC of a score that splits two classes at `level` accuracy."""
    numbers = _patients(generator, patients)
    own = (np.arange(patients) % 2 == 0)[numbers]
    apart = 2 * stats.norm.ppf(level)
    seen = np.where(own, apart, 0.0)
    seen += np.sqrt(correlation) * generator.normal(size=patients)[numbers]
    seen += np.sqrt(1 - correlation) * generator.normal(size=len(numbers))
    ranking, clusters = metrics.Ranking(own, seen), Clusters(numbers, patients)
    value = ranking.auroc(np.ones(len(own)))
    sides = np.where(own, 1 / own.sum(), 1 / (~own).sum())
    ends = interval(value, clusters.scores(ranking.auroc), clusters, sides)
    alone = _hanley(value, int(own.sum()), int((~own).sum()))
    few = len(np.unique(numbers[(seen > apart / 2) != own])) < FEW_WRONG
    return float(stats.norm.cdf(apart / np.sqrt(2))), ends, alone, few


def _hanley(area: float, positives: int, negatives: int) -> Interval:
    """Return the usual interval of an AUROC that takes slices for independent.

    Source: Hanley and McNeil (1982), The meaning and use of the area under a ROC curve.
    """
    first, second = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (positives - 1) * (first - area**2)
    spread += (negatives - 1) * (second - area**2)
    reach = 1.96 * np.sqrt(spread / (positives * negatives))
    return area - reach, area + reach


STUDIES: dict[str, Callable[[np.random.Generator, float, float, int], Answer]] = {
    "accuracy": partial(_study, metrics.accuracy, False),
    "balanced accuracy": partial(_study, metrics.balanced_accuracy, True),
    "AUROC": _auroc_study,
}


def report(rows: Sequence[dict[str, str]]) -> None:
    """Print how often the truth is held, pooled over cells and at worst."""
    for score, (name, sizes) in product(STUDIES, (("12 to 30", FEW), ("40 to 200", MANY))):
        own = [r for r in rows if r["score"] == score and int(r["patients"]) in sizes]
        own = [row for row in own if float(row["accuracy"]) != HARD[0]]
        for column in ("covered", "slicewise"):
            values = [float(row[column]) for row in own]
            print(
                f"{score}, {name} patients, {column}: "
                f"{np.mean(values):.1%} pooled, {min(values):.1%} to {max(values):.1%}"
            )
    for row in rows:
        if float(row["accuracy"]) == HARD[0]:
            print("hard corner:", {name: row[name] for name in COLUMNS if name != "studies"})


if __name__ == "__main__":
    main()
