"""Class folders, in parts or not, with patients in them or not, with YOLO boxes or not."""

from collections import Counter, defaultdict
from pathlib import Path, PurePosixPath

from tumorscope.data.layouts.boxes import read_boxes, why_unmarked
from tumorscope.data.layouts.detection import Detection
from tumorscope.data.layouts.masks import find_masks
from tumorscope.data.layouts.naming import UNLABELLED, part_of, plain, why_aside
from tumorscope.data.layouts.roles import Reading, read_roles
from tumorscope.data.layouts.tree import Tree, kinds
from tumorscope.errors import DataError
from tumorscope.records import LeftOut, Manifest, Part, Row
from tumorscope.schema.labels import same_class
from tumorscope.schema.layout import LayoutOptions

FOLDER = "folder"  # the column of a folder above the classes


class ClassFolders:
    """DATA/glioma/*.jpg, DATA/no_tumor/*.jpg; with parts, patients or labels in between."""

    name = "class folders"
    form = "DATA/glioma/*.jpg, DATA/Training/glioma/*.jpg, DATA/glioma/patient7/*.jpg"

    def detect(self, tree: Tree, options: LayoutOptions) -> Detection | None:
        """Say that images lie in folders of two classes or more."""
        count = count_classes(tree, options)
        return Detection(f"{count} folders that hold images name classes") if count else None

    def read(self, tree: Tree, options: LayoutOptions) -> Manifest:
        """List the images with what their folders say.

        Raises:
            DataError: two folders of one part name the same class, or a name is hardly a class's.
        """
        aside = set_aside(tree, options)
        reading = read_roles(_counts(tree, aside), options)
        names, notes = _spellings(reading)
        rows: list[Row] = []
        left_out, unmarked = [*tree.left_out], {}
        label_files: set[str] = set()
        for path in tree.images:
            if path in aside:
                continue
            role = reading.roles[str(PurePosixPath(path).parent)]
            if not role.label:
                aside[path] = str(PurePosixPath(path).parent), UNLABELLED
                continue
            labels = _label_file(tree.root / path)
            boxes, problem = read_boxes(labels) if labels else ((), None)
            if labels:
                label_files.add(labels.relative_to(tree.root).as_posix())
            if labels and (why := why_unmarked(labels)):
                unmarked[path] = why
            if labels and problem:
                left_out.append(LeftOut(labels.relative_to(tree.root).as_posix(), problem, 0))
            others = ((FOLDER, role.column),) if role.column else ()
            label = names[same_class(role.label)]
            rows.append(Row(path, label, role.part, role.patient, boxes=boxes, others=others))
        parts = any(row.split for row in rows)
        layout = "published splits" if parts else "class folders"
        layout += " with boxes" if label_files else ""
        left_out += _folders_left_out(tree, aside)
        return Manifest(
            root=tree.root,
            layout=layout,
            rows=tuple(rows),
            left_out=tuple(left_out),
            strays=tree.strays,
            passed_over=_passed_over(tree, aside, label_files),
            unmarked=unmarked,
            notes=(*reading.notes, *notes, *_part_notes(rows)),
        )


def count_classes(tree: Tree, options: LayoutOptions) -> int:
    """Return how many classes the folders of a tree name; 0 where a single one is doubtful.

    Raises:
        DataError: a name is hardly that of a class.
    """
    reading = read_roles(_counts(tree, set_aside(tree, options)), options)
    names = {role.label for role in reading.roles.values() if role.label}
    return len(names) if len(names) > 1 or _is_one_class(tree, reading) else 0


Aside = dict[str, tuple[str, str]]  # the folder that is left out with a file, and why


def set_aside(tree: Tree, options: LayoutOptions) -> Aside:
    """Return files that hold no slice with a class, by their path."""
    reasons: Aside = {}
    ignored = {plain(name) for name in options.ignore}
    copies = _second_copies(tree)
    for path in tree.files:
        steps = PurePosixPath(path).parts[:-1]
        for depth, step in enumerate(steps):
            folder = "/".join(steps[: depth + 1])
            if plain(step) in ignored or folder in options.ignore:
                reasons[path] = folder, "left out by --ignore"
            elif folder in copies:
                reasons[path] = folder, "a second copy of the class folders"
            elif options.classes_from != "folders" and (why := why_aside(step)):
                reasons[path] = folder, why
            if path in reasons:
                break
    left = [path for path in tree.images if path not in reasons]
    masks = find_masks(tree.root, left)
    return reasons | {path: (str(PurePosixPath(path).parent), why) for path, why in masks.items()}


def _second_copies(tree: Tree) -> set[str]:
    """Return top folders that hold the same classes as lie beside them.

    A much used yes / no set is distributed with its class folders twice, next to and inside such a
    folder.
    """
    tops: dict[str, set[str]] = defaultdict(set)
    for path in tree.images:
        steps = PurePosixPath(path).parts[:-1]
        if steps and part_of(steps[0]) is None:
            tops[steps[0]].add(same_class(steps[1]) if len(steps) > 1 else "")
    names = {same_class(top) for top in tops}
    return {top for top, inner in tops.items() if inner and inner <= names - {same_class(top)}}


def _counts(tree: Tree, aside: Aside) -> Counter[str]:
    """Return how many images lie in each folder."""
    images = [path for path in tree.images if path not in aside]
    return Counter(str(PurePosixPath(path).parent) for path in images)


def _is_one_class(tree: Tree, reading: Reading) -> bool:
    """Tell one class folder, which holds images itself, from a folder around a whole data set."""
    labels = {role.label for role in reading.roles.values()}
    if not tree.images:
        return False
    return len(labels) == 1 and "" not in labels and len(PurePosixPath(tree.images[0]).parts) == 2


def _label_file(image: Path) -> Path | None:
    """Return where the YOLO label file of an image belongs; None where there are none."""
    if plain(image.parent.name) != "images":
        return None
    folder = image.parent.parent / "labels"
    return folder / f"{image.stem}.txt" if folder.is_dir() else None


def _spellings(reading: Reading) -> tuple[dict[str, str], list[str]]:
    """Choose a spelling for each class: the first, of the training part where there is one.

    Raises:
        DataError: two folders of one part name the same class.
    """
    ordered = sorted(
        reading.roles.values(), key=lambda r: (r.part != "train", r.part or "", r.label)
    )
    names: dict[str, str] = {}
    seen: dict[tuple[Part | None, str, str], str] = {}
    others: set[str] = set()
    for role in (role for role in ordered if role.label):
        key = same_class(role.label)
        chosen = names.setdefault(key, role.label)
        twin = seen.setdefault((role.part, role.column, key), role.label)
        if twin != role.label:
            raise DataError(
                f"The folders '{twin}' and '{role.label}' name the same class: "
                "merge them, or rename one."
            )
        if role.label != chosen:
            others.add(f"{role.label} for {chosen}")
    return names, [f"One class under two spellings: {', '.join(sorted(others))}."] if others else []


def _part_notes(rows: list[Row]) -> list[str]:
    """Say which classes a published part lacks."""
    classes = {row.label for row in rows}
    notes = []
    for part in sorted({row.split for row in rows if row.split}):
        missing = sorted(classes - {row.label for row in rows if row.split == part})
        if missing:
            notes.append(f"The published {part} part has no image of {', '.join(missing)}.")
    return notes


def _folders_left_out(tree: Tree, aside: Aside) -> list[LeftOut]:
    """Count what was set aside, a line for each reason in a folder; name empty folders."""
    counts = Counter(aside.values())
    lines = [LeftOut(f"{folder}/", why, files) for (folder, why), files in counts.items()]
    return [*lines, *(LeftOut(f"{folder}/", "an empty folder", 0) for folder in tree.empty)]


def _passed_over(tree: Tree, aside: Aside, labels: set[str]) -> dict[str, int]:
    """Count the files that are no images, by kind."""
    images = set(tree.images)
    others = [path for path in tree.files if path not in images and path not in aside]
    used = sum(path in labels for path in others)
    counts = kinds(path for path in others if path not in labels)
    return {**counts, "label files": used} if used else counts
