"""The page on what the sources do names tests that are there."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "recipes" / "sources.md"


def test_every_requirement_names_tests_that_exist() -> None:
    """Each row has three cells and at least one test."""
    rows = [line.split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines()]
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
