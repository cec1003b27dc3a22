"""Which column of a table says what: by the names that people give, or as they tell."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tumorscope.data.layouts.table_file import Sheet
from tumorscope.errors import DataError

KNOWN: dict[str, tuple[str, ...]] = {
    "image": (
        *("image", "imagepath", "imagefile", "imagename", "imageid", "img", "imgpath", "imgname"),
        *("filename", "filepath", "file", "path", "slice", "slicepath"),
    ),
    "label": (
        *("label", "class", "classname", "labelname", "diagnosis", "category", "target"),
        *("tumortype", "tumourtype", "groundtruth"),
    ),
    "patient_id": ("patientid", "patient", "subjectid", "subject", "pid", "caseid", "case"),
    "split": ("split", "part", "set", "subset", "partition"),
    "fold": ("fold",),
    "x_center": ("xcenter",),
    "y_center": ("ycenter",),
    "width": ("width",),
    "height": ("height",),
}
YES, NO = {"1", "1.0", "true", "yes"}, {"0", "0.0", "false", "no", ""}
MISSING = {"", "nan", "none", "null", "n/a", "na", "<na>", "nat"}


@dataclass(frozen=True)
class Columns:
    """Which column says what.

    Attributes:
        names: the column of each of `KNOWN` that the table has.
        one_hot: columns that are classes, with a 1 where an image is of the class.
        notes: what was understood, one sentence each.
    """

    names: Mapping[str, str]
    one_hot: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def others(self) -> set[str]:
        """The columns that have a meaning here."""
        return {*self.names.values(), *self.one_hot}


def may_be_manifest(sheet: Sheet, told: Mapping[str, str]) -> bool:
    """Say whether some column may be an image's path, and some other its class."""
    found = {_squeezed(name) for name in sheet.header}
    image = "image" in told or found & set(KNOWN["image"])
    label = "label" in told or found & set(KNOWN["label"])
    return bool(image and (label or _one_hot(sheet, set())))


def find_columns(sheet: Sheet, told: Mapping[str, str]) -> Columns:
    """Find the columns of a table.

    Args:
        sheet: the table.
        told: columns that the user has named, by their meaning.

    Raises:
        DataError: no column is an image's path or a label, or two may be; the message names them.
    """
    names = {meaning: _find(sheet, meaning, told) for meaning in KNOWN}
    found = {meaning: name for meaning, name in names.items() if name is not None}
    if "image" not in found:
        raise DataError(_lacks(sheet, "image"))
    one_hot = () if "label" in found else _one_hot(sheet, set(found.values()))
    if "label" not in found and not one_hot:
        raise DataError(_lacks(sheet, "label"))
    renamed = [f"'{name}' as {m}" for m, name in found.items() if name != m]
    notes = [f"The columns of {sheet.path.name} are read: {', '.join(renamed)}."] if renamed else []
    if one_hot:
        notes.append(f"The columns {', '.join(one_hot)} are read as classes.")
    return Columns(found, one_hot, tuple(notes))


def _find(sheet: Sheet, meaning: str, told: Mapping[str, str]) -> str | None:
    if meaning in told:
        if told[meaning] not in sheet.header:
            raise DataError(
                f"{sheet.path} has no column '{told[meaning]}' (found: {_listed(sheet)}): correct "
                "--column."
            )
        return told[meaning]
    if meaning in sheet.header:
        return meaning
    likely = [name for name in sheet.header if _squeezed(name) in KNOWN[meaning]]
    if len(likely) > 1 and meaning in ("image", "label"):
        raise DataError(
            f"{sheet.path}: '{likely[0]}' and '{likely[1]}' may both be the {meaning}: say which "
            f"with --column {meaning}={likely[0]}."
        )
    return likely[0] if likely else None


def _one_hot(sheet: Sheet, taken: set[str]) -> tuple[str, ...]:
    """Return the columns that hold nothing but yes and no, at least one of each."""
    found = []
    for name in sheet.header:
        values = {value.casefold() for value in sheet.column(name)} if name not in taken else set()
        if name and values & YES and values <= YES | NO:
            found.append(name)
    return tuple(found) if len(found) > 1 else ()


def _squeezed(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()


def _lacks(sheet: Sheet, meaning: str) -> str:
    return (
        f"{sheet.path} has no column '{meaning}' (found: {_listed(sheet)}): say which it is with "
        f"--column {meaning}=NAME, or rename it. A manifest has the columns image, label and "
        f"optionally {', '.join(list(KNOWN)[2:])}."
    )


def _listed(sheet: Sheet) -> str:
    return ", ".join(sheet.header) or "nothing"
