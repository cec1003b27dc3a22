"""YOLO trees without class folders: images/ beside labels/, class names in data.yaml."""

from dataclasses import replace
from pathlib import Path, PurePosixPath

from tumorscope.data.layouts.annotated import Annotations, make_manifest
from tumorscope.data.layouts.box_labels import named_numbers
from tumorscope.data.layouts.boxes import read_boxes, why_unmarked
from tumorscope.data.layouts.detection import Detection
from tumorscope.data.layouts.naming import plain
from tumorscope.data.layouts.tree import Tree
from tumorscope.errors import DataError
from tumorscope.records import LeftOut, Manifest
from tumorscope.schema.layout import LayoutOptions


class YoloTree:
    """train/images/*.jpg and train/labels/*.txt, or images/train and labels/train."""

    name = "a YOLO tree"
    form = "DATA/train/images/*.jpg, DATA/train/labels/*.txt, DATA/data.yaml"

    def detect(self, tree: Tree, options: LayoutOptions) -> Detection | None:  # noqa: ARG002
        """Say that label files lie beside the folders of images."""
        files = set(tree.files)
        labelled = sum(_label_of(path) in files for path in tree.images)
        if not labelled or named_numbers(tree.root) is None:
            return None
        return Detection(f"{labelled} images have a label file, and data.yaml names the classes")

    def read(self, tree: Tree, options: LayoutOptions) -> Manifest:  # noqa: ARG002
        """List the images under the class of their first box.

        Raises:
            DataError: a class number has no name.
        """
        names = named_numbers(tree.root) or {}
        found, files = Annotations(), set(tree.files)
        for path in tree.images:
            label = _label_of(path)
            if label is None:
                continue
            boxes, problem = read_boxes(tree.root / label)
            unknown = next((b.class_id for b in boxes if b.class_id not in names), None)
            if unknown is not None:
                raise DataError(
                    f"{label} has a box of class number {unknown}, which has no name in data.yaml: "
                    "name it there."
                )
            found.boxes[path] = [
                (box, names[box.class_id]) for box in boxes if box.class_id in names
            ]
            if label in files:
                found.files.append(label)
            if problem:
                found.problems.append(LeftOut(label, problem, 0))
        manifest = make_manifest(tree, found, "YOLO tree")
        unmarked = {
            path: why
            for path in tree.images
            if (label := _label_of(path)) and (why := why_unmarked(tree.root / label))
        }
        return _with_reasons(manifest, unmarked)


def _with_reasons(manifest: Manifest, unmarked: dict[str, str]) -> Manifest:
    """Say of images without a box why they have none."""
    left_out = tuple(
        LeftOut(file.image, unmarked.get(file.image, file.reason), file.files)
        for file in manifest.left_out
    )
    return replace(manifest, left_out=left_out)


def _label_of(image: str) -> str | None:
    """Return where the label file of an image belongs; None outside of a folder of images."""
    steps = list(PurePosixPath(image).parts)
    places = [n for n, step in enumerate(steps[:-1]) if plain(step) == "images"]
    if not places:
        return None
    steps[places[-1]] = "labels"
    return str(Path(*steps).with_suffix(".txt").as_posix())
