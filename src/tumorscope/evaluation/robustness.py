"""Accuracy on test images that were changed as another scanner or export would change them."""

import numpy as np
from numpy.typing import NDArray

from tumorscope.data.store import Store, batches
from tumorscope.evaluation.corruptions import CHANGES
from tumorscope.evaluation.model import ScoredModel
from tumorscope.evaluation.scores import Cases, share_score
from tumorscope.inference.predict import READ_BATCH
from tumorscope.schema.results import RobustnessCurve
from tumorscope.support.progress import Progress


def measure_robustness(
    model: ScoredModel,
    store: Store,
    rows: NDArray[np.intp],
    cases: Cases,
    progress: Progress,
) -> tuple[RobustnessCurve, ...]:
    """Predict under each change at each strength.

    Args:
        model: what is scored.
        store: the images at its size.
        rows: the test images.
        cases: their truth and groups.
        progress: where to report.
    """
    curves = []
    steps = sum(len(change.strengths) for change in CHANGES)
    with progress.task("changing images", steps * len(rows)) as task:
        for change in CHANGES:
            scores = []
            for strength in change.strengths:
                right = np.empty(len(rows), np.bool_)
                for numbers in batches(len(rows), READ_BATCH):
                    changed = change.apply(store.pixels(rows[numbers]), strength)
                    answers = model.probabilities(changed).argmax(axis=1)
                    right[numbers] = answers == cases.truth[numbers]
                    task.advance(len(numbers))
                scores.append(share_score(right, cases.clusters))
            curves.append(
                RobustnessCurve(
                    change=change.name,
                    strengths=change.strengths,
                    unit=change.unit,
                    accuracy=tuple(scores),
                )
            )
    return tuple(curves)
