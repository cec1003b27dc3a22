"""Whether what comes in, and what is answered, is still like what came first.

Cases are compared batch by batch with early ones. However many looks there are, and however
many things are looked at, the chance of a false alarm over all time stays below alpha: look number
k may spend 6 alpha / (π² k²), shared out over the things.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tumorscope.watching.cases import Case, owner

# Owners of cases: those by which directions are found, those that others are compared with, and
# those of a look. Directions fit whom they were found by too well to be compared with them.
FITTED, REFERENCE, BATCH = 100, 200, 100
DIRECTIONS = 4  # of the embedding, in which the first cases differ most
ALPHA = 0.05


@dataclass(frozen=True)
class Drift:
    """One thing in one batch.

    Attributes:
        look: the number of the batch, from 1.
        what: such as `mean grey level`.
        statistic: Kolmogorov's distance of numbers, Cramér's V of words, in [0, 1].
        p_value: of that.
        allowed: below which it is an alarm.
    """

    look: int
    what: str
    statistic: float
    p_value: float
    allowed: float

    @property
    def alarming(self) -> bool:
        """Whether it is an alarm."""
        return self.p_value < self.allowed


def find_drift(cases: Sequence[Case], alpha: float = ALPHA) -> tuple[Drift, ...]:
    """Compare later cases with early ones.

    Args:
        cases: in the order in which they came; a patient's first counts for all of his.
        alpha: the chance of a false alarm over all looks.

    Returns:
        Each thing of each look; empty as long as there are too few cases.
    """
    own = _one_an_owner([case for case in cases if case.answer and not case.answer.get("error")])
    start = FITTED + REFERENCE
    looks = [own[n : n + BATCH] for n in range(start, len(own) - BATCH + 1, BATCH)]
    if not looks:
        return ()
    fitted = own[:FITTED]
    numbers, words = _things(own[FITTED:start], fitted)
    things = len(numbers) + len(words)
    found = []
    for number, some in enumerate(looks, 1):
        allowed = 6 * alpha / (math.pi * number) ** 2 / things
        later_numbers, later_words = _things(some, fitted)
        for what, values in numbers.items():
            if what in later_numbers:
                tested = stats.ks_2samp(values, later_numbers[what])
                found.append(
                    Drift(number, what, float(tested.statistic), float(tested.pvalue), allowed)
                )
        for what, own_words in words.items():
            found.append(Drift(number, what, *_words_differ(own_words, later_words[what]), allowed))
    return tuple(found)


def _one_an_owner(cases: Sequence[Case]) -> list[Case]:
    first: dict[str, Case] = {}
    for case in cases:
        first.setdefault(owner(case), case)
    return list(first.values())


def _things(
    cases: Sequence[Case], fitted: Sequence[Case]
) -> tuple[Mapping[str, NDArray[np.float64]], Mapping[str, list[str]]]:
    """Return the numbers and the words that cases are compared by."""
    numbers: dict[str, NDArray[np.float64]] = {}
    for what, key in (("mean grey level", "mean"), ("spread of grey levels", "spread")):
        values = [case.facts[key] for case in cases if key in case.facts]
        if values:
            numbers[what] = np.array(values, np.float64)
    chances = [
        max((case.answer or {}).get("probabilities", {}).values(), default=0) for case in cases
    ]
    numbers["highest probability"] = np.array(chances, np.float64)
    directions, middle = _directions(fitted)
    features = [case.features for case in cases if case.features is not None]
    if len(directions) and features:
        along = (np.stack(features).astype(np.float64) - middle) @ directions.T
        numbers |= {f"embedding, direction {n + 1}": along[:, n] for n in range(len(directions))}
    words = {
        "answer": [(case.answer or {}).get("label") or "refused" for case in cases],
        "image size": [f"{c.facts.get('width')}×{c.facts.get('height')}" for c in cases],
        "scanner": [str(case.facts.get("scanner", "")) for case in cases],
        "kind": [case.kind for case in cases],
    }
    return numbers, words


def _directions(fitted: Sequence[Case]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    features = [case.features for case in fitted if case.features is not None]
    if len(features) < 2 * DIRECTIONS:
        return np.empty((0, 0)), np.empty(0)
    rows = np.stack(features).astype(np.float64)
    middle = rows.mean(axis=0)
    return np.linalg.svd(rows - middle, full_matrices=False)[2][:DIRECTIONS], middle


def _words_differ(first: Sequence[str], later: Sequence[str]) -> tuple[float, float]:
    """Return Cramér's V of words in two batches, and the p-value of Fisher's or a χ² test."""
    names = sorted({*first, *later})
    if len(names) < 2:
        return 0.0, 1.0
    table = np.array(
        [[batch.count(name) for name in names] for batch in (list(first), list(later))]
    )
    if len(names) == 2:
        p_value = float(stats.fisher_exact(table).pvalue)
    else:
        p_value = _of_several(first, later, names)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    squared = float(((table - expected) ** 2 / expected).sum())
    return math.sqrt(squared / table.sum()), p_value


def _of_several(first: Sequence[str], later: Sequence[str], names: Sequence[str]) -> float:
    """Return the p-value of a χ² test, with rare words put together."""
    rare = [name for name in names if list(first).count(name) + list(later).count(name) < 10]
    merged = [["rare" if word in rare else word for word in batch] for batch in (first, later)]
    kinds = sorted({*merged[0], *merged[1]})
    if len(kinds) < 2:
        return 1.0
    table = np.array([[batch.count(kind) for kind in kinds] for batch in merged])
    return float(stats.chi2_contingency(table).pvalue)
