"""Predictions and truth to results with intervals and controls."""

from tumorscope.evaluation.evaluate import (
    Evaluation,
    EvaluationOptions,
    ModelAnswers,
    evaluate_store,
    score_answers,
)
from tumorscope.evaluation.headline import control_answers, score_images
from tumorscope.evaluation.scores import Cases, score_cases

__all__ = [
    "Cases",
    "Evaluation",
    "EvaluationOptions",
    "ModelAnswers",
    "control_answers",
    "evaluate_store",
    "score_answers",
    "score_cases",
    "score_images",
]
