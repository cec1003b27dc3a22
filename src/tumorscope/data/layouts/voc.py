"""Pascal VOC: an XML file beside each image."""

from collections import Counter
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from tumorscope.data.layouts.annotated import Annotations, make_manifest
from tumorscope.data.layouts.boxes import make_box
from tumorscope.data.layouts.detection import Detection
from tumorscope.data.layouts.tree import Tree
from tumorscope.records import Box, LeftOut, Manifest
from tumorscope.schema.layout import LayoutOptions

MOST_BYTES = 1_000_000
CORNERS = ("xmin", "ymin", "xmax", "ymax")


class PascalVoc:
    """train/a.jpg and train/a.xml."""

    name = "Pascal VOC"
    form = "DATA/train/*.jpg and an .xml beside each, or in Annotations/"

    def detect(self, tree: Tree, options: LayoutOptions) -> Detection | None:  # noqa: ARG002
        """Say that images have an annotation of this form."""
        found = _annotations(tree)
        if not found or _read(tree.root / next(iter(found.values()))) is None:
            return None
        return Detection(f"{len(found)} images have an annotation in XML")

    def read(self, tree: Tree, options: LayoutOptions) -> Manifest:  # noqa: ARG002
        """List the images under the class of their first box."""
        found = Annotations()
        for image, path in _annotations(tree).items():
            boxes = _read(tree.root / path)
            found.files.append(path)
            if boxes is None:
                found.problems.append(LeftOut(path, "no annotation of an image", 0))
            else:
                found.boxes[image] = boxes
        return make_manifest(tree, found, "Pascal VOC")


def _annotations(tree: Tree) -> dict[str, str]:
    """Return the annotation of each image that has one, beside it or in a sister folder."""
    written = [path for path in tree.files if path.lower().endswith(".xml")]
    stems = Counter(PurePosixPath(path).stem for path in written)
    by_stem = {s: path for path in written if stems[s := PurePosixPath(path).stem] == 1}
    beside = {str(PurePosixPath(path).with_suffix("")): path for path in written}
    found = {}
    for image in tree.images:
        own = PurePosixPath(image)
        path = beside.get(str(own.with_suffix(""))) or by_stem.get(own.stem)
        if path:
            found[image] = path
    return found


def _read(path: Path) -> list[tuple[Box, str]] | None:
    """Return the boxes of an annotation with what is in them; None where it is none."""
    try:
        if path.stat().st_size > MOST_BYTES:
            return None
        content = path.read_bytes()
        if b"<!DOCTYPE" in content or b"<!ENTITY" in content:  # what could grow without end
            return None
        top = ElementTree.fromstring(content)  # noqa: S314 (no entities, and bounded)
    except (OSError, ElementTree.ParseError):
        return None
    if top.tag != "annotation":
        return None
    size = [_number(top.findtext(f"size/{side}")) for side in ("width", "height")]
    boxes = []
    for thing in top.iter("object"):
        box = _box([_number(thing.findtext(f"bndbox/{end}")) for end in CORNERS], *size)
        name = (thing.findtext("name") or "").strip()
        if box is not None and name:
            boxes.append((box, name))
    return boxes


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")


def _box(corners: list[float], width: float, height: float) -> Box | None:
    """Return a box from its corners and the size of the image, all in pixels."""
    left, top, right, bottom = corners
    if not (width > 0 and height > 0):
        return None
    across, down = (left + right) / 2 / width, (top + bottom) / 2 / height
    return make_box(across, down, (right - left) / width, (bottom - top) / height)
