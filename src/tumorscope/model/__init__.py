"""Networks as plain modules: grey levels in, logits out."""

from tumorscope.model.build import build_classifier, build_trunk, check_stages
from tumorscope.model.classifier import Classifier

__all__ = ["Classifier", "build_classifier", "build_trunk", "check_stages"]
