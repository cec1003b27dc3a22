"""Predictions and truth to results with intervals and controls."""

from tumorscope.evaluation.evaluate import Evaluation, EvaluationOptions, evaluate_store
from tumorscope.evaluation.headline import control_answers, score_images
from tumorscope.evaluation.scores import Cases, score_cases

__all__ = [
    "Cases",
    "Evaluation",
    "EvaluationOptions",
    "control_answers",
    "evaluate_store",
    "score_cases",
    "score_images",
]
