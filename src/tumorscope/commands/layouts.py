"""Say how a data set is read, without reading an image."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tumorscope.schema.layout import UNSAID, LayoutOptions

if TYPE_CHECKING:
    from tumorscope.records import Manifest

LISTED = 1000  # files that are left out that the JSON names


@dataclass(frozen=True)
class LayoutReport:
    """How a data set is read.

    Attributes:
        manifest: its images and what becomes of its other files.
        written: the manifest CSV, where one was asked for.
    """

    manifest: "Manifest"
    written: Path | None = None

    @property
    def files(self) -> dict[str, int]:
        """How many files become what: images, left out, and passed over by kind."""
        found = self.manifest
        counts = {"images": len(found.rows), "left out": found.files_left_out}
        return {**counts, **found.passed_over, "system files": found.strays}

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON has it."""
        found = self.manifest
        return {
            "root": str(found.root),
            "layout": found.layout,
            "notes": list(found.notes),
            "classes": dict(Counter(row.label for row in found.rows)),
            "parts": dict(Counter(row.split for row in found.rows if row.split)),
            "patients": len({row.patient_id for row in found.rows if row.patient_id}),
            "boxes": sum(bool(row.boxes) for row in found.rows),
            "files": self.files,
            "left_out": [
                {"path": file.image, "reason": file.reason, "files": file.files}
                for file in found.left_out[:LISTED]
            ],
        }


def describe_layout(
    data: str | Path, *, layout: LayoutOptions = UNSAID, write: str | Path | None = None
) -> LayoutReport:
    """Say which layout a data set has and what would become of each of its files.

    Args:
        data: a folder, a table, or an archive.
        layout: what the layout leaves open.
        write: a CSV to write what was understood to, as a manifest that every verb reads.

    Raises:
        TumorscopeError: no layout fits, or the file cannot be written.
    """
    from tumorscope.data.layouts import read_manifest
    from tumorscope.data.layouts.written import write_manifest_table

    manifest = read_manifest(data, layout)
    if write is not None:
        write_manifest_table(Path(write), manifest)
    return LayoutReport(manifest, None if write is None else Path(write))
