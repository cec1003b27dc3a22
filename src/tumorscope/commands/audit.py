"""Audit and split: what happens to a data set before anything is trained on it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from tumorscope._version import __version__
from tumorscope.checks import run_checks
from tumorscope.checks.summary import summarize_audit
from tumorscope.data.layouts import read_manifest
from tumorscope.data.store import MIDDLE, Store, cache_folder, open_store
from tumorscope.errors import UsageError
from tumorscope.grouping.lineage import load_tables
from tumorscope.grouping.survey import Rules, Survey
from tumorscope.schema.audit import Audit
from tumorscope.support.files import explained, refuse_inside, write_bytes, write_text
from tumorscope.support.progress import Progress, Quiet


@dataclass(frozen=True)
class AuditReport:
    """A finished audit.

    Attributes:
        folder: where `audit.json` and `audit.html` lie.
        numbers: what was found, as in `audit.json`.
    """

    folder: Path
    numbers: Audit


def audit(
    *, data: str | Path, out: str | Path | None = None, progress: Progress | None = None
) -> AuditReport:
    """Look at a data set with every check and write `audit.json` and `audit.html`.

    Args:
        data: a folder of images or a manifest CSV.
        out: the folder to write into; `audits/<data>` unless given, and then written over.
        progress: where to report; nowhere unless given.

    Raises:
        TumorscopeError: the data cannot be read, or the folder not written.
    """
    progress = progress or Quiet()
    place = Path(data)
    folder = Path(out) if out else Path("audits") / place.resolve().stem
    refuse_inside(folder, place)
    if folder.is_file() or (
        folder.is_dir() and any(folder.iterdir()) and not (folder / "audit.json").is_file()
    ):
        raise UsageError(f"{folder} exists and is no audit: choose another folder with --out.")
    store = open_store(read_manifest(place), MIDDLE, progress=progress)
    kept = _kept_audit(store)
    if not (kept / "audit.html").is_file():
        with explained(kept):
            kept.mkdir(parents=True, exist_ok=True)
        _check_all(store, kept, progress)
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for name in ("audit.html", "audit.json"):
        write_bytes(folder / name, (kept / name).read_bytes())
    return AuditReport(folder, Audit.model_validate_json((kept / "audit.json").read_bytes()))


def _kept_audit(store: Store) -> Path:
    """Return where an audit of this data is kept: the same data need not be checked twice."""
    key = hashlib.sha256(f"{__version__} {store.digest} {store.manifest.root.resolve()}".encode())
    key.update(repr(store.manifest.left_out).encode())
    for table in load_tables():
        key.update(table.set_name.encode() + table.prints.tobytes())
    return cache_folder() / "audits" / key.hexdigest()[:32]


def _check_all(store: Store, folder: Path, progress: Progress) -> None:
    """Run every check; the page, which says that the audit is whole, comes last."""
    from tumorscope.report.audit_page import write_audit_page  # noqa: PLC0415 (imports Jinja)

    survey = Survey(store)
    findings = run_checks(survey, progress)
    groups = len(set(survey.groups(Rules()).tolist()))
    summary = summarize_audit(survey, findings, groups)
    write_text(folder / "audit.json", summary.model_dump_json(indent=2) + "\n")
    write_audit_page(folder / "audit.html", store, summary, findings)
