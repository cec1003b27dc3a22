"""Paths as people write them into tables, to the files that are there."""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath

from tumorscope.data.layouts.tree import IMAGE_SUFFIXES, Tree, walk


class Finder:
    """Finds files by what a table calls them.

    A path may have backslashes, stand for another machine's folder, lack its suffix, or differ in
    case and in Unicode form. It is found where exactly one file fits.
    """

    def __init__(self, root: Path, folder: str = "", tree: Tree | None = None) -> None:
        """Look below a folder, which is walked only if a path is not found where it says.

        Args:
            root: the folder of the data set.
            folder: where the table lies in it, to which paths are relative first.
            tree: what lies below `root`, where that is known already.
        """
        self._root = Path(os.path.realpath(root))
        self._place = self._root / folder
        self._tree = tree

    def find(self, text: str) -> str | None:
        """Return the path of a file from the root; None where none, or more than one, fits.

        A file outside of the root is returned with its absolute path.
        """
        written = PurePosixPath(text.strip().replace("\\", "/"))
        if not written.parts:
            return None
        here = Path(os.path.normpath(self._place / written))
        if _is_file(here):
            inside = here.is_relative_to(self._root)
            return here.relative_to(self._root).as_posix() if inside else str(here)
        steps = [step for step in written.parts if step not in (".", "..", "/")]
        # Of a folder that is named here only its end may differ: the name alone is another's, too.
        foreign = written.is_absolute() or ":" in written.parts[0] or len(steps) == 1
        for start in range(len(steps) if foreign else len(steps) - 1):
            fits = self._alike.get(_key("/".join(steps[start:])), [])
            if fits:
                return fits[0] if len(fits) == 1 else None
        return None

    @cached_property
    def _alike(self) -> Mapping[str, list[str]]:
        """The files by each ending of their path, with and without their suffix."""
        alike: dict[str, list[str]] = defaultdict(list)
        for path in (self._tree or walk(self._root)).files:
            steps = PurePosixPath(path).parts
            suffix = PurePosixPath(path).suffix
            for start in range(len(steps)):
                ending = "/".join(steps[start:])
                alike[_key(ending)].append(path)
                if suffix.lower() in IMAGE_SUFFIXES:
                    alike[_key(ending[: -len(suffix)])].append(path)
        return alike


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a text that is no path
        return False


def _key(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()
