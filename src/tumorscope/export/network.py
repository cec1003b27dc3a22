"""A network as an ONNX graph: traced once for each architecture, filled with a model's weights."""

import hashlib
import logging
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import onnxscript.optimizer
import torch
from google.protobuf.message import DecodeError
from onnx import ModelProto
from torch import Tensor

from tumorscope._version import __version__
from tumorscope.data.store import cache_folder
from tumorscope.export.parity import TOLERANCE, agreement, open_onnx
from tumorscope.model.deployed import Network
from tumorscope.support.files import write_bytes

INPUT = "pixels"
OUTPUTS = ("probabilities", "embedding", "boxes")  # the last where it localises
TRACERS = ("torch", "timm", "onnx", "onnxscript")  # another version, another trace
IMAGES = 4  # of noise, on which a graph from the cache must answer as the network does


def export_network(network: Network, size: int) -> ModelProto:
    """Return a network as a graph from grey levels of its size.

    Tracing takes seconds and depends on the architecture alone, so that its result is kept in the
    cache without weights: the next model of this kind only puts its own in.

    Args:
        network: on the CPU, in evaluation mode.
        size: the side of the slices that it takes.
    """
    path = cache_folder() / "graphs" / f"{_key(network, size)}.onnx"
    graph = _from_cache(path, network, size)
    if graph is None:
        outline = _outline(network, size)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, outline.SerializeToString())
        graph = _filled(outline, network)
    return graph


def _key(network: Network, size: int) -> str:
    """Name an architecture, with whatever else decides how its trace looks."""
    shapes = [(name, value.shape, value.dtype) for name, value in _tensors(network).items()]
    versions = [__version__, *((name, version(name)) for name in TRACERS)]
    parts = (network, shapes, size, versions)
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:32]


def _tensors(network: Network) -> dict[str, Tensor]:
    """Return what differs between models of one architecture, by the names that a trace keeps."""
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


def _from_cache(path: Path, network: Network, size: int) -> ModelProto | None:
    """Return a graph whose outline was kept, where it answers as the network does."""
    try:
        graph = _filled(onnx.load(path), network)
        onnx.checker.check_model(graph, full_check=True)
    except (
        OSError,
        DecodeError,
        onnx.checker.ValidationError,
        onnx.shape_inference.InferenceError,
    ):
        return None
    pixels = np.random.default_rng(0).uniform(0, 255, (IMAGES, size, size)).astype(np.float32)
    with torch.inference_mode():
        expected = network(torch.from_numpy(pixels))[0].numpy()
    try:
        answers = open_onnx(graph)(pixels)[0]
    except Exception:  # noqa: BLE001 (ONNX Runtime raises types of its own, not all exported)
        return None
    return graph if agreement(expected, answers).largest <= TOLERANCE else None


def _outline(network: Network, size: int) -> ModelProto:
    """Trace a network, and leave the weights out of the graph."""
    pixels, images = torch.rand(2, size, size) * 255, torch.export.Dim("images")
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # the exporter warns of its own internals
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            network,
            (pixels,),
            dynamo=True,
            input_names=[INPUT],
            output_names=OUTPUTS[: len(network(pixels))],
            dynamic_shapes=({0: images},),
            optimize=False,  # which would mix weights into other names
            verbose=False,
        )
    assert program is not None
    outline: ModelProto = without_notes(program.model_proto)
    own = _tensors(network)
    for tensor in outline.graph.initializer:
        if tensor.name in own:
            tensor.ClearField("raw_data")
    return outline


def _filled(outline: ModelProto, network: Network) -> ModelProto:
    """Put a network's weights into an outline, and simplify what they make of it."""
    own = _tensors(network)
    for tensor in outline.graph.initializer:
        if tensor.name in own:
            tensor.raw_data = own[tensor.name].detach().contiguous().numpy().tobytes()
    graph: ModelProto = onnxscript.optimizer.optimize(outline)
    return without_notes(graph)


def without_notes(model: ModelProto) -> ModelProto:
    """Take out inferred shapes, and what the exporter notes: source paths of this machine."""
    graph = model.graph
    for holder in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        del holder.metadata_props[:]
    del graph.value_info[:]
    for node in graph.node:
        node.doc_string = ""
    return model
