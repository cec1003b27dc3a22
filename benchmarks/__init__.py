"""Measurements against peers in the same run."""

import tumorscope  # noqa: F401 (first, so that ONNX Runtime finds its telemetry switched off)
