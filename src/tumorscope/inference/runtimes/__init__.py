"""What runs a bundle's graph: ONNX Runtime, which every installation has, OpenVINO or PyTorch."""

from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tumorscope.errors import BundleError, UsageError
from tumorscope.inference.bundle import Bundle, Runtime
from tumorscope.support.extras import require_extra

NEEDED: dict[Runtime, str | None] = {"onnx": None, "openvino": "openvino", "pytorch": "train"}


class Answers(NamedTuple):
    """What a model says of some slices.

    Attributes:
        probabilities: float32, shape (n, classes), rows summing to 1.
        embedding: features, float32, shape (n, features).
        strangeness: how far each lies from the training images, float32, shape (n,); refused
            above 1.
    """

    probabilities: NDArray[np.float32]
    embedding: NDArray[np.float32]
    strangeness: NDArray[np.float32]


Engine = Callable[[NDArray[np.float32]], Answers]


def open_engine(bundle: Bundle, runtime: Runtime, threads: int) -> Engine:
    """Return what answers float32 slices of shape (n, height, width); threads may share it.

    Args:
        bundle: the model.
        runtime: what should run it.
        threads: how many cores a call may use.

    Raises:
        MissingExtra: the runtime is not installed.
        BundleError: the bundle is damaged, or not made for this runtime.
    """
    if runtime not in NEEDED:
        raise UsageError(f"There is no runtime '{runtime}': choose {', '.join(NEEDED)}.")
    extra = NEEDED[runtime]
    if extra is not None:
        require_extra(extra, f"The runtime '{runtime}'")
    # By name: PyTorch and OpenVINO stay out of what a plain prediction needs.
    engine: Engine = import_module(f"tumorscope.inference.runtimes.{runtime}").open_engine(
        bundle, threads
    )
    _check(bundle, engine)
    return engine


def _check(bundle: Bundle, engine: Engine) -> None:
    """Refuse a graph whose answers do not have the shapes that the card promises."""
    try:
        answers = engine(np.zeros((1, 8, 8), np.float32))
    except Exception as error:  # runtimes raise types of their own, not all exported
        raise BundleError(
            f"The graph of {bundle.place} fails on a slice: take a fresh copy."
        ) from error
    shapes = [part.shape for part in answers]
    if shapes != [(1, len(bundle.card.classes)), (1, bundle.card.embedding), (1,)]:
        raise BundleError(
            f"The graph of {bundle.place} gives answers of other shapes than its card says: take a "
            "fresh copy."
        )
