"""What runs a frozen front: OpenVINO on a processor, where it is at hand, else PyTorch."""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from tumorscope.schema.recipe import Recipe
from tumorscope.support.extras import has_extra, import_openvino
from tumorscope.support.progress import Progress
from tumorscope.training.device import autocast

Front = Callable[[Tensor], Tensor]

AGREEMENT = 0.05  # rounding explains such a mean difference, as a share of the mean size
HINTS = {"single": "f32", "bfloat16": "bf16"}


def fastest_front(
    front: nn.Module, recipe: Recipe, device: str, example: Tensor, progress: Progress
) -> Front:
    """Return what runs a frozen front fastest here.

    Outputs kept in single precision must be exact, so PyTorch computes them.

    Args:
        front: the layers that are run.
        recipe: its precisions.
        device: `cpu`, `cuda` or `mps`.
        example: what they may be given, float, shape (most, …), on the CPU: `most` images at a
            time.
        progress: where to say which it is.

    Returns:
        A function from what they take, float, shape (n, …), n at most `most`, to the front's
        outputs, float32.
    """
    plain = _in_pytorch(front, recipe, device)
    wanted = device == "cpu" and recipe.cache_precision == "half"
    if not wanted or not has_extra("openvino"):
        return plain
    try:
        compiled = _in_openvino(front, recipe, example)
        expected, answered = plain(example), compiled(example)
    except Exception as error:  # noqa: BLE001 (layers it cannot convert are told in many ways)
        reason = _first_line(error)
        progress.say(f"OpenVINO cannot run the frozen layers ({reason}): PyTorch runs them.")
        return plain
    if float((answered - expected).abs().mean()) > AGREEMENT * float(expected.abs().mean()):
        progress.say("OpenVINO and PyTorch disagree on the frozen layers: PyTorch runs them.")
        return plain
    return compiled


def _in_pytorch(front: nn.Module, recipe: Recipe, device: str) -> Front:
    def run(pixels: Tensor) -> Tensor:
        """Run the layers in the recipe's precision."""
        with torch.inference_mode(), autocast(recipe, device):
            outputs: Tensor = front(pixels.contiguous(memory_format=torch.channels_last))
            return outputs.float()

    return run


def _in_openvino(front: nn.Module, recipe: Recipe, example: Tensor) -> Front:
    openvino = import_openvino()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tracer, on what is constant here
        network = openvino.convert_model(
            front, example_input=example[:1], input=list(example.shape)
        )
    compiled = openvino.Core().compile_model(
        network,
        "CPU",
        {
            "INFERENCE_PRECISION_HINT": HINTS[recipe.precision],
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
        },
    )
    request = compiled.create_infer_request()

    def run(pixels: Tensor) -> Tensor:
        """Fill the batch up to the size that was compiled, and run it."""
        missing = len(example) - len(pixels)
        filled = torch.cat([pixels, example[:missing]]) if missing else pixels
        outputs = request.infer({0: filled.contiguous().numpy()}, share_inputs=True)
        return torch.from_numpy(outputs[0][: len(pixels)].copy())

    return run


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", maxsplit=1)[0].rstrip(".")
