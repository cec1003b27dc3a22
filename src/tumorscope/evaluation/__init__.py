"""Predictions and truth to results with intervals and controls."""

from tumorscope.data.store import class_numbers
from tumorscope.evaluation.evaluate import Asked, Evaluation, evaluate_store
from tumorscope.evaluation.headline import control_answers, score_headline
from tumorscope.evaluation.scores import Cases, score_cases
from tumorscope.grouping.origins import Known

__all__ = [
    "Asked",
    "Cases",
    "Evaluation",
    "Known",
    "class_numbers",
    "control_answers",
    "evaluate_store",
    "score_cases",
    "score_headline",
]
