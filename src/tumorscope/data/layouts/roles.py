"""What each folder on an image's path stands for: a part, a class, a patient, or nothing."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from tumorscope.data.layouts.naming import (
    IMAGE_FOLDERS,
    hints_at_copy,
    hints_at_part,
    part_of,
    plain,
    shape_of,
)
from tumorscope.errors import DataError
from tumorscope.records import Part
from tumorscope.schema.labels import canonical, same_class
from tumorscope.schema.layout import LayoutOptions

SHARED = 0.5  # of the inner folders' names from which on they are classes, not patients
MANY = 100  # classes that no set of this field has
PATIENTS = 4  # folders of one shape, with numbers, that look like patients
Folders = tuple[str, ...]  # of an image, from the top down


@dataclass(frozen=True)
class Role:
    """What the folders of an image say.

    Attributes:
        label: its class, as the folder is called; empty where no folder names one.
        part: in which it was published.
        patient: whom it belongs to.
        column: what a folder above the class says, such as a modality; empty where there is none.
    """

    label: str = ""
    part: Part | None = None
    patient: str | None = None
    column: str = ""


@dataclass
class Reading:
    """The roles of a set's folders, and what was understood.

    Attributes:
        roles: by the folder of an image, as a path.
        notes: what a user should hear, one sentence each.
    """

    roles: dict[str, Role] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_roles(folders: Mapping[str, int], options: LayoutOptions) -> Reading:
    """Say what the folders that hold images stand for.

    Args:
        folders: how many images lie in each, by its path from the top.
        options: what the user has said.

    Raises:
        DataError: a name is that of no class, or may be; the message names the flag that decides.
    """
    parts, inner = _take_parts(folders, options)
    inner = _without_wrappers(_without_image_folders(inner), folders)
    reading = Reading()
    columns = _take_columns(inner, reading)
    labels = {path: steps[0] if steps else "" for path, steps in inner.items()}
    if options.classes_from != "folders":
        _refuse_doubtful(labels, folders, parts)
    patients = _patients(inner, options, reading)
    for path in folders:
        reading.roles[path] = Role(
            labels[path], parts[path], patients.get(path), columns.get(path, "")
        )
    return reading


def _take_parts(
    folders: Iterable[str], options: LayoutOptions
) -> tuple[dict[str, Part | None], dict[str, Folders]]:
    """Return the part of each folder of images, and its steps without those that name parts."""
    parts: dict[str, Part | None] = {}
    inner: dict[str, Folders] = {}
    for path in folders:
        steps = PurePosixPath(path).parts
        named = [options.parts.get(step) or part_of(step) for step in steps]
        parts[path] = next((part for part in named if part), None)
        inner[path] = tuple(s for s, part in zip(steps, named, strict=True) if part is None)
    return parts, inner


def _without_image_folders(inner: Mapping[str, Folders]) -> dict[str, Folders]:
    return {
        path: tuple(step for step in steps if plain(step) not in IMAGE_FOLDERS)
        for path, steps in inner.items()
    }


def _without_wrappers(
    inner: Mapping[str, Folders], folders: Mapping[str, int]
) -> dict[str, Folders]:
    """Drop the steps that all images share from the top on, unless only one class is left."""
    found = [steps for path, steps in inner.items() if steps and folders[path]]
    depth = 0
    while found and all(len(steps) > depth + 1 for steps in found):
        if len({steps[depth] for steps in found}) > 1:
            break
        depth += 1
    return {path: steps[depth:] for path, steps in inner.items()}


def _take_columns(inner: dict[str, Folders], reading: Reading) -> dict[str, str]:
    """Take a step above the classes away where the same classes lie in several of its folders."""
    deep = {path: steps for path, steps in inner.items() if len(steps) > 1}
    inside: dict[str, set[str]] = defaultdict(set)
    for steps in deep.values():
        inside[steps[0]].add(same_class(steps[1]))
    inside = {top: names for top, names in inside.items() if len(names) > 1}
    known = sum(canonical(top) is not None for top in inside)
    if len(inside) < 2 or known > 1 or _are_numbered(name for n in inside.values() for name in n):
        return {}
    counts = Counter(name for names in inside.values() for name in names)
    shared = sum(count > 1 for count in counts.values())
    if shared < 2 or shared < SHARED * len(counts):
        return {}
    reading.notes.append(
        f"The folders {', '.join(sorted(inside))} hold the same classes each: they are kept as the "
        "column 'folder', and the class is that of the folder inside."
    )
    columns = {path: steps[0] for path, steps in deep.items() if steps[0] in inside}
    inner.update({path: deep[path][1:] for path in columns})
    return columns


def _patients(
    inner: Mapping[str, Folders], options: LayoutOptions, reading: Reading
) -> dict[str, str]:
    """Return whom the folders inside of the classes' belong to."""
    deep = {path: steps for path, steps in inner.items() if len(steps) > 1}
    if not deep or not options.patient_folders:
        return {}
    patients = {path: f"{steps[0]}/{steps[1]}" for path, steps in deep.items()}
    count = len(set(patients.values()))
    example = next(iter(patients.values()))
    reading.notes.append(
        f"{count} folders inside of the classes' are taken for patients, such as {example}, whose "
        "slices stay together; --no-patient-folders takes them for nothing."
    )
    return patients


def _refuse_doubtful(
    labels: Mapping[str, str], folders: Mapping[str, int], parts: Mapping[str, Part | None]
) -> None:
    """Refuse names that are hardly those of classes, with the flag for each answer."""
    counts: Counter[str] = Counter()
    for path, label in labels.items():
        if label:
            counts[label] += folders[path]
    names = sorted(counts)
    _refuse_patients(names, counts)
    for name in names:
        if hints_at_part(name) and not any(parts.values()):
            raise DataError(
                f"The folder '{name}' may be a part or a class: give --part {_quoted(name)}=test "
                "(or train, validation), or --classes-from folders to take each folder for a class."
            )
        if hints_at_copy(name):
            raise DataError(
                f"The folder '{name}' may be a copy or a class: give --ignore {_quoted(name)} to "
                "leave it out, or --classes-from folders to take each folder for a class."
            )


def _refuse_patients(names: Sequence[str], counts: Mapping[str, int]) -> None:
    """Refuse folders that are one a patient, or one an image."""
    shapes = Counter(shape_of(name) for name in names)
    numbered = [n for n in names if shapes[shape_of(n)] >= PATIENTS and _is_numbered(n)]
    alone = [name for name in names if counts[name] == 1]
    crowd = len(names) > MANY or (len(names) > PATIENTS and len(alone) > 0.8 * len(names))
    if crowd or (numbered and len(numbered) > 0.8 * len(names)):
        raise DataError(
            f"The {len(names)} folders {names[0]}, {names[1]}, … look like patients or images, not "
            "like classes: put them into a folder for each class, or give a manifest with the "
            "columns image,label,patient_id; --classes-from folders takes each for a class."
        )


def _are_numbered(names: Iterable[str]) -> bool:
    """Say whether names differ in a number alone, as those of patients do."""
    shapes = {shape_of(name) for name in names}
    return len(shapes) == 1 and "#" in next(iter(shapes))


def _is_numbered(name: str) -> bool:
    """Say whether a name has a number as patients have: of several digits, behind letters."""
    shape = shape_of(name)
    digits = sum(sign.isdigit() for sign in name)
    return "#" in shape and shape != "#" and digits > 1


def _quoted(name: str) -> str:
    return name if name.isidentifier() else f"'{name}'"
