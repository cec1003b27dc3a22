"""What each stage of a training gained, on the same test images."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tumorscope.evaluation.scores import Cases, make_score, share_score
from tumorscope.metrics.intervals import paired_gain
from tumorscope.metrics.scores import Classes
from tumorscope.schema.results import StageScores


def score_stages(
    cases: Cases, answers: Mapping[int, Classes], stages: Mapping[int, int], kept_epoch: int
) -> tuple[StageScores, ...]:
    """Score what each stage's best weights answer, and what they gain on the stage before.

    Args:
        cases: the test images.
        answers: class numbers of these, int, shape (n,), by the epoch of the weights, which is the
            best of its stage.
        stages: the stage of each epoch, from 0.
        kept_epoch: the one whose weights were kept.
    """
    scores: list[StageScores] = []
    before: NDArray[np.bool_] | None = None
    for epoch in sorted(answers):
        right = answers[epoch] == cases.truth
        gain = None
        if before is not None:
            gain = make_score(*paired_gain(before, right, cases.groups), len(cases))
        accuracy = share_score(right, cases.clusters)
        scores.append(
            StageScores(
                stage=stages[epoch] + 1,
                epoch=epoch,
                kept=epoch == kept_epoch,
                accuracy=accuracy,
                gain=gain,
            )
        )
        before = right
    return tuple(scores)
