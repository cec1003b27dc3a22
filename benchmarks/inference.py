"""ResNet-18 at 224 px in batches of 16, on every runtime, against what matrix products allow."""

import io
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
import onnxruntime
import torch
from torch.utils.flop_counter import FlopCounterMode

from tumorscope.export.network import export_network
from tumorscope.model import build_classifier
from tumorscope.model.deployed import Network
from tumorscope.schema.recipe import load_recipe
from tumorscope.support.extras import has_extra, import_openvino

SIZE, BATCH, REPEATS = 224, 16, 5
SQUARES = (512, 1024, 2048, 3072)


def seconds(call: Callable[[], object], repeats: int = REPEATS) -> list[float]:
    """Return how long each call took, after one that warms up."""
    call()
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    return found


def peak(kind: torch.dtype = torch.float32) -> float:
    """Return the most operations a second of square matrix products of a type."""
    best = 0.0
    for side in SQUARES:
        one, other = torch.rand(2, side, side).to(kind)
        for _ in range(2):
            best = max(best, 2 * side**3 / min(seconds(lambda a=one, b=other: a @ b)))  # type: ignore[misc]
    return best


def runtimes(pixels: np.ndarray) -> Iterator[tuple[str, Callable[[], object], float]]:
    """Yield each runtime's name, a call that answers for a batch, and the operations it takes."""
    recipe = load_recipe("resnet18", [f"image_size={SIZE}"])
    model = build_classifier(recipe, 4).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    tensor = torch.from_numpy(pixels).unsqueeze(1).float()
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model(tensor)
    work = float(counter.get_total_flops())

    def eager() -> None:
        with torch.inference_mode():
            model(tensor)

    yield "PyTorch", eager, work
    graph = export_network(Network(model).eval(), SIZE).SerializeToString()
    levels = pixels.astype(np.float32)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    yield "ONNX Runtime", lambda: session.run(None, {"pixels": levels}), work
    if has_extra("openvino"):
        core = import_openvino().Core()
        settings = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        network = core.read_model(io.BytesIO(graph))
        request = core.compile_model(network, "CPU", settings).create_infer_request()
        yield "OpenVINO", lambda: request.infer({0: levels}), work


def measure() -> list[str]:
    """Return a row a runtime: images a second and the share of the bound."""
    pixels = np.random.default_rng(0).integers(0, 256, (BATCH, SIZE, SIZE), np.uint8)
    rows = []
    for name, call, work in runtimes(pixels):
        bound = BATCH * peak() / work  # beside each runtime, since machines vary
        speeds = [BATCH / s for s in seconds(call)]
        middle = statistics.median(speeds)
        rows.append(
            f"| {name} | {middle:.1f} | {bound:.1f} | {middle / bound:.0%} "
            f"({min(speeds) / bound:.0%} – {max(speeds) / bound:.0%}) |"
        )
    return rows
