"""A code of an image that augmentation hardly changes: by it copies are looked for, not judged.

A small convolutional network that was trained by `tools/build_descriptor.py` to give augmented
copies of a slice the same code and other slices, those of the same patient too, others.
"""

import os
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

CHUNK = 256
SIDE = 64  # pixels
FILE = files("tumorscope.grouping") / "descriptor.onnx"


def describe(thumbnails: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the code of each image.

    Args:
        thumbnails: uint8, shape (n, 64, 64).

    Returns:
        float32, shape (n, 64), rows of length 1.
    """
    session = _session()
    codes = [np.empty((0, 64), np.float32)]
    for start in range(0, len(thumbnails), CHUNK):
        images = thumbnails[start : start + CHUNK, None].astype(np.float32)
        codes += session.run(None, {"images": images})
    return np.concatenate(codes)


@lru_cache(maxsize=1)
def _session() -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = os.cpu_count() or 1
    return onnxruntime.InferenceSession(
        FILE.read_bytes(), options, providers=["CPUExecutionProvider"]
    )
