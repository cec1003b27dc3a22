"""The class of an image from the class number in its box's label file."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from tumorscope.errors import DataError
from tumorscope.records import LeftOut, Manifest, Row

Names = dict[int, str]
CHOICES = {
    "first": "the first line of the label file decides",
    "majority": "the number of most boxes decides",
    "agree": "they are left out",
}


def refuse_without_boxes(manifest: Manifest, why: str, otherwise: str) -> None:
    """Refuse a data set in which nothing is marked.

    Raises:
        DataError: no image has a box.
    """
    if not any(row.boxes for row in manifest.rows):
        raise DataError(
            f"{manifest.root} has no boxes, and {why}: give YOLO label files in labels/ beside "
            f"images/, or a manifest with a box; or {otherwise}."
        )


def label_by_boxes(manifest: Manifest, classes: Sequence[str], choice: str) -> Manifest:
    """Give each image the class that its label file names.

    Args:
        manifest: a data set whose boxes have class numbers.
        classes: the numbers' names, in order; read from next to the data where empty.
        choice: which number counts where the boxes of an image name several: `first`, `majority`
            or, to leave the image out, `agree`.

    Returns:
        The data set under the new labels, without the images that no box names a class of; its
        note says where the names come from and what changed.

    Raises:
        DataError: no box has a class number, or a number has no name.
    """
    refuse_without_boxes(
        manifest, "label_from=boxes takes the class from them", "set label_from=folder"
    )
    names, origin = _names(manifest, classes)
    rows: list[Row] = []
    left_out, several = list(manifest.left_out), 0
    for row in manifest.rows:
        ids = [box.class_id for box in row.boxes if box.class_id is not None]
        several += len(set(ids)) > 1
        number = _choose(ids, choice)
        if number is None:
            unmarked = manifest.unmarked.get(row.image, "no box names its class")
            reason = "its boxes name several classes" if ids else unmarked
            left_out.append(LeftOut(row.image, reason))
        elif number not in names:
            raise DataError(
                f"{row.image} has a box of class number {number}, which has no name ({origin}): "
                "name all numbers in box_classes."
            )
        else:
            rows.append(replace(row, label=names[number]))
    before = {row.image: row.label for row in manifest.rows}
    changed = sum(before[row.image] != row.label for row in rows)
    listed = ", ".join(f"{number} {name}" for number, name in sorted(names.items()))
    note = (
        f"Classes are taken from the boxes ({listed}; {origin}); {changed} of {len(rows)} images "
        "lie in another class's folder."
    )
    if several:
        note += f" {several} images have boxes of several classes: {CHOICES[choice]}."
    return replace(manifest, rows=tuple(rows), left_out=tuple(left_out), note=note)


def _choose(ids: Sequence[int], choice: str) -> int | None:
    """Return the class number that counts, of those of an image's boxes in their order."""
    if choice == "agree":
        return ids[0] if len(set(ids)) == 1 else None
    counted = ids[:1] if choice == "first" else ids
    return max(dict.fromkeys(counted), key=counted.count, default=None)


def _names(manifest: Manifest, classes: Sequence[str]) -> tuple[Names, str]:
    if classes:
        return dict(enumerate(classes)), "named in box_classes"
    for name, read in NAMED_IN.items():
        if (manifest.root / name).is_file():
            return read(manifest.root / name), f"named in {name}"
    return _by_majority(manifest.rows), "named for each number's most frequent folder"


def named_numbers(root: Path) -> Names | None:
    """Return the names of the class numbers as a file beside the data has them, None without one.

    Raises:
        DataError: the file cannot be read.
    """
    for name, read in NAMED_IN.items():
        if (root / name).is_file():
            return read(root / name)
    return None


def _from_yaml(path: Path) -> Names:
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"{path} cannot be read: name the classes in box_classes.") from error
    names = content.get("names") if isinstance(content, Mapping) else None
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, Mapping) or not all(str(number).isdigit() for number in names):
        raise DataError(f"{path} has no list 'names': name the classes in box_classes.")
    return {int(number): str(name) for number, name in names.items()}


def _from_lines(path: Path) -> Names:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: name the classes in box_classes.") from error
    return dict(enumerate(line.strip() for line in lines if line.strip()))


NAMED_IN = {"data.yaml": _from_yaml, "classes.txt": _from_lines}


def _by_majority(rows: Sequence[Row]) -> Names:
    folders: dict[int, Counter[str]] = defaultdict(Counter)
    for row in rows:
        for box in row.boxes:
            if box.class_id is not None:
                folders[box.class_id][row.label] += 1
    if not folders:
        raise DataError("The boxes have no class numbers: set label_from=folder.")
    names = {number: counts.most_common(1)[0][0] for number, counts in folders.items()}
    if len(set(names.values())) < len(names):
        raise DataError(
            "Two class numbers of the boxes lie mostly in one folder, so the folders do not tell "
            "their names: name them in box_classes."
        )
    return names
