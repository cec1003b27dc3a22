"""How far readers agree: Cohen's kappa of each two of them, with its interval over patients."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from tumorscope.metrics import scores as metrics
from tumorscope.metrics.intervals import Clusters, interval
from tumorscope.watching.cases import Case, owner


@dataclass(frozen=True)
class Agreement:
    """How far two readers agree.

    Attributes:
        first, second: who.
        cases: that both have read.
        same: share of these to which both gave one label.
        kappa: Cohen's, in [-1, 1]; None where one label is all that was given.
        low, high: ends of its 95 % interval over patients; None where there is none.
    """

    first: str
    second: str
    cases: int
    same: float | None
    kappa: float | None
    low: float | None
    high: float | None


def agreements(cases: Iterable[Case]) -> list[Agreement]:
    """Return how far each two readers agree, by their last word on each case."""
    said: dict[str, dict[str, str]] = {}
    owners: dict[str, str] = {}
    for case in cases:
        owners[case.id] = owner(case)
        for review in case.reviews:
            said.setdefault(review.reader, {})[case.id] = review.label
    return [_agreement(one, other, said, owners) for one, other in combinations(sorted(said), 2)]


def _agreement(
    one: str, other: str, said: dict[str, dict[str, str]], owners: dict[str, str]
) -> Agreement:
    both = [case for case in said[one] if case in said[other]]
    if not both:
        return Agreement(one, other, 0, None, None, None, None)
    pairs = [(said[one][case], said[other][case]) for case in both]
    labels = sorted({label for pair in pairs for label in pair})
    first, second = (np.array([labels.index(pair[n]) for pair in pairs]) for n in (0, 1))
    same = float((first == second).mean())
    if len(labels) < 2:
        return Agreement(one, other, len(both), same, None, None, None)
    clusters = Clusters.of([owners[case] for case in both])
    confusion = metrics.confusion_matrix(first, second, len(labels))
    value = float(metrics.kappa(confusion))
    left = metrics.kappa(clusters.confusions(first, second, len(labels)))
    ends = interval(value, left, clusters, np.ones(len(both)), "signed")
    return Agreement(one, other, len(both), same, value, *(ends or (None, None)))
