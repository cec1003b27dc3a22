"""Recognise slices of a set of one's own."""

from pathlib import Path

from tumorscope.support.extras import require_extra
from tumorscope.support.progress import Progress, default_progress


def add_lineage(name: str, manifest: str | Path, *, progress: Progress | None = None) -> Path:
    """Make a lineage table of one's own set, so that audits recognise its slices.

    Args:
        name: how to call the set.
        manifest: its manifest CSV, with `patient_id`.
        progress: where to report; bars in a notebook and nothing elsewhere unless given.

    Returns:
        The table's file.

    Raises:
        TumorscopeError: the name or the manifest cannot be used.
    """
    require_extra("train", "tumorscope lineage")
    from tumorscope.data.layouts import read_manifest
    from tumorscope.data.store import MIDDLE, open_store
    from tumorscope.grouping.lineage import add_table

    progress = progress or default_progress()
    return add_table(name, open_store(read_manifest(manifest), MIDDLE, progress=progress))
