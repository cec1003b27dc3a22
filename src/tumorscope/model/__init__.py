"""Networks as plain modules: grey levels in, logits out."""

from tumorscope.model.backbones import build_classifier, build_member, build_trunk, check_stages
from tumorscope.model.classifier import Classifier
from tumorscope.model.ensemble import join, member_recipes, share_front
from tumorscope.model.split import Halves, between, front_of, frozen_depth, split_trunk
from tumorscope.model.summary import ModelSummary, summarize_model

__all__ = [
    "Classifier",
    "Halves",
    "ModelSummary",
    "between",
    "build_classifier",
    "build_member",
    "build_trunk",
    "check_stages",
    "front_of",
    "frozen_depth",
    "join",
    "member_recipes",
    "share_front",
    "split_trunk",
    "summarize_model",
]
