"""Labels that someone should look at again, by confident learning."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.support.extras import require_extra
from tumorscope.support.progress import Progress, default_progress

if TYPE_CHECKING:
    from tumorscope.runs.review import LabelIssue


@dataclass(frozen=True)
class Review:
    """A finished review.

    Attributes:
        table: a CSV with every image, the label most worth a look first.
        sheet: a picture of the first of them.
        rows: the same as the table.
        out_of_fold: whether every image was judged by a model that had not seen it.
    """

    table: Path
    sheet: Path
    rows: "tuple[LabelIssue, ...]"
    out_of_fold: bool


def review(run: str | Path, *, progress: Progress | None = None) -> Review:
    """List the images whose label a model disputes, in the order in which to look at them.

    Source: Northcutt, Jiang and Chuang (2021), Confident learning: estimating uncertainty in
    dataset labels; computed by cleanlab.

    Args:
        run: the folder of a cross-validation (`train --folds`), which judges every image; or of one
            run, which judges its test part.
        progress: where to report; bars in a notebook and nothing elsewhere unless given.

    Raises:
        TumorscopeError: the run or its data cannot be used.
    """
    require_extra("train", "tumorscope review")
    from tumorscope.runs.folder import is_cross_validation
    from tumorscope.runs.review import rank_labels, write_review

    folder = Path(run)
    rows = rank_labels(folder)
    table, sheet = write_review(folder, rows, progress or default_progress())
    return Review(table, sheet, rows, is_cross_validation(folder))
