"""Loggers that receive each epoch's scores in addition to `metrics.csv`."""

import os
from collections.abc import Sequence
from pathlib import Path

from lightning.pytorch.loggers import Logger, MLFlowLogger, TensorBoardLogger

from tumorscope.errors import UsageError
from tumorscope.support.extras import require_extra

LOGGERS = ("tensorboard", "mlflow")  # each the name of its extra


def check_loggers(names: Sequence[str]) -> None:
    """Refuse loggers that are not known or not installed.

    Raises:
        UsageError: there is no such logger.
        MissingExtra: it is not installed.
    """
    for name in names:
        if name not in LOGGERS:
            raise UsageError(f"There is no logger '{name}': choose from {', '.join(LOGGERS)}.")
        require_extra(name, f"--logger {name}")


def open_loggers(names: Sequence[str], folder: Path) -> list[Logger]:
    """Open loggers for a run.

    Args:
        names: of `LOGGERS`. TensorBoard writes to `tensorboard/` in the run's folder; MLflow to
            the server or database that `MLFLOW_TRACKING_URI` names, else to `mlflow.db` next to the
            run's folder.
        folder: the run's folder, whose name becomes the run's name.
    """
    return [_open(name, folder) for name in dict.fromkeys(names)]


def _open(name: str, folder: Path) -> Logger:
    if name == "tensorboard":
        return TensorBoardLogger(folder, name=None, version="tensorboard")
    beside = f"sqlite:///{folder.resolve().parent / 'mlflow.db'}"
    uri = os.environ.get("MLFLOW_TRACKING_URI", beside)
    return MLFlowLogger(experiment_name="tumorscope", run_name=folder.name, tracking_uri=uri)
