"""Pages that repeat what the code says: tests by their names, layouts by their forms."""

import re
from pathlib import Path

from tumorscope.data.layouts import LAYOUTS

TESTS = Path(__file__).parents[1]
DOCS = TESTS.parent / "docs"


def test_every_requirement_names_tests_that_exist() -> None:
    """Each row has three cells and at least one test."""
    page = (DOCS / "recipes" / "sources.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in page.splitlines()]
    rows = [row for row in rows if len(row) == 3 and row[0] not in ("| the source", "| ---")]
    assert len(rows) > 30
    defined = {
        name
        for path in TESTS.rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    for row in rows:
        named = set(re.findall(r"`(test_\w+)`", row[2]))
        assert named, row
        assert named <= defined, named - defined


def test_every_layout_is_in_the_table_of_layouts() -> None:
    """In the order in which they are tried, as the error message has them."""
    page = (DOCS / "using" / "data.md").read_text(encoding="utf-8")
    rows = [f"| {layout.name} | `{layout.form}` |" for layout in LAYOUTS]
    assert "\n".join(rows) in page
