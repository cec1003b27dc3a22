"""Integrated gradients: how each pixel's grey level, grown from black, moved the answer.

Source: Sundararajan, Taly and Yan (2017), Axiomatic attribution for deep networks; computed by
captum.
"""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tumorscope.explanation.explain import INTEGRATED
from tumorscope.model import Classifier
from tumorscope.support.extras import require_extra

STEPS, BATCH = 32, 16  # of the integral, and how many at a time


def integrated_gradients(model: Classifier, pixels: Tensor, labels: Tensor) -> NDArray[np.float32]:
    """Return how much each pixel matters for a class.

    Args:
        model: in evaluation mode.
        pixels: grey levels in [0, 255], float, shape (n, 1, side, side).
        labels: the class of each, int, shape (n,).

    Returns:
        float32, shape (n, side, side), at least 0: the size of what each pixel adds to or takes
        from the logit.

    Raises:
        MissingExtra: captum is not installed.
    """
    require_extra("explain", f"--method {INTEGRATED}")
    from captum.attr import IntegratedGradients  # noqa: PLC0415 (an extra)

    added: Tensor = IntegratedGradients(model).attribute(
        model.prepared(pixels), target=labels, n_steps=STEPS, internal_batch_size=BATCH
    )
    return np.asarray(added.detach().abs().sum(dim=1).numpy(), np.float32)
