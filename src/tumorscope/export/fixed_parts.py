"""The parts of a graph that are the same for every network: the resize before it, the gate behind.

They are written down operator by operator, as `tumorscope.model.deployed` computes them. Tracing
them, as is done with a network, gives the same operators and takes a hundred times as long.
"""

# Annotations of a written operator would be types of ONNX, and its result needs a name:
# mypy: disable-error-code="no-untyped-def"
# ruff: noqa: RET504

from collections.abc import Sequence
from typing import Any

import onnx
from onnx import ModelProto, TensorProto, inliner, numpy_helper
from onnxscript import FLOAT, opset20, optimizer, script

from tumorscope.data.resize import LEVELS, STEPS
from tumorscope.model.classifier import GREY_LEVELS
from tumorscope.model.deployed import GateLayer
from tumorscope.model.gate import FLOOR

op: Any = opset20  # typed more narrowly than it can be used, as is the next
Float: Any = FLOAT
FLOATS, INTEGERS = TensorProto.FLOAT, TensorProto.INT64
SIXTEENTHS, UNITS = float(LEVELS), float(STEPS)


def preprocess_graph(size: int) -> ModelProto:
    """Return what `tumorscope.model.deployed.Preprocess` does, as a graph.

    There is no branch for slices that have the size already: the weights are then those of the
    identity, and OpenVINO (2026.4) hands on memory that is in use when a branch is passed by.

    Args:
        size: the side of the results, in pixels.

    Returns:
        From `slices`, grey levels in [0, 255], float32, shape (images, height, width), to `pixels`,
        whole grey levels, float32, shape (images, size, size).
    """

    @script()
    def preprocess(slices):
        taken = op.Round(op.Clip(slices, 0.0, 255.0) * SIXTEENTHS) / SIXTEENTHS
        height = op.Squeeze(op.Shape(slices, start=1, end=2))
        width = op.Squeeze(op.Shape(slices, start=2, end=3))
        rows = op.Round(_resize_weights(height, size) @ taken * SIXTEENTHS) / SIXTEENTHS
        levels = op.Round(rows @ op.Transpose(_resize_weights(width, size), perm=[1, 0]))
        pixels = op.Reshape(levels, op.Constant(value_ints=[-1, size, size]))
        return pixels

    slices, pixels = Float["images", "height", "width"], Float["images", size, size]
    return _model(preprocess, [slices], pixels)


@script()
def _resize_weights(source, size):
    """What `Preprocess.weights` makes, shape (size, source)."""
    places = (2 * op.Range(0, source, 1) + 1) * size
    centres = op.Unsqueeze((2 * op.Range(0, size, 1) + 1) * source, [1])
    reach = 2 * op.Max(source, size)
    sums = op.CumSum(op.Max(reach - op.Abs(places - centres), 0), 1)
    totals = sums[:, -1:]
    half = op.Cast(op.Floor(op.Cast(totals, to=FLOATS) * 0.5), to=INTEGERS)
    shares = op.Cast(sums, to=FLOATS) / op.Cast(totals, to=FLOATS)
    guesses = op.Cast(op.Floor(shares * UNITS + 0.5), to=INTEGERS)
    rest = sums * STEPS + half - guesses * totals
    too_low, too_high = op.Cast(rest >= totals, to=INTEGERS), op.Cast(rest < 0, to=INTEGERS)
    steps = op.Cast(guesses + too_low - too_high, to=FLOATS)
    weights = op.Concat(steps[:, :1], steps[:, 1:] - steps[:, :-1], axis=1) / UNITS
    return weights


def gate_graph(gate: GateLayer) -> ModelProto:
    """Return what a gate does, as a graph.

    Returns:
        From `pixels`, grey levels, float32, shape (images, size, size), and `embedding`, float32,
        shape (images, features), to `strangeness`, float32, shape (images,).
    """
    tensors = {
        name.replace(".", "_"): numpy_helper.from_array(value.numpy())
        for name, value in gate.named_buffers()
    }
    edge = 2 * gate.look.pairs

    @script()
    def gate_part(pixels, embedding):
        shrink = op.Constant(value=tensors["look_shrink"])
        small = shrink @ pixels @ op.Transpose(shrink, perm=[1, 0]) / GREY_LEVELS
        own = pixels[:, 0:edge:2, 0:edge:2]
        right = op.Abs(pixels[:, 0:edge:2, 1:edge:2] - own)
        below = op.Abs(pixels[:, 1:edge:2, 0:edge:2] - own)
        level_steps = op.Constant(value=tensors["look_level_steps"])
        neighbour_steps = op.Constant(value=tensors["look_neighbour_steps"])
        textures = op.Concat(
            _shares(op.Flatten(own), level_steps),
            _shares(op.Flatten(right), neighbour_steps),
            _shares(op.Flatten(below), neighbour_steps),
            axis=1,
        )
        odd_picture = _oddness(
            op.Flatten(small),
            op.Constant(value=tensors["picture_mean"]),
            op.Constant(value=tensors["picture_directions"]),
            op.Constant(value=tensors["picture_gains"]),
            op.Constant(value=tensors["picture_spread"]),
            op.Constant(value=tensors["picture_middle"]),
            op.Constant(value=tensors["picture_scale"]),
        )
        odd_texture = _oddness(
            op.Sqrt(textures),
            op.Constant(value=tensors["texture_mean"]),
            op.Constant(value=tensors["texture_directions"]),
            op.Constant(value=tensors["texture_gains"]),
            op.Constant(value=tensors["texture_spread"]),
            op.Constant(value=tensors["texture_middle"]),
            op.Constant(value=tensors["texture_scale"]),
        )
        odd_features = _oddness(
            embedding,
            op.Constant(value=tensors["features_mean"]),
            op.Constant(value=tensors["features_directions"]),
            op.Constant(value=tensors["features_gains"]),
            op.Constant(value=tensors["features_spread"]),
            op.Constant(value=tensors["features_middle"]),
            op.Constant(value=tensors["features_scale"]),
        )
        oddest = op.Max(odd_picture, odd_texture, odd_features)
        strangeness = op.Exp(oddest - op.Constant(value=tensors["limit"]))
        return strangeness

    pixels, embedding = Float["images", "size", "size"], Float["images", "features"]
    return _model(gate_part, [pixels, embedding], Float["images"])


@script()
def _shares(values, steps):
    """What `tumorscope.model.deployed.shares` does."""
    slopes = op.Unsqueeze(1.0 / (steps[1:] - steps[:-1]), [1])
    lows = op.Unsqueeze(steps[:-1], [1])
    between = (op.Unsqueeze(values, [1]) - lows) * slopes
    above = op.ReduceMean(op.Clip(between, 0.0, 1.0), [2], keepdims=0)
    none = above[:, :1] * 0.0
    at_least = op.Concat(none + 1.0, above, axis=1)
    return op.Max(at_least - op.Concat(above, none, axis=1), 0.0)


@script()
def _oddness(seen, mean, directions, gains, spread, middle, scale):
    """What `SubspaceLayer` does."""
    centred = seen - mean
    inside = centred @ directions
    residual = op.ReduceSum(centred * centred, [1], keepdims=0) / spread
    logarithms = 0.5 * op.Log(op.Max(residual + (inside * inside) @ gains, FLOOR))
    return (logarithms - middle) / scale


def _model(function: Any, inputs: Sequence[Any], output: Any) -> ModelProto:
    """Return a written function, and those it calls, as one model."""
    written = function.to_model_proto(input_types=inputs, output_types=[output])
    model: ModelProto = optimizer.optimize(inliner.inline_local_functions(written))
    onnx.checker.check_model(model)
    return model
