"""TS010: what the controls score on this data set."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tumorscope.checks.base import Check, Finding, found, not_applicable, passed
from tumorscope.errors import DataError
from tumorscope.evaluation.controls import (
    LARGEST,
    look_up,
    look_up_folds,
    look_up_prints,
    majority,
    pooled,
    random_folds,
)
from tumorscope.grouping.partition import make_folds
from tumorscope.grouping.survey import Survey, held_out

FOLDS = 5
CLOSE = 0.05  # a look-up this much better on a split than without leaks shows that the split leaks


@dataclass(frozen=True)
class ControlScores:
    """Accuracies of the majority class and the thumbnail look-up; None where not applicable.

    Attributes:
        majority_published, majority: on the published test part, and over all images.
        published: the look-up on the published split.
        random: the look-up over five random folds.
        leak_free: the look-up over five folds that divide no group.
        folds: the look-up on each published fold.
    """

    majority_published: float | None
    majority: float
    published: float | None
    random: float | None
    leak_free: float | None
    folds: dict[int, float]


@lru_cache(maxsize=1)  # the check and the summary ask for the same survey
def control_scores(survey: Survey) -> ControlScores:
    """Score both controls on the published split, at random and without leaks."""
    labels = survey.labels
    tested = held_out(survey.rows)
    count = len(labels)
    share = float(np.bincount(labels).max() / count)
    if count > LARGEST:
        return ControlScores(None, share, None, None, None, {})
    prints = look_up_prints(survey.store.thumbnails)
    on_published = on_majority = None
    if tested is not None:
        training, test = np.flatnonzero(~tested), np.flatnonzero(tested)
        on_published = look_up(prints, labels, training, test)
        on_majority = majority(labels[training], labels[test])
    at_random = random_folds(count)
    published_folds = [row.fold for row in survey.rows]
    own = {}
    if None not in published_folds and len(set(published_folds)) > 1:
        own = look_up_folds(prints, labels, np.array(published_folds, dtype=np.intp))
    try:
        clean = make_folds(survey.rows, survey.groups(), folds=FOLDS, seed=0)
        leak_free = pooled(look_up_folds(prints, labels, np.array(clean)), clean)
    except DataError:
        leak_free = None
    return ControlScores(
        on_majority,
        share,
        on_published,
        pooled(look_up_folds(prints, labels, at_random), at_random),
        leak_free,
        own,
    )


class ControlsCheck(Check):
    """Shows what a look-up on thumbnails scores, as published and without leaks."""

    code, title, severity = "TS010", "Controls", "warning"

    def run(self, survey: Survey) -> Finding:
        """Compare the look-up with itself on a split that does not leak."""
        scores = control_scores(survey)
        if scores.random is None and scores.published is None:
            return not_applicable(self, f"Look-ups compare at most {LARGEST:,} images.")
        rows = [
            ("most frequent class, all images", scores.majority),
            ("most frequent class, published split", scores.majority_published),
            ("thumbnail look-up, published split", scores.published),
            *((f"thumbnail look-up, fold {f}", s) for f, s in sorted(scores.folds.items())),
            ("thumbnail look-up, random folds", scores.random),
            ("thumbnail look-up, leak-free folds", scores.leak_free),
        ]
        known = [(name, f"{score:.1%}") for name, score in rows if score is not None]
        shown = ", ".join(f"{name} {score}" for name, score in known[1:])
        reference = scores.published if scores.published is not None else scores.random
        if scores.leak_free is None or (reference or 0) < scores.leak_free + CLOSE:
            return passed(self, f"A model must beat: {shown}.")
        return found(
            self,
            f"A model must beat: {shown}.",
            "A score that a look-up reaches is memory, not knowledge: judge a model on a "
            "leak-free split, by its gain over these controls.",
            ("control", "accuracy"),
            known,
            count=1,
        )
