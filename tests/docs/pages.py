"""What the tests of the documentation share: the pages, and what stands in them."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```(\S*)\n(.*?)^```", re.DOTALL | re.MULTILINE)


@cache
def pages() -> tuple[Path, ...]:
    """The README and all pages of the site, in a fixed order."""
    found = [path for path in DOCS.rglob("*.md") if "_build" not in path.parts]
    return (ROOT / "README.md", *sorted(found))


@cache
def text_of(path: Path) -> str:
    """The text of a page."""
    return path.read_text(encoding="utf-8")


def name_of(path: Path) -> str:
    """A page's path from the root, for messages and test ids."""
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path, language: str | None = None) -> list[str]:
    """The fenced blocks of a page, of one language if one is given."""
    found = BLOCK.findall(text_of(path))
    return [code for own, code in found if language is None or own == language]


def spans(path: Path) -> Iterator[str]:
    """The code spans of a page, on one line each."""
    for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", BLOCK.sub("", text_of(path))):
        yield " ".join(span.split())


def prose(path: Path) -> str:
    """A page without line breaks, so that a sentence can be looked for."""
    return " ".join(text_of(path).split())
