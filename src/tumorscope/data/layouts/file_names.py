"""Classes in the names of files, as in Tr-gl_0001.jpg: only where the user says so."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import PurePosixPath

from tumorscope.data.layouts.annotated import part_of_path
from tumorscope.data.layouts.detection import Detection
from tumorscope.data.layouts.tree import Tree, kinds
from tumorscope.errors import DataError
from tumorscope.records import LeftOut, Manifest, Row
from tumorscope.schema.layout import LayoutOptions

FEWEST, MOST = 2, 20  # classes that names may tell
LEAST = 2  # images of each


class FileNames:
    """A flat folder whose files are called after their class."""

    name = "classes in file names"
    form = "DATA/Tr-gl_0001.jpg, DATA/Tr-me_0001.jpg, with --labels-from names"

    def detect(self, tree: Tree, options: LayoutOptions) -> Detection | None:
        """Say that the user wants it, and that one word of every name divides them.

        Raises:
            DataError: the names tell classes, and the user has not said whether to take them.
        """
        words = _telling_words(tree)
        if words is None:
            return None
        counts = Counter(words.values())
        listed = ", ".join(f"{word} {count}" for word, count in counts.most_common())
        if options.classes_from != "names":
            raise DataError(
                f"{tree.root} has no folder a class, but the names of its files may tell them "
                f"({listed}): give --labels-from names if they do, or put the images into a folder "
                "for each class."
            )
        return Detection(f"a word of each file's name tells its class ({listed})")

    def read(self, tree: Tree, options: LayoutOptions) -> Manifest:  # noqa: ARG002
        """List the images under the word of their name that tells classes apart."""
        words = _telling_words(tree) or {}
        rows = tuple(Row(path, words[path], part_of_path(path)) for path in words)
        left = [path for path in tree.images if path not in words]
        manifest = Manifest(tree.root, self.name, rows, strays=tree.strays)
        return replace(
            manifest,
            left_out=(*tree.left_out, *(LeftOut(path, "its name tells no class") for path in left)),
            passed_over=kinds(path for path in tree.files if path not in set(tree.images)),
        )


def _telling_words(tree: Tree) -> dict[str, str] | None:
    """Return the word of each image's name, at one place in all, that divides them into classes."""
    words = {path: _words(path) for path in tree.images}
    if len(words) < FEWEST * LEAST:
        return None
    for place in range(min(len(own) for own in words.values())):
        counts = Counter(own[place] for own in words.values())
        if FEWEST <= len(counts) <= MOST and min(counts.values()) >= LEAST:
            return {path: own[place] for path, own in words.items()}
    return None


def _words(path: str) -> list[str]:
    return re.findall(r"[A-Za-z]+", PurePosixPath(path).stem)
