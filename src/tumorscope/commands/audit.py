"""Look at a data set before anything is trained on it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.errors import UsageError
from tumorscope.schema.layout import UNSAID, LayoutOptions
from tumorscope.support.extras import require_extra
from tumorscope.support.files import refuse_inside, shown_name
from tumorscope.support.notebook import html_table
from tumorscope.support.progress import Progress, default_progress

if TYPE_CHECKING:
    from tumorscope.schema.audit import Audit


@dataclass(frozen=True)
class AuditReport:
    """A finished audit.

    Attributes:
        folder: where `audit.json` and `audit.html` lie.
        numbers: what the checks say, as in `audit.json`.
    """

    folder: Path
    numbers: "Audit"

    def _repr_html_(self) -> str:
        """Show what the checks say and where the page is, in a notebook."""
        rows = [*self.numbers.headline, ("report", str(self.folder / "audit.html"))]
        return html_table(f"Audit of {self.numbers.data}", rows)


def audit(
    data: str | Path,
    *,
    out: str | Path | None = None,
    layout: LayoutOptions = UNSAID,
    progress: Progress | None = None,
) -> AuditReport:
    """Look at a data set with every check and write `audit.json` and `audit.html`.

    Args:
        data: a folder of images or a manifest CSV.
        out: the folder to write into; `audits/<data>` unless given, and then written over.
        layout: what the data's layout leaves open.
        progress: where to report; bars in a notebook and nothing elsewhere unless given.

    Raises:
        TumorscopeError: the data cannot be read, or the folder not written.
    """
    require_extra("train", "tumorscope audit")
    from tumorscope.report.audit_page import write_audit

    source = Path(data)
    folder = Path(out) if out else Path("audits") / shown_name(source.resolve().stem)
    refuse_inside(folder, source)
    if folder.is_file() or (
        folder.is_dir() and any(folder.iterdir()) and not (folder / "audit.json").is_file()
    ):
        raise UsageError(f"{folder} exists and is not an audit: choose another folder with --out.")
    return AuditReport(folder, write_audit(source, folder, progress or default_progress(), layout))
