"""A bundle's graph on OpenVINO."""

import threading

import numpy as np
from numpy.typing import NDArray

from tumorscope.errors import BundleError
from tumorscope.inference.bundle import GRAPH, NETWORK, NETWORK_WEIGHTS, Bundle
from tumorscope.inference.runtimes import Answers, Engine, answers_from
from tumorscope.support.extras import import_openvino


def open_engine(bundle: Bundle, threads: int) -> Engine:
    """Return what answers slices; see `tumorscope.inference.runtimes.open_engine`."""
    openvino = import_openvino()
    core = openvino.Core()
    try:
        if NETWORK in bundle:
            weights = np.frombuffer(bundle.read(NETWORK_WEIGHTS), np.uint8)
            model = core.read_model(bundle.read(NETWORK), openvino.Tensor(weights))
        else:
            model = core.read_model(bundle.read(GRAPH))
        compiled = core.compile_model(
            model,
            "CPU",
            {  # the processor's own choice may be bfloat16, which answers otherwise
                "INFERENCE_PRECISION_HINT": "f32",
                "INFERENCE_NUM_THREADS": threads,
                "PERFORMANCE_HINT": "LATENCY",
            },
        )
    except BundleError:
        raise
    except Exception as error:  # OpenVINO raises RuntimeError and types of its own
        raise BundleError(
            f"The graph of {bundle.place} cannot be loaded by OpenVINO: take a fresh copy."
        ) from error
    names = [output.any_name for output in compiled.outputs]
    own = threading.local()

    def answer(slices: NDArray[np.float32]) -> Answers:
        """Run the graph, on a request of the calling thread."""
        if not hasattr(own, "request"):
            own.request = compiled.create_infer_request()
        outputs = own.request.infer({0: slices}, share_inputs=True)
        return answers_from({name: np.array(outputs[name]) for name in names})

    return answer
