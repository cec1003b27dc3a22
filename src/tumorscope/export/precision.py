"""The same graph with smaller numbers, and in OpenVINO's form."""

import contextlib
import io
import logging
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from tumorscope.support.extras import import_openvino
from tumorscope.support.telemetry import turn_off_openvino

LARGE = 1024  # numbers; smaller tensors weigh nothing and may need their precision
SAMPLES = 200  # images that quantisation sees


def halved(network: ModelProto) -> ModelProto:
    """Return a graph that holds its large weights in half precision.

    They are turned to single precision when the graph is loaded: processors compute no faster in
    half, and the answers differ by the rounding of the weights alone.
    """
    result = ModelProto()
    result.CopyFrom(network)
    graph = result.graph
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < LARGE:
            continue
        name, half = tensor.name, f"{tensor.name}/half"
        values = np.clip(numpy_helper.to_array(tensor), -65504, 65504).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(values, half))
        casts.append(helper.make_node("Cast", [half], [name], to=TensorProto.FLOAT))
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend([*casts, *nodes])
    onnx.checker.check_model(result)
    return result


def quantized(network: ModelProto, pixels: NDArray[np.uint8]) -> ModelProto:
    """Return a graph that computes in eight bits, with ranges seen on some images.

    Args:
        network: from `pixels` to its outputs.
        pixels: real images, uint8, shape (n, side, side).
    """
    nncf = _import_nncf()
    advanced, ranges = nncf.quantization.advanced_parameters, nncf.quantization.range_estimator
    # ONNX Runtime takes one range per tensor where NNCF would give each channel its own.
    whole_tensors = advanced.QuantizationParameters(per_channel=False)
    samples = [{"pixels": image[None].astype(np.float32)} for image in pixels[:SAMPLES]]
    with contextlib.redirect_stdout(io.StringIO()):  # its progress bars
        made: ModelProto = nncf.quantize(
            network,
            nncf.Dataset(samples),
            subset_size=len(samples),
            preset=nncf.QuantizationPreset.MIXED,
            advanced_parameters=advanced.AdvancedQuantizationParameters(
                activations_quantization_params=whole_tensors,
                activations_range_estimator_params=ranges.RangeEstimatorParametersSet.MINMAX,
            ),
        )
    return made


def _import_nncf() -> Any:
    """Import NNCF without what reports each use to its makers."""
    turn_off_openvino()
    import nncf  # noqa: PLC0415 (an extra, and slow to import)
    import nncf.quantization.advanced_parameters  # noqa: PLC0415
    import nncf.quantization.range_estimator  # noqa: PLC0415

    nncf.set_log_level(logging.ERROR)
    return nncf


def in_openvino(whole: ModelProto) -> tuple[bytes, bytes]:
    """Return a graph in OpenVINO's form: the network as XML, and its weights."""
    openvino = import_openvino()
    model = openvino.Core().read_model(whole.SerializeToString())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.xml"
        openvino.save_model(model, path, compress_to_fp16=False)
        return path.read_bytes(), path.with_suffix(".bin").read_bytes()
