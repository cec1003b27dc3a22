"""A trained classifier to an ONNX graph, compared with the original before anything is written."""

import logging
import warnings

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tumorscope.errors import TumorscopeError
from tumorscope.model import Classifier

TOLERANCE = 1e-4  # float32 sums in another order; a class that changes fails in any case


class ExportError(TumorscopeError):
    """The exported graph does not answer as the original does."""


class Deployed(nn.Module):
    """A classifier from the store's grey levels to probabilities."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, pixels: Tensor) -> Tensor:
        """Return probabilities, float32, shape (n, classes), of uint8 (n, side, side)."""
        return self.classifier.probabilities(pixels.unsqueeze(1).float())


def export_onnx(classifier: Classifier, examples: NDArray[np.uint8]) -> bytes:
    """Return a classifier as an ONNX graph with input `pixels` and output `probabilities`.

    Args:
        classifier: on the CPU, in evaluation mode.
        examples: real images on which graph and original must agree, shape (n, side, side).

    Raises:
        ExportError: they do not agree within 1e-4, or not on the class.
    """
    deployed = Deployed(classifier).eval()
    pixels = torch.from_numpy(examples)
    content = _export(deployed, pixels[:2])
    with torch.inference_mode():
        expected = deployed(pixels).numpy()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    found = session.run(["probabilities"], {"pixels": examples})[0]
    largest = float(np.abs(found - expected).max())
    top = np.sort(expected, axis=1)
    clear = top[:, -1] - top[:, -2] > 2 * TOLERANCE
    same = (found.argmax(axis=1) == expected.argmax(axis=1))[clear].all()
    if largest > TOLERANCE or not same:
        raise ExportError(
            f"The ONNX graph differs from the model by {largest:.2g} in probability; "
            f"{TOLERANCE:g} is allowed, so it was not kept. Please report this with the recipe."
        )
    return content


def _export(deployed: Deployed, example: Tensor) -> bytes:
    if len(example) < 2:  # a batch of one would be taken for a constant
        example = example.repeat(2, 1, 1)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # the exporter warns of its own internals
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            deployed,
            (example,),
            dynamo=True,
            input_names=["pixels"],
            output_names=["probabilities"],
            dynamic_shapes=({0: torch.export.Dim("images")},),
            verbose=False,
        )
    assert program is not None
    content: bytes = program.model_proto.SerializeToString()
    return content
