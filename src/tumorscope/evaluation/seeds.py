"""Runs that differ in the seed alone: means and spreads of their scores."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tumorscope.evaluation.summary import best_control_accuracy
from tumorscope.metrics.intervals import mean_interval
from tumorscope.schema.results import Results
from tumorscope.schema.summaries import SeedSpread, SeedSummary
from tumorscope.schema.wording import CONTROL_LABELS, share

SCORES = ("accuracy", "balanced_accuracy", "macro_f1")


def summarize_seeds(
    seeds: Sequence[int], results: Sequence[Results], answers: NDArray[np.intp]
) -> SeedSummary:
    """Put the scores of runs that differ in the seed alone together.

    Args:
        seeds: the seed of each.
        results: what each scored; two at least, on the same test images.
        answers: the class number that each gives each test image, shape (seeds, images).
    """
    scores = {}
    for name in SCORES:
        values = [getattr(each.judged, name).value for each in results]
        if None not in values:
            scores[name] = seed_spread(values)
    return SeedSummary(
        summary=_sentence(scores["accuracy"], results),
        seeds=tuple(seeds),
        images=results[0].judged.n,
        scores=scores,
        alike=float((answers == answers[0]).all(axis=0).mean()),
        majority=results[0].judged.controls.majority,
    )


def _sentence(accuracy: SeedSpread, results: Sequence[Results]) -> str:
    """Say how accurate the seeds are together, how far apart, and beside what control."""
    first = results[0]
    new = "test" if first.judged is first.all else "new test"
    controls = first.judged.controls
    ends = ""
    if accuracy.low is not None and accuracy.high is not None:
        ends = f"; 95 % interval of the mean {accuracy.low:.1%} to {accuracy.high:.1%}"
    beaten = sum(own.judged.controls.verdict == "beaten" for own in results)
    shown = {0: "no seed is", 1: "one seed is", len(results): "every seed is"}
    return (
        f"{len(accuracy.values)} seeds are right on {accuracy.mean:.1%} of {first.judged.n} {new} "
        f"images on average ({min(accuracy.values):.1%} to {max(accuracy.values):.1%}{ends}), the "
        f"best control ({CONTROL_LABELS[controls.best]}) on "
        f"{share(best_control_accuracy(controls))}: "
        f"{shown.get(beaten, f'{beaten} seeds are')} shown to beat it."
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
