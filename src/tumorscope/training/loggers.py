"""Places beside `metrics.csv` that can follow a training's scores."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from lightning.pytorch.loggers import Logger, MLFlowLogger, TensorBoardLogger

from tumorscope.errors import MissingExtra, UsageError

LOGGERS = ("tensorboard", "mlflow")


def open_loggers(names: Sequence[str], folder: Path) -> list[Logger]:
    """Open loggers for a run.

    Args:
        names: of `LOGGERS`. TensorBoard writes to `tensorboard/` in the run's folder; MLflow to
            the server or folder that `MLFLOW_TRACKING_URI` names, as it always does.
        folder: the run's folder, whose name becomes the run's name.

    Raises:
        UsageError: there is no such logger.
        MissingExtra: it is not installed.
    """
    for name in names:
        if name not in LOGGERS:
            raise UsageError(f"There is no logger '{name}': choose from {', '.join(LOGGERS)}.")
        if find_spec(name) is None:
            raise MissingExtra(f"--logger {name}", name)
    return [_open(name, folder) for name in dict.fromkeys(names)]


def _open(name: str, folder: Path) -> Logger:
    if name == "tensorboard":
        return TensorBoardLogger(folder, name=None, version="tensorboard")
    return MLFlowLogger(experiment_name="tumorscope", run_name=folder.name)
