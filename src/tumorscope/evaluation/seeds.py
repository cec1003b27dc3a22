"""Runs that differ in the seed alone: means and spreads of their scores."""

from collections.abc import Sequence

import numpy as np

from tumorscope.metrics.intervals import mean_interval
from tumorscope.schema.results import Results
from tumorscope.schema.summaries import SeedSpread, SeedSummary

SCORES = ("accuracy", "balanced_accuracy", "macro_f1")


def summarize_seeds(seeds: Sequence[int], results: Sequence[Results]) -> SeedSummary:
    """Put the scores of runs that differ in the seed alone together.

    Args:
        seeds: the seed of each.
        results: what each scored; two at least, on the same test images.
    """
    scores = {}
    for name in SCORES:
        values = [getattr(each.all, name).value for each in results]
        if None not in values:
            scores[name] = seed_spread(values)
    return SeedSummary(
        seeds=tuple(seeds),
        images=results[0].images.test,
        scores=scores,
        majority=results[0].all.controls.majority,
    )


def seed_spread(values: Sequence[float]) -> SeedSpread:
    """Return mean, standard deviation and, of three values or more, the interval of the mean."""
    low, high = mean_interval(values) or (None, None)
    return SeedSpread(
        mean=float(np.mean(values)),
        standard_deviation=float(np.std(values, ddof=1)),
        low=low,
        high=high,
        values=tuple(values),
    )
