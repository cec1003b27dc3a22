"""Recognise slices of a set of one's own."""

from pathlib import Path

from tumorscope.data.layouts import read_manifest
from tumorscope.data.store import MIDDLE, open_store
from tumorscope.grouping.lineage.table import add_table
from tumorscope.support.progress import Progress


def add_lineage(name: str, manifest: str | Path, *, progress: Progress | None = None) -> Path:
    """Make a lineage table of one's own set, so that audits recognise its slices.

    Args:
        name: how to call the set.
        manifest: its manifest CSV, with `patient_id`.
        progress: where to report; nowhere unless given.

    Returns:
        The table's file.

    Raises:
        TumorscopeError: the name or the manifest cannot be used.
    """
    return add_table(name, open_store(read_manifest(manifest), MIDDLE, progress=progress))
