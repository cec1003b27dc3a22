"""A deployed classifier as ONNX: three parts, and the whole that is joined from them."""

import logging
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import onnx
import torch
from onnx import ModelProto, ValueInfoProto, compose
from onnx.utils import Extractor
from torch import Tensor, nn

from tumorscope.model.deployed import Deployed, Network

INPUT = "slices"
OUTPUTS = ("probabilities", "embedding", "strangeness")


@dataclass(frozen=True)
class Graph:
    """The parts of an exported classifier.

    Attributes:
        preprocess: `slices` to `pixels`.
        network: `pixels` to `probabilities` and `embedding`; the only part with much to do.
        gate: `pixels` and `embedding` to `strangeness`.
    """

    preprocess: ModelProto
    network: ModelProto
    gate: ModelProto

    def whole(self) -> ModelProto:
        """Return the parts as one graph, from `slices` to all that is said of them."""
        first = _merged(self.preprocess, self.network, ("pixels",), keep=("pixels",))
        joined = _merged(first, self.gate, ("pixels", "embedding"), keep=OUTPUTS[:2])
        named = {output.name: output for output in joined.graph.output}
        del joined.graph.output[:]
        joined.graph.output.extend(named[name] for name in OUTPUTS)
        joined.graph.value_info.append(named_value(self.network.graph.input, "pixels"))
        onnx.checker.check_model(joined)
        return joined


def named_value(values: Iterable[ValueInfoProto], name: str) -> ValueInfoProto:
    """Return the one of some values that has a name."""
    return next(value for value in values if value.name == name)


def split_graph(whole: ModelProto) -> Graph:
    """Return the parts of which a graph was joined."""
    cut = Extractor(whole)
    return Graph(
        preprocess=_stripped(cut.extract_model([INPUT], ["pixels"])),
        network=_stripped(cut.extract_model(["pixels"], list(OUTPUTS[:2]))),
        gate=_stripped(cut.extract_model(["pixels", "embedding"], [OUTPUTS[2]])),
    )


def make_graph(deployed: Deployed) -> Graph:
    """Export a deployed classifier, on the CPU and in evaluation mode, part by part."""
    size = deployed.preprocess.size
    slices = torch.rand(2, size + 3, size + 5) * 255  # a side of 1 or `size` would be a constant
    with torch.inference_mode():
        pixels = deployed.preprocess(slices)
        _, embedding = deployed.network(pixels)
    images, height, width = (torch.export.Dim(name) for name in ("images", "height", "width"))
    any_size = {0: images, 1: height, 2: width}
    return Graph(
        preprocess=_export(
            deployed.preprocess,
            (slices,),
            (INPUT,),
            ("pixels",),
            (any_size,),
        ),
        network=export_network(deployed.network, size),
        gate=_export(
            deployed.gate,
            (pixels, embedding),
            ("pixels", "embedding"),
            ("strangeness",),
            ({0: images}, {0: images}),
        ),
    )


def export_network(network: Network, size: int) -> ModelProto:
    """Export a network alone, from grey levels of its size."""
    pixels, images = torch.rand(2, size, size) * 255, torch.export.Dim("images")
    return _export(network, (pixels,), ("pixels",), OUTPUTS[:2], ({0: images},))


def _export(
    part: nn.Module,
    example: tuple[Tensor, ...],
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    shapes: tuple[dict[int, torch.export.Dim], ...],
) -> ModelProto:
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # the exporter warns of its own internals
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            part,
            example,
            dynamo=True,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=shapes,
            verbose=False,
        )
    assert program is not None
    model: ModelProto = program.model_proto
    return _stripped(model)


def _stripped(model: ModelProto) -> ModelProto:
    """Take out what the exporter notes of its own work: source paths of the machine it ran on."""
    graph = model.graph
    for holder in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info):
        del holder.metadata_props[:]
    for node in graph.node:
        node.doc_string = ""
    del graph.value_info[:]
    return model


def _merged(
    first: ModelProto, second: ModelProto, names: tuple[str, ...], keep: tuple[str, ...]
) -> ModelProto:
    """Join two graphs by values of equal names; `keep` says which of the first stay outputs."""
    free = {value.name for value in second.graph.input} - set(names)
    assert not free, free
    apart = compose.add_prefix(first, "a/", rename_inputs=False, rename_outputs=False)
    behind = compose.add_prefix(second, "b/", rename_inputs=False, rename_outputs=False)
    behind = _renamed_inputs(behind, names)
    outputs = [*keep, *(value.name for value in second.graph.output)]
    return compose.merge_models(
        apart,
        behind,
        io_map=[(name, f"b/{name}") for name in names],
        outputs=outputs,
    )


def _renamed_inputs(model: ModelProto, names: tuple[str, ...]) -> ModelProto:
    """Prefix the inputs that another graph gives, so that no name stands for two values."""
    for value in model.graph.input:
        if value.name in names:
            value.name = f"b/{value.name}"
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            if name in names:
                node.input[place] = f"b/{name}"
    return model
