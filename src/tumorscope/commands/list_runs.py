"""What has been trained so far."""

from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.errors import UsageError

if TYPE_CHECKING:
    from tumorscope.runs.listing import ListedRun


def list_runs(folder: str | Path = "runs") -> "list[ListedRun]":
    """Return the runs in a folder, newest first, with their data, recipe and accuracy.

    Args:
        folder: that holds them.

    Returns:
        Runs, cross-validations and series of seeds, those that are not finished included.

    Raises:
        UsageError: there is no such folder.
    """
    from tumorscope.runs.listing import list_folder

    if not Path(folder).is_dir():
        raise UsageError(
            f"There is no folder {folder} here: 'tumorscope train DATA' makes runs/, or name the "
            "folder that holds your runs."
        )
    return list_folder(Path(folder))
