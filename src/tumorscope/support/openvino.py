"""OpenVINO, the fastest runtime on many processors, where it is installed."""

import sys
from importlib.util import find_spec
from typing import Any


def has_openvino() -> bool:
    """Say whether OpenVINO is installed."""
    return find_spec("openvino") is not None


def import_openvino() -> Any:
    """Import OpenVINO without what reports each use, the import included, to its makers."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino  # noqa: PLC0415 (an extra, and slow to import)

    return openvino
