"""The files of a bundle in another precision or for another runtime."""

from dataclasses import replace

import numpy as np
import onnx
from numpy.typing import NDArray

from tumorscope.export.graph import split_graph
from tumorscope.export.precision import halved, in_openvino, quantized
from tumorscope.inference.bundle import (
    EXAMPLES,
    GATE,
    GRAPH,
    NETWORK,
    NETWORK_WEIGHTS,
    WEIGHTS,
    Bundle,
)
from tumorscope.schema.card import Precision


def convert_bundle(
    original: Bundle, to: str, precision: Precision, samples: NDArray[np.uint8]
) -> dict[str, bytes]:
    """Return the files of an export but its card and README.

    Args:
        original: the bundle of a run.
        to: `onnx` or `openvino`.
        precision: of the network; the resize and the gate stay in single precision.
        samples: images by which quantisation finds the ranges of numbers, uint8, shape (n, side,
            side); used for `int8` alone.
    """
    whole = onnx.load_from_string(original.read(GRAPH))
    if precision != "fp32":
        parts = split_graph(whole)
        network = (
            halved(parts.network) if precision == "fp16" else quantized(parts.network, samples)
        )
        whole = replace(parts, network=network).whole()
    same = {EXAMPLES: original.read(EXAMPLES)} if EXAMPLES in original else {}
    if to == "openvino":
        network_file, weights = in_openvino(whole)
        return {NETWORK: network_file, NETWORK_WEIGHTS: weights} | same
    if precision == "fp32":
        return {name: original.read(name) for name in (GRAPH, WEIGHTS, GATE)} | same
    return {GRAPH: whole.SerializeToString()} | same
