"""Where a run trains and reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lightning.pytorch.loggers import Logger

from tumorscope.support.progress import Progress


@dataclass(frozen=True)
class TrainingContext:
    """What training needs besides model, data and recipe.

    Attributes:
        folder: the run's folder; `metrics.csv` and `checkpoints/` are written there.
        device: `cpu`, `cuda` or `mps`.
        progress: where to report.
        loggers: further places for each epoch's scores.
    """

    folder: Path
    device: str
    progress: Progress
    loggers: Sequence[Logger] = ()
