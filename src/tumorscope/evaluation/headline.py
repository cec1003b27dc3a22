"""A model's scores, and the controls' on the same images."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tumorscope.data.store import Store
from tumorscope.evaluation.controls import (
    LARGEST,
    file_facts,
    file_facts_answers,
    look_up_answers,
    look_up_prints,
)
from tumorscope.evaluation.scores import Cases, make_score, score_cases, share_score
from tumorscope.metrics.intervals import paired_gain
from tumorscope.metrics.scores import Classes
from tumorscope.schema.scores import Controls, ImageScores, Score

ControlAnswers = Mapping[str, Classes]


def control_answers(
    store: Store, labels: Classes, training: NDArray[np.intp], tested: NDArray[np.intp]
) -> dict[str, Classes]:
    """Return what each control answers for the test images, class numbers, shape (tested,).

    Args:
        store: the images.
        labels: class numbers of all rows.
        training: rows that the model was trained on; of very many, a sample is used.
        tested: rows to score.
    """
    if len(training) > LARGEST:
        training = np.sort(np.random.default_rng(0).choice(training, LARGEST, replace=False))
    rows = np.concatenate([training, tested])
    first, last = np.arange(len(training)), np.arange(len(training), len(rows))
    prints, features = look_up_prints(store.thumbnails[rows]), file_facts(store, rows)
    most = np.bincount(labels[training]).argmax()
    return {
        "majority": np.full(len(tested), most, np.intp),
        "look_up": look_up_answers(prints, labels[rows], first, last),
        "file_facts": file_facts_answers(features, labels[rows], first, last),
    }


def score_images(
    cases: Cases,
    answers: ControlAnswers,
    names: Sequence[str],
    prevalence: Sequence[float] | None = None,
) -> ImageScores:
    """Score test images, and the controls on the same images.

    Args:
        cases: truth and probabilities.
        answers: class numbers a control, from `control_answers`.
        names: the classes.
        prevalence: of each class, for predictive values.
    """
    scores = score_cases(cases, names, prevalence)
    controls = _compare(cases, answers)
    return ImageScores(
        controls=controls, **{n: getattr(scores, n) for n in type(scores).model_fields}
    )


def _compare(cases: Cases, answers: ControlAnswers) -> Controls:
    right = {name: said == cases.truth for name, said in answers.items()}
    scores = {name: share_score(values, cases.clusters) for name, values in right.items()}
    best = max(right, key=lambda name: float(right[name].mean()))
    value, ends = paired_gain(right[best], cases.right, cases.groups)
    gain = make_score(value, ends, len(cases))
    return Controls(**scores, best=best, gain=gain, verdict=_verdict(gain))


def _verdict(gain: Score) -> Literal["beaten", "not shown", "worse"]:
    if gain.low is not None and gain.low > 0:
        return "beaten"
    if gain.high is not None and gain.high < 0:
        return "worse"
    return "not shown"
