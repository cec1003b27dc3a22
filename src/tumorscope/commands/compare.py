"""Put finished runs side by side."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.errors import UsageError
from tumorscope.support.extras import require_extra
from tumorscope.support.files import explained

if TYPE_CHECKING:
    from tumorscope.schema.comparison import Comparison


@dataclass(frozen=True)
class ComparisonFiles:
    """A finished comparison.

    Attributes:
        figure: the file with scores and curves.
        numbers: the scores and paired tests.
    """

    figure: Path
    numbers: "Comparison"


def compare(runs: Sequence[str | Path], *, out: str | Path = "comparison.png") -> ComparisonFiles:
    """Put finished runs side by side, and draw their scores and curves in one figure.

    Args:
        runs: their folders; those of cross-validations too, on the images that both tested.
        out: the figure to write: a `.png`, `.svg` or `.pdf`.

    Raises:
        TumorscopeError: a folder is no finished run, or the figure cannot be written.
    """
    require_extra("train", "tumorscope compare")
    from tumorscope.report.figures import comparison
    from tumorscope.report.style import FORMATS, write_figure
    from tumorscope.runs.comparison import compare_runs
    from tumorscope.runs.folder import is_cross_validation, read_history

    folders, path = [Path(run) for run in runs], Path(out)
    if path.suffix[1:] not in FORMATS:
        raise UsageError(f"{path} does not end in .png, .svg or .pdf: one of these is written.")
    numbers = compare_runs(folders)
    names = _short_names(folders)
    histories = {
        name: read_history(folder)
        for name, folder in zip(names, folders, strict=True)
        if not is_cross_validation(folder)  # each fold has curves of its own
    }
    scores = {name: run.accuracy for name, run in zip(names, numbers.runs, strict=True)}
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_figure(path, comparison(scores, histories))
    return ComparisonFiles(path, numbers)


def _short_names(folders: Sequence[Path]) -> list[str]:
    """Return names for a legend: what is left of each path below the folder that holds them all."""
    whole = [folder.resolve() for folder in folders]
    above = Path(os.path.commonpath(whole))
    return [path.relative_to(above).as_posix() if path != above else path.name for path in whole]
