"""A bundle's ONNX graph on ONNX Runtime."""

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from tumorscope.errors import BundleError
from tumorscope.inference.bundle import GRAPH, Bundle
from tumorscope.inference.runtimes import Answers, Engine, answers_from


def open_engine(bundle: Bundle, threads: int) -> Engine:
    """Return what answers slices; see `tumorscope.inference.runtimes.open_engine`."""
    if GRAPH not in bundle:
        raise BundleError(
            f"{bundle.place} was exported for OpenVINO only: use --runtime openvino, or export "
            "with --to onnx."
        )
    content = bundle.read(GRAPH)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.log_severity_level = 4  # what goes wrong is raised; the log would only repeat it
    try:
        session = onnxruntime.InferenceSession(
            content, settings, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime raises types of its own, not all exported
        raise BundleError(
            f"{bundle.place / GRAPH} cannot be loaded by ONNX Runtime: take a fresh copy."
        ) from error

    names = [output.name for output in session.get_outputs()]

    def answer(slices: NDArray[np.float32]) -> Answers:
        """Run the graph."""
        return answers_from(dict(zip(names, session.run(names, {"slices": slices}), strict=True)))

    return answer
