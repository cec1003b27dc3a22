"""Which files are meant: names, folders, patterns, and lists on standard input."""

import glob
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from tumorscope.data.layouts.tree import walk_files

LISTED = "-"
PATTERN = ("*", "?", "[")


def list_inputs(inputs: Iterable[str], listing: IO[str] | None = None) -> Iterator[str]:
    """Yield the files that are meant, one by one, so that any number of them can be.

    Args:
        inputs: each a file; a folder, for every file below it; a pattern, in which `**` stands for
            any folders, for what matches it; or `-` for the lines of `listing`. What matches
            nothing is yielded as it is, so that it is told as a file that is not there.
        listing: one name per line; blank lines are passed over.
    """
    for text in inputs:
        if text == LISTED and listing is not None:
            yield from (line for each in listing if (line := each.rstrip("\r\n")).strip())
        elif Path(text).is_dir():
            yield from map(str, walk_files(Path(text)))
        elif any(sign in text for sign in PATTERN) and not Path(text).exists():
            yield from _matching(text)
        else:
            yield text


def names_inputs(text: str) -> bool:
    """Say whether a word names something to read: what is there, a pattern, or a list."""
    return text == LISTED or any(sign in text for sign in PATTERN) or Path(text).exists()


def _matching(pattern: str) -> Iterator[str]:
    matches = sorted(path for path in glob.iglob(pattern, recursive=True) if Path(path).is_file())  # noqa: PTH207 (pathlib's cannot take an absolute pattern)
    yield from matches or [pattern]
