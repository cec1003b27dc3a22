"""What runs a bundle's graph: ONNX Runtime, which every installation has, OpenVINO or PyTorch."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tumorscope.errors import BundleError, UsageError
from tumorscope.inference.bundle import Bundle, Runtime
from tumorscope.support.extras import require_extra

NEEDED: dict[Runtime, str | None] = {"onnx": None, "openvino": "openvino", "pytorch": "train"}


BOX = 5  # numbers of a box: centre, sides and score


class Answers(NamedTuple):
    """What a model says of some slices.

    Attributes:
        probabilities: float32, shape (n, classes), rows summing to 1.
        embedding: features, float32, shape (n, features).
        strangeness: how far each lies from the training images, float32, shape (n,); refused
            above 1.
        boxes: around the lesion: centre and sides in fractions of the image, x before y, and how
            well it should overlap the true one, each in [0, 1], float32, shape (n, 5); shape
            (n, 0) where the model does not localise.
    """

    probabilities: NDArray[np.float32]
    embedding: NDArray[np.float32]
    strangeness: NDArray[np.float32]
    boxes: NDArray[np.float32]


def answers_from(outputs: Mapping[str, NDArray[np.float32]]) -> Answers:
    """Return the outputs of a graph, by name, as answers."""
    nowhere = np.empty((len(outputs["probabilities"]), 0), np.float32)
    return Answers(*(outputs.get(name, nowhere) for name in Answers._fields))


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
    card = bundle.card
    boxes = (1, BOX if card.recipe.localise else 0)
    if shapes != [(1, len(card.classes)), (1, card.embedding), (1,), boxes]:
        raise BundleError(
            f"The graph of {bundle.place} gives answers of other shapes than its card says: take a "
            "fresh copy."
        )
