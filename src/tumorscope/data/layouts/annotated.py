"""Images whose class stands in their boxes, whatever the boxes' files are called."""

from dataclasses import dataclass, field
from pathlib import PurePosixPath

from tumorscope.data.layouts.naming import part_of
from tumorscope.data.layouts.tree import Tree, kinds
from tumorscope.records import Box, LeftOut, Manifest, Part, Row


@dataclass
class Annotations:
    """What the annotation files of a set say.

    Attributes:
        boxes: of each image, by its path, with the name of what is in each, as the file names it.
        files: the annotation files.
        problems: files of which something is not used, and what.
    """

    boxes: dict[str, list[tuple[Box, str]]] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    problems: list[LeftOut] = field(default_factory=list)


def make_manifest(tree: Tree, found: Annotations, layout: str) -> Manifest:
    """Return the images under the class of their first box.

    Images of no class are left out; those whose boxes are of several are counted aloud.
    """
    rows, left_out, several = [], [*tree.left_out, *found.problems], 0
    for path in tree.images:
        marked = found.boxes.get(path, [])
        several += len({name for _, name in marked}) > 1
        if marked:
            boxes = tuple(box for box, _ in marked)
            rows.append(Row(path, marked[0][1], part_of_path(path), boxes=boxes))
        else:
            left_out.append(LeftOut(path, "no box names its class"))
    notes = [f"{layout}: the class of an image is that of its first box."]
    if several:
        notes.append(f"{several} images have boxes of several classes: the first one decides.")
    used = {*tree.images, *found.files}
    passed = {**kinds(path for path in tree.files if path not in used)}
    return Manifest(
        tree.root,
        layout,
        tuple(rows),
        tuple(left_out),
        strays=tree.strays,
        passed_over={**passed, "annotations": len(found.files)},
        notes=tuple(notes),
    )


def part_of_path(path: str) -> Part | None:
    """Return the part that a folder on a path stands for."""
    named = (part_of(step) for step in PurePosixPath(path).parts[:-1])
    return next((part for part in named if part), None)
