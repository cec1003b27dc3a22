"""COCO: one JSON file with the images, their boxes and the classes' names."""

import json
from pathlib import Path, PurePosixPath
from typing import Any

from tumorscope.data.layouts.annotated import Annotations, make_manifest
from tumorscope.data.layouts.boxes import make_box
from tumorscope.data.layouts.detection import Detection
from tumorscope.data.layouts.paths import Finder
from tumorscope.data.layouts.tree import Tree
from tumorscope.records import Box, LeftOut, Manifest
from tumorscope.schema.layout import LayoutOptions

MOST_BYTES = 500_000_000
PARTS = ("images", "annotations", "categories")


class Coco:
    """train/_annotations.coco.json with the images beside it."""

    name = "COCO"
    form = "DATA/train/_annotations.coco.json, images beside it"

    def detect(self, tree: Tree, options: LayoutOptions) -> Detection | None:  # noqa: ARG002
        """Say that a JSON file names images, boxes and categories."""
        found = [path for path in _candidates(tree) if _read(tree.root / path) is not None]
        return Detection(f"{', '.join(found)} lists images and their boxes") if found else None

    def read(self, tree: Tree, options: LayoutOptions) -> Manifest:  # noqa: ARG002
        """List the images under the class of their first box."""
        found = Annotations()
        for path in _candidates(tree):
            content = _read(tree.root / path)
            if content is None:
                continue
            found.files.append(path)
            finder = Finder(tree.root, str(PurePosixPath(path).parent), tree)
            _take(content, finder, path, found)
        return make_manifest(tree, found, "COCO")


def _candidates(tree: Tree) -> list[str]:
    return [path for path in tree.files if path.lower().endswith(".json")]


def _read(path: Path) -> dict[str, Any] | None:
    """Return the content of a COCO file, None for any other."""
    try:
        if path.stat().st_size > MOST_BYTES:
            return None
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or not all(isinstance(content.get(k), list) for k in PARTS):
        return None
    return content


def _take(content: dict[str, Any], finder: Finder, path: str, found: Annotations) -> None:
    """Add the boxes of one file; what is malformed in it is counted."""
    bad = 0
    images: dict[object, tuple[str, float, float]] = {}
    for image in content["images"]:
        try:
            place = finder.find(str(image["file_name"]))
            size = float(image["width"]), float(image["height"])
        except (KeyError, TypeError, ValueError):
            bad += 1
            continue
        if place is None:
            found.problems.append(LeftOut(str(image["file_name"]), "there is no such file", 0))
        else:
            images[str(image.get("id"))] = (place, *size)
    named = [c for c in content["categories"] if isinstance(c, dict)]
    names = {str(c.get("id")): str(c.get("name")) for c in named}
    for marked in content["annotations"]:
        box = _box(marked, images) if isinstance(marked, dict) else None
        name = names.get(str(marked.get("category_id"))) if isinstance(marked, dict) else None
        if box is None or name is None:
            bad += 1
        else:
            found.boxes.setdefault(images[str(marked["image_id"])][0], []).append((box, name))
    if bad:
        found.problems.append(LeftOut(path, f"{bad} of its entries are malformed and not used", 0))


def _box(marked: dict[str, Any], images: dict[object, tuple[str, float, float]]) -> Box | None:
    """Return a box from its left, top, width and height in pixels."""
    try:
        _, across, down = images[str(marked["image_id"])]
        left, top, width, height = map(float, marked["bbox"])
        return make_box(
            (left + width / 2) / across, (top + height / 2) / down, width / across, height / down
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
