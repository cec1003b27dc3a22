"""Where a run trains and reports."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lightning.pytorch.loggers import Logger

from tumorscope.support.progress import Progress


@dataclass(frozen=True)
class TrainingContext:
    """What training needs besides model, data and recipe.

    Attributes:
        folder: the run's folder.
        device: `cpu`, `cuda` or `mps`.
        progress: where to report.
        loggers: further places for each epoch's scores.
        member: which of the recipe's networks trains, from 1.
    """

    folder: Path
    device: str
    progress: Progress
    loggers: Sequence[Logger] = ()
    member: int = 1

    @property
    def member_folder(self) -> Path:
        """Where `metrics.csv` and `checkpoints/` are written: the run's folder, or one in it."""
        return self.folder if self.member == 1 else self.folder / f"member-{self.member}"

    def of_member(self, number: int) -> "TrainingContext":
        """Return the same for another network; loggers receive the first one's epochs alone."""
        return replace(self, member=number, loggers=self.loggers if number == 1 else ())
