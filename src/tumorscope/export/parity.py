"""Whether an exported graph answers as the original does: nothing is kept that does not."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto

from tumorscope.errors import TumorscopeError
from tumorscope.metrics.scores import Probabilities

TOLERANCE = 1e-4  # float32 sums in another order
BOX_TOLERANCE = 1e-3  # of the image's side: a fraction of a pixel
CLEAR = 0.02  # half precision may change the class of no image whose two best are further apart

Answer = Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]


class ExportError(TumorscopeError):
    """An exported graph does not answer as the original does."""


@dataclass(frozen=True)
class Agreement:
    """How two models answer the same images.

    Attributes:
        images: how many.
        largest: the largest difference between two probabilities.
        changed: images of another class.
        changed_clear: those of them whose two best classes were far apart.
    """

    images: int
    largest: float
    changed: int
    changed_clear: int


def agreement(expected: Probabilities, answers: Probabilities, clear: float = CLEAR) -> Agreement:
    """Compare answers to the same images.

    Args:
        expected: probabilities of the original, shape (n, classes).
        answers: those of the other.
        clear: the distance between the two best classes from which on a change counts as clear.
    """
    best = np.sort(expected, axis=1)
    changed = answers.argmax(axis=1) != expected.argmax(axis=1)
    return Agreement(
        images=len(expected),
        largest=float(np.abs(answers - expected).max(initial=0.0)),
        changed=int(changed.sum()),
        changed_clear=int((changed & (best[:, -1] - best[:, -2] > clear)).sum()),
    )


def check_single(name: str, agreed: Agreement) -> None:
    """Refuse a graph in single precision that answers otherwise.

    Raises:
        ExportError: a probability differs by more than 1e-4, or a class that was no tie.
    """
    if not agreed.largest <= TOLERANCE or agreed.changed_clear:
        raise ExportError(
            f"The {name} graph differs from the model by {agreed.largest:.2g} in probability on "
            f"{agreed.images} images; {TOLERANCE:g} is allowed, so it was not kept. Please report "
            "this with the recipe."
        )


def check_boxes(name: str, expected: NDArray[np.float32], boxes: NDArray[np.float32]) -> None:
    """Refuse a graph in single precision that places a lesion elsewhere.

    Raises:
        ExportError: a box's centre, side or score differs by more than 1e-3 of the image's side.
    """
    largest = float(np.abs(expected - boxes).max(initial=0.0))
    if not largest <= BOX_TOLERANCE:
        raise ExportError(
            f"The {name} graph places a box {largest:.2g} of the image's side off the model's; "
            f"{BOX_TOLERANCE:g} is allowed, so it was not kept. Please report this with the recipe."
        )


def check_half(name: str, agreed: Agreement) -> None:
    """Refuse a graph in half precision that changes a class which was not nearly a tie.

    Raises:
        ExportError: it does.
    """
    if agreed.changed_clear:
        raise ExportError(
            f"The {name} graph in half precision changes the class of {agreed.changed_clear} of "
            f"{agreed.images} images whose two best classes were more than {CLEAR:g} apart, so it "
            "was not kept: use --precision fp32."
        )


def open_onnx(model: ModelProto) -> Answer:
    """Return a function that runs a graph with one input on ONNX Runtime."""
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name

    def run(value: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Return all outputs, in the graph's order."""
        outputs: list[NDArray[np.float32]] = session.run(None, {name: value})
        return outputs

    return run
