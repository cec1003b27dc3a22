"""What a user says of a data set where its layout leaves something open."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

ClassesFrom = Literal["auto", "folders", "names"]
PartName = Literal["train", "validation", "test"]
Plane = Literal["auto", "axial", "coronal", "sagittal"]


@dataclass(frozen=True)
class LayoutOptions:
    """Answers to what a data set leaves open.

    Attributes:
        classes_from: where the class of an image stands: found out (`auto`); in `folders`, whatever
            they are called; or in the `names` of the files.
        ignore: folders to leave out, by name or by path.
        parts: which part a folder, or a value of the column of parts, stands for.
        columns: which column of a table is the image, the label, the patient, by that name.
        patient_folders: whether folders inside of a class's are patients.
        name_patients: whether file names name patients; where that is beyond doubt, if None.
        plane: in which NIfTI volumes are sliced: `axial`, `coronal`, `sagittal`, or across their
            coarsest axis (`auto`).
        keep_identifiers: whether patients of DICOM headers keep their own identifiers in place of
            pseudonyms.
    """

    classes_from: ClassesFrom = "auto"
    ignore: tuple[str, ...] = ()
    parts: Mapping[str, PartName] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    patient_folders: bool = True
    name_patients: bool | None = None
    plane: Plane = "auto"
    keep_identifiers: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return what differs from the defaults, as a run's `environment.json` keeps it."""
        return {
            name: dict(value) if isinstance(value, Mapping) else value
            for name, value in vars(self).items()
            if value != getattr(UNSAID, name)
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "LayoutOptions":
        """Return the options that `as_json` gave."""
        return cls(**{**content, "ignore": tuple(content.get("ignore", ()))})


UNSAID = LayoutOptions()
