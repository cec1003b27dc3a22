"""A deployed classifier as ONNX: three parts, and the whole that is joined from them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import onnx
from onnx import ModelProto, ValueInfoProto, compose
from onnx.utils import Extractor

from tumorscope.export.fixed_parts import gate_graph, preprocess_graph
from tumorscope.export.network import export_network, without_notes
from tumorscope.model.deployed import DeployedModel

INPUT = "slices"
STRANGENESS = "strangeness"
OUTPUTS = ("probabilities", "embedding", STRANGENESS, "boxes")  # the last where it localises


@dataclass(frozen=True)
class Graph:
    """The parts of an exported classifier.

    Attributes:
        preprocess: `slices` to `pixels`.
        network: `pixels` to `probabilities`, `embedding` and, where it localises, `boxes`; the
            only part with much to do.
        gate: `pixels` and `embedding` to `strangeness`.
    """

    preprocess: ModelProto
    network: ModelProto
    gate: ModelProto

    def whole(self) -> ModelProto:
        """Return the parts as one graph, from `slices` to all that is said of them."""
        first = _merged(
            self.preprocess, self.network, ("pixels",), keep=("pixels",), mark="network/"
        )
        answers = [output.name for output in self.network.graph.output]
        joined = _merged(first, self.gate, ("pixels", "embedding"), keep=answers, mark="gate/")
        named = {output.name: output for output in joined.graph.output}
        del joined.graph.output[:]
        joined.graph.output.extend(named[name] for name in OUTPUTS if name in named)
        joined.graph.value_info.append(named_value(self.network.graph.input, "pixels"))
        onnx.checker.check_model(joined)
        return joined


def named_value(values: Iterable[ValueInfoProto], name: str) -> ValueInfoProto:
    """Return the one of some values that has a name."""
    return next(value for value in values if value.name == name)


def split_graph(whole: ModelProto) -> Graph:
    """Return the parts of which a graph was joined."""
    cut = Extractor(whole)
    answers = [output.name for output in whole.graph.output if output.name != STRANGENESS]
    parts = (
        cut.extract_model([INPUT], ["pixels"]),
        cut.extract_model(["pixels"], answers),
        cut.extract_model(["pixels", "embedding"], [STRANGENESS]),
    )
    return Graph(*map(without_notes, parts))


def make_graph(deployed: DeployedModel) -> Graph:
    """Export a deployed classifier, on the CPU and in evaluation mode, part by part."""
    size = deployed.preprocess.size
    return Graph(
        preprocess=preprocess_graph(size),
        network=export_network(deployed.network, size),
        gate=gate_graph(deployed.gate),
    )


def _merged(
    first: ModelProto, second: ModelProto, names: tuple[str, ...], keep: Sequence[str], mark: str
) -> ModelProto:
    """Join two graphs by values of equal names; `keep` says which of the first stay outputs.

    The second's own names are marked, so that none stands for two values.
    """
    free = {value.name for value in second.graph.input} - set(names)
    assert not free, free
    behind = compose.add_prefix(second, mark, rename_inputs=False, rename_outputs=False)
    behind = _renamed_inputs(behind, names, mark)
    outputs = [*keep, *(value.name for value in second.graph.output)]
    return compose.merge_models(
        first, behind, io_map=[(name, mark + name) for name in names], outputs=outputs
    )


def _renamed_inputs(model: ModelProto, names: tuple[str, ...], mark: str) -> ModelProto:
    """Mark the inputs that another graph gives, so that no name stands for two values."""
    for value in model.graph.input:
        if value.name in names:
            value.name = mark + value.name
    for node in model.graph.node:
        for number, name in enumerate(node.input):
            if name in names:
                node.input[number] = mark + name
    return model
