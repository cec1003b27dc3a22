"""What a layout is: how it is recognised, and how it is read."""

from dataclasses import dataclass
from typing import Protocol

from tumorscope.data.layouts.tree import Tree
from tumorscope.records import Manifest
from tumorscope.schema.layout import LayoutOptions


@dataclass(frozen=True)
class Detection:
    """That a data set has a layout.

    Attributes:
        why: what it was recognised by, as the rest of a sentence.
    """

    why: str


class Layout(Protocol):
    """One way in which people lay out a data set.

    Attributes:
        name: as messages call it.
        form: what it looks like, in a line.
    """

    name: str
    form: str

    def detect(self, tree: Tree, options: LayoutOptions) -> Detection | None:
        """Say whether a tree has this layout, without opening an image."""

    def read(self, tree: Tree, options: LayoutOptions) -> Manifest:
        """List the images of a tree that has it.

        Raises:
            DataError: something in it cannot be used; the message says what, and what to do.
        """
