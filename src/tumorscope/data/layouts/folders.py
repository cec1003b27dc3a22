"""Class folders, alone or under published splits, with or without YOLO boxes."""

from collections.abc import Iterator
from pathlib import Path

from tumorscope.data.layouts.boxes import read_boxes, why_unmarked
from tumorscope.data.layouts.listing import count_strays, holds_images, subfolders, walk_files
from tumorscope.errors import DataError
from tumorscope.records import LeftOut, Manifest, Part, Row
from tumorscope.schema.labels import same_class, squeeze

SPLIT_NAMES: dict[str, Part] = {
    **dict.fromkeys(["train", "training", "trainset", "trainingset"], "train"),
    **dict.fromkeys(["val", "valid", "validation", "dev", "validset"], "validation"),
    **dict.fromkeys(["test", "testing", "testset", "testingset"], "test"),
}

ClassFolder = tuple[Part | None, Path]


def find_class_folders(folder: Path) -> list[ClassFolder]:
    """Return the class folders of a data set with the part each was published in.

    An empty list means that this folder is no data set of class folders.
    """
    inner = subfolders(folder)
    splits = [p for p in inner if squeeze(p.name) in SPLIT_NAMES]
    if splits:
        candidates = [(SPLIT_NAMES[squeeze(p.name)], c) for p in splits for c in subfolders(p)]
        return [(part, c) for part, c in candidates if holds_images(c)]
    if any(_is_wrapper(p) for p in inner):
        return []
    copies = find_second_copies(folder)
    classes: list[ClassFolder] = [(None, p) for p in inner if p not in copies and holds_images(p)]
    return classes if len(classes) > 1 or (classes and _holds_images_itself(classes[0][1])) else []


def find_second_copies(folder: Path) -> list[Path]:
    """Return the subfolders that hold the same classes as their siblings.

    A much used yes / no set is distributed with its class folders twice, next to and inside
    such a folder.
    """
    inner = subfolders(folder)
    kinds = {p: {same_class(c.name) for c in subfolders(p)} for p in inner}
    siblings = {same_class(p.name) for p in inner}
    return [p for p in inner if kinds[p] and kinds[p] <= siblings - {same_class(p.name)}]


def _is_wrapper(folder: Path) -> bool:
    """Say whether a data set with published splits lies inside, so that it is no class."""
    return any(squeeze(p.name) in SPLIT_NAMES for p in subfolders(folder))


def _holds_images_itself(folder: Path) -> bool:
    """Tell one class folder from a folder that wraps a whole data set."""
    return all(squeeze(p.name) in ("images", "labels") for p in subfolders(folder))


def read_class_folders(folder: Path) -> Manifest:
    """List the images of a data set of class folders.

    Raises:
        DataError: two folders of one part name the same class.
    """
    class_folders = find_class_folders(folder)
    names = _class_names(class_folders)
    rows: list[Row] = []
    left_out = [
        LeftOut(f"{copy.name}/", "a second copy of the class folders")
        for copy in find_second_copies(folder)
    ]
    boxed, unmarked = False, {}
    for part, class_folder in class_folders:
        label = names[same_class(class_folder.name)]
        boxed |= _has_label_folder(class_folder)
        for image, labels in _images(class_folder):
            boxes, problem = read_boxes(labels) if labels else ((), None)
            relative = image.relative_to(folder).as_posix()
            rows.append(Row(relative, label, split=part, boxes=boxes))
            if labels and (reason := why_unmarked(labels)):
                unmarked[relative] = reason
            if labels and problem:
                left_out.append(LeftOut(labels.relative_to(folder).as_posix(), problem))
    layout = "published splits" if class_folders[0][0] else "class folders"
    return Manifest(
        root=folder,
        layout=f"{layout} with boxes" if boxed else layout,
        rows=tuple(rows),
        left_out=tuple(left_out),
        strays=count_strays(folder),
        unmarked=unmarked,
    )


def _class_names(class_folders: list[ClassFolder]) -> dict[str, str]:
    """Choose a spelling for each class: the first, of the training part where there is one."""
    ordered = sorted(class_folders, key=lambda pair: (pair[0] != "train", pair[0] or "", pair[1]))
    names: dict[str, str] = {}
    seen: dict[tuple[Part | None, str], str] = {}
    for part, folder in ordered:
        key = same_class(folder.name)
        names.setdefault(key, folder.name)
        twin = seen.setdefault((part, key), folder.name)
        if twin != folder.name:
            raise DataError(
                f"The folders '{twin}' and '{folder.name}' name the same class: "
                "merge them, or rename one."
            )
    return names


def _has_label_folder(class_folder: Path) -> bool:
    return {"images", "labels"} <= {squeeze(p.name) for p in subfolders(class_folder)}


def _images(class_folder: Path) -> Iterator[tuple[Path, Path | None]]:
    """Yield each image of a class with the place of its label file, where the class has any."""
    if not _has_label_folder(class_folder):
        yield from ((image, None) for image in walk_files(class_folder))
        return
    folders = {squeeze(p.name): p for p in subfolders(class_folder)}
    for image in walk_files(folders["images"]):
        relative = image.relative_to(folders["images"])
        yield image, folders["labels"] / relative.with_suffix(".txt")
