"""The page of an audit: findings with their evidence as tables and contact sheets."""

import hashlib
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from tumorscope._version import __version__
from tumorscope.checks import Finding, run_checks
from tumorscope.checks.copies import COPY_COLUMNS, copy_rows
from tumorscope.checks.summary import summarize_audit
from tumorscope.data.dataset import say_layout
from tumorscope.data.layouts import read_manifest
from tumorscope.data.store import MIDDLE, THUMBNAIL, Store, cache_folder, open_store
from tumorscope.data.store import VERSION as READING
from tumorscope.grouping.copies import VERSION as SEARCH
from tumorscope.grouping.lineage.table import load_tables
from tumorscope.grouping.survey import Survey
from tumorscope.records import PARTS
from tumorscope.report.figures import class_distribution, grid, grouped_bars
from tumorscope.report.files import common_facts, files_figures
from tumorscope.report.html import data_uri, render_page
from tumorscope.report.style import render_figure
from tumorscope.report.tiles import sample_tiles
from tumorscope.schema.audit import FORMAT, Audit
from tumorscope.schema.layout import UNSAID, LayoutOptions
from tumorscope.support.files import (
    CACHE,
    explained,
    shown_name,
    write_bytes,
    write_csv,
    write_text,
)
from tumorscope.support.progress import Progress

PAGE, NUMBERS, COPIES = "audit.html", "audit.json", "copies.csv"
MOST_ROWS, MOST_IMAGES, COLUMNS = 100, 48, 12
MOST_PAIRS, PAIR_COLUMNS = 12, 3


def write_audit(
    data: Path, folder: Path, progress: Progress, layout: LayoutOptions = UNSAID
) -> Audit:
    """Run every check on a data set and write its files into a folder.

    `audit.html`, `audit.json`, and the pairs of copies in `copies.csv`.

    The same data is not checked twice: an audit is kept in the cache.

    Raises:
        TumorscopeError: the data cannot be read, or the folder not written.
    """
    manifest = read_manifest(data, layout)
    say_layout(manifest, progress)
    store = open_store(manifest, MIDDLE, progress=progress)
    kept = _kept_audit(store)
    if not (kept / PAGE).is_file():
        with explained(kept, CACHE):
            kept.mkdir(parents=True, exist_ok=True)
        _check_all(store, kept, progress)
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for name in (PAGE, NUMBERS, COPIES):
        write_bytes(folder / name, (kept / name).read_bytes())
    return Audit.model_validate_json((kept / NUMBERS).read_bytes())


def _kept_audit(store: Store) -> Path:
    """Return where an audit of this data is kept."""
    key = hashlib.sha256(
        f"{__version__} {FORMAT} {READING} {SEARCH} {store.digest} "
        f"{shown_name(str(store.manifest.root.resolve()))}".encode()
    )
    key.update(
        repr((store.manifest.left_out, store.manifest.unmarked, store.manifest.others)).encode()
    )
    for table in load_tables():
        key.update(table.set_name.encode() + table.prints.tobytes())
    return cache_folder() / "audits" / key.hexdigest()[:32]


def _check_all(store: Store, folder: Path, progress: Progress) -> None:
    """Run every check; the page, which says that the audit is whole, comes last."""
    survey = Survey(store)
    findings = run_checks(survey, progress)
    groups = len(set(survey.groups().tolist()))
    audit = summarize_audit(survey, findings, groups)
    write_csv(folder / COPIES, COPY_COLUMNS, copy_rows(survey))
    write_text(folder / NUMBERS, audit.model_dump_json(indent=2) + "\n")
    write_audit_page(folder / PAGE, store, audit, findings)


def write_audit_page(path: Path, store: Store, audit: Audit, findings: Sequence[Finding]) -> None:
    """Write `audit.html`: self-contained, worst findings first."""
    rank = {("found", "error"): 0, ("found", "warning"): 1, ("found", "note"): 2}
    ordered = sorted(
        findings, key=lambda f: rank.get((f.status, f.severity), 4 if f.status == "passed" else 3)
    )
    look = {name: render_figure(figure) for name, figure in _look(store).items()}
    values = {
        "audit": audit,
        "manifest": store.manifest,
        "pictures": {name: data_uri(content) for name, content in look.items()},
        "common": common_facts(store),
        "findings": ordered,
        "sheets": {f.code: _sheet(store, f) for f in findings if f.images},
        "most": MOST_ROWS,
        "most_images": MOST_IMAGES,
        "most_pairs": MOST_PAIRS,
    }
    write_text(path, render_page("audit", values))


def _look(store: Store) -> dict[str, Figure]:
    """Draw what people look at first: classes, files, and some images of each class."""
    classes, labels = store.manifest.classes, store.manifest.class_numbers()
    published = [row.split for row in store.manifest.rows]
    counts = {
        part: np.bincount(labels[[split == part for split in published]], minlength=len(classes))
        for part in PARTS
        if part in published
    }
    distribution = (
        class_distribution(counts, classes)
        if counts
        else grouped_bars({"images": np.bincount(labels).tolist()}, classes)
    )
    samples = [tile for own in sample_tiles(store, labels, len(classes)) for tile in own]
    return {
        "class_distribution": distribution,
        **files_figures(store),
        "samples": grid(samples),
    }


def _sheet(store: Store, finding: Finding) -> str:
    draw = pair_sheet if finding.pairs else contact_sheet
    return draw(store, finding.images)


def pair_sheet(store: Store, rows: Sequence[int]) -> str:
    """Return the first pairs as one picture, the two of a pair beside each other, a data URI.

    Args:
        store: the images.
        rows: two row numbers a pair.
    """
    pairs = [rows[at : at + 2] for at in range(0, min(len(rows), 2 * MOST_PAIRS), 2)]
    lines, gap = -(-len(pairs) // PAIR_COLUMNS), 8
    high, wide = MIDDLE + gap, 2 * MIDDLE + gap
    sheet = np.full((lines * high, min(len(pairs), PAIR_COLUMNS) * wide), 255, np.uint8)
    for number, pair in enumerate(pairs):
        top, left = number // PAIR_COLUMNS * high, number % PAIR_COLUMNS * wide
        sheet[top : top + MIDDLE, left : left + 2 * MIDDLE] = np.hstack(list(store.at_128(pair)))
    buffer = BytesIO()
    Image.fromarray(sheet).save(buffer, "PNG")
    return data_uri(buffer.getvalue())


def contact_sheet(store: Store, rows: Sequence[int]) -> str:
    """Return thumbnails of the first images as one picture, a data URI."""
    shown = store.thumbnails[list(dict.fromkeys(rows))[:MOST_IMAGES]]
    lines = -(-len(shown) // COLUMNS)
    cell = THUMBNAIL + 4
    sheet = np.full((lines * cell, min(len(shown), COLUMNS) * cell), 255, np.uint8)
    for number, image in enumerate(shown):
        top, left = number // COLUMNS * cell + 2, number % COLUMNS * cell + 2
        sheet[top : top + THUMBNAIL, left : left + THUMBNAIL] = image
    buffer = BytesIO()
    Image.fromarray(sheet).save(buffer, "PNG")
    return data_uri(buffer.getvalue())
