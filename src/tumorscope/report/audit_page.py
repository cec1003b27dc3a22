"""The page of an audit: findings with their evidence as tables and contact sheets."""

import base64
from collections.abc import Sequence
from importlib.resources import files
from io import BytesIO
from pathlib import Path

import jinja2
import numpy as np
from PIL import Image

from tumorscope._version import __version__
from tumorscope.checks import Finding
from tumorscope.data.store import THUMBNAIL, Store
from tumorscope.schema.audit import Audit
from tumorscope.support.files import write_text

TEMPLATE = files("tumorscope") / "report" / "audit.html.j2"
MOST_ROWS, MOST_IMAGES, COLUMNS = 100, 48, 12


def write_audit_page(path: Path, store: Store, audit: Audit, findings: Sequence[Finding]) -> None:
    """Write `audit.html`: self-contained, worst findings first."""
    rank = {("found", "error"): 0, ("found", "warning"): 1, ("found", "note"): 2}
    ordered = sorted(
        findings, key=lambda f: rank.get((f.status, f.severity), 4 if f.status == "passed" else 3)
    )
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        audit=audit,
        findings=ordered,
        sheets={f.code: contact_sheet(store, f.images) for f in findings if f.images},
        most=MOST_ROWS,
        most_images=MOST_IMAGES,
        version=__version__,
    )
    write_text(path, page)


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
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
