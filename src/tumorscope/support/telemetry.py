"""What libraries would report to their makers is off; a switch that the user has set stays."""

import os
import sys

# Read when a library starts. ONNX Runtime, from 1.29 on, would otherwise give the machine an
# identifier and report its sessions and models.
SWITCHES = {
    "ORT_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}


def turn_off() -> None:
    """Set the switches that the environment does not set; processes started later inherit them."""
    for name, value in SWITCHES.items():
        os.environ.setdefault(name, value)


def turn_off_openvino() -> None:
    """Keep OpenVINO and NNCF, which know no switch, from finding the package that reports."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
