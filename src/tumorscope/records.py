"""The frozen vocabulary that every stage speaks."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Part = Literal["train", "validation", "test", "out"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")  # "out" is what no part may have

Pixels = NDArray[np.uint8] | NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Slice:
    """One decoded image.

    Attributes:
        pixels: grey levels, shape (height, width), uint8, or float32 in [0, 255] where the file
            holds more than eight bits.
        format: how the file is encoded, `JPEG`, `PNG` …
        mode: how it holds its pixels, in Pillow's words: `L`, `RGB`, `P`, `I;16` …
        tables: a short digest of JPEG's quantisation tables, which tell encoders and quality
            settings apart; empty for other formats.
        colour: the largest difference between an image's channels, in [0, 255], on a coarse grid.
    """

    pixels: Pixels
    format: str = ""
    mode: str = ""
    tables: str = ""
    colour: int = 0


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle around a lesion, in fractions of the image's width and height.

    Attributes:
        x_center, y_center: the centre, in [0, 1].
        width, height: the sides, in [0, 1].
        class_id: the class number a label file gives, None where there is none.
    """

    x_center: float
    y_center: float
    width: float
    height: float
    class_id: int | None = None


@dataclass(frozen=True, slots=True)
class FoundBox:
    """Where a model takes a lesion to be, in fractions of the image's width and height.

    Attributes:
        x_center, y_center: the centre, in [0, 1].
        width, height: the sides, in [0, 1].
        score: how well it should overlap the box that a reader would draw (IoU), in [0, 1].
    """

    x_center: float
    y_center: float
    width: float
    height: float
    score: float


@dataclass(frozen=True, slots=True)
class Row:
    """One image of a data set.

    Attributes:
        image: its path relative to the manifest's root, with forward slashes.
        label: the class name as the user wrote it.
        split: the part in which it was published, None where no split was published.
        patient_id: whom it belongs to, None where unknown.
        fold: the published fold, None where there is none.
        boxes: the lesions marked on it.
        others: further columns of a manifest, as name and value.
    """

    image: str
    label: str
    split: Part | None = None
    patient_id: str | None = None
    fold: int | None = None
    boxes: tuple[Box, ...] = ()
    others: tuple[tuple[str, str], ...] = ()

    @property
    def series(self) -> tuple[str | None, str] | None:
        """What tells the series apart that it is a slice of, None where unknown.

        Its patient, and the column `series`.
        """
        name = dict(self.others).get("series")
        return (self.patient_id, name) if name else None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file, or a folder's files, that are not used, and why.

    Attributes:
        image: the path of the file; of the folder where it stands for several.
        reason: why, as the rest of a sentence.
        files: how many files it stands for.
        refused: whether it was read, and is refused for what it is.
    """

    image: str
    reason: str
    files: int = 1
    refused: bool = False


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """What the headers of a series say, but for whose it is.

    Attributes:
        name: a pseudonym, or the path of a volume.
        folder: where its files lie, relative to the data set; empty at its top.
        slices: how many there are.
        doubled: how many lie where another of them lies.
        missing: how many are missing between two others, by the spacing of the rest.
        uneven: whether spacing varies by more than a tenth, missing slices aside.
        scanner: the maker and a pseudonym of the machine; empty where unknown.
        field_strength: in tesla; None where unknown.
        identifiers: how many elements of its headers say whose it is.
    """

    name: str
    folder: str
    slices: int
    doubled: int = 0
    missing: int = 0
    uneven: bool = False
    scanner: str = ""
    field_strength: float | None = None
    identifiers: int = 0


def common_reasons(left_out: Iterable[LeftOut], most: int = 3) -> str:
    """Return why files are not used, the most frequent reasons first, with their counts."""
    counts: Counter[str] = Counter()
    for file in left_out:
        counts[file.reason] += max(file.files, 1)
    return "; ".join(f"{reason} ({count})" for reason, count in counts.most_common(most))


@dataclass(frozen=True, slots=True)
class Manifest:
    """A data set as it was read.

    Attributes:
        root: the folder that image paths are relative to.
        layout: one of the layouts' names, for the reader.
        rows: one row per image, in a fixed order.
        left_out: files that cannot be used.
        strays: how many system files (`.DS_Store` and the like) were passed over.
        passed_over: how many other files there are that are no images, by kind.
        notes: how the layout was understood where it might have been otherwise, a sentence each.
        unmarked: images whose label file is missing or empty, where others have one, and which of
            the two it is; they are used without boxes.
        note: a sentence on where the labels come from, where that is not the layout itself.
        series: what the headers of a scanner's files say; empty of any other set.
    """

    root: Path
    layout: str
    rows: tuple[Row, ...]
    left_out: tuple[LeftOut, ...] = ()
    strays: int = 0
    passed_over: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    unmarked: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    series: tuple[SeriesFacts, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in alphabetical order; a class's number is its index here."""
        return tuple(sorted({row.label for row in self.rows}))

    @property
    def others(self) -> str:
        """How many files are no images, by kind, in words; empty where all are."""
        counts = {**self.passed_over, "system": self.strays}
        return ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)

    @property
    def files_left_out(self) -> int:
        """How many files are left out."""
        return sum(file.files for file in self.left_out)

    def class_numbers(self, classes: Sequence[str] = ()) -> NDArray[np.intp]:
        """Return the class number of each row, int, shape (rows,).

        Args:
            classes: the names in the order of their numbers; `self.classes` unless given.
        """
        number = {name: index for index, name in enumerate(classes or self.classes)}
        return np.array([number[row.label] for row in self.rows], dtype=np.intp)


@dataclass(frozen=True, slots=True)
class Partition:
    """Which row goes where.

    Attributes:
        parts: one part a row, in the manifest's order; `out` for images that would leak.
        groups: the group of each row; rows of one group are never in two parts that were drawn.
        method: `published`, `published, validation drawn`, `published, test drawn`, `drawn`,
            `test kept` or `fold`.
        note: one sentence on how it came about.
    """

    parts: tuple[Part, ...]
    groups: tuple[str, ...]
    method: str
    note: str

    def where(self, part: Part) -> NDArray[np.intp]:
        """Return the row numbers of one part, int, shape (n,)."""
        return np.flatnonzero(np.array(self.parts) == part)


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of one image.

    Attributes:
        input: the path or name it was given under.
        label: the most probable class; empty where the image is refused or cannot be read.
        probabilities: class name to probability, in [0, 1], summing to 1.
        set: the classes that hold the true one at the rate that the bundle's card states; None
            where the model has no thresholds.
        accepted: whether the image looks like those that the model was trained on.
        reason: why it is not; empty where it is.
        error: why there is no answer at all.
        seconds: of work for it, as its share of the batch it was answered in.
        box: around the lesion; None where the model does not localise, or says that there is none.
    """

    input: str
    label: str = ""
    probabilities: Mapping[str, float] = field(default_factory=dict)
    set: tuple[str, ...] | None = None
    accepted: bool = False
    reason: str = ""
    error: str | None = None
    seconds: float = 0.0
    box: FoundBox | None = None

    def _repr_html_(self) -> str:
        """Show the answer in a notebook."""
        if self.error is not None:
            head = f"error: {self.error}"
        else:
            head = self.label if self.accepted else f"refused: {self.reason}"
        rows = "".join(
            f"<tr><th>{escape(name)}</th><td>{probability:.1%}</td></tr>"
            for name, probability in self.probabilities.items()
        )
        caption = f"<caption>{escape(self.input)} {escape(head)}</caption>"
        return f"<table>{caption}{rows}</table>"


@dataclass(frozen=True, slots=True)
class SeriesPrediction:
    """What a model says of a series.

    Attributes:
        input: the folder of its files, or its one file, as it was given.
        series: a pseudonym, or the path of a volume.
        patient: a pseudonym, or what the name of a volume says; empty where unknown.
        plane: `axial`, `coronal` or `sagittal`; empty where unknown.
        label: the most probable class; empty where the series is refused or cannot be read.
        probabilities: class name to probability, in [0, 1], summing to 1: the mean of the slices
            that decide.
        set: the classes in the conformal set of any of these; None where there are no thresholds.
        accepted: whether any slice looks like those that the model was trained on.
        reason: why none does; empty where one does.
        error: why there is no answer at all.
        deciding: the numbers of the slices that decide, from 0.
        slices: the answer to each slice, in order along the normal.
        positions: of each slice along the normal, in mm; None where the header does not say.
        note: what was chosen where there was a choice; empty where there was none.
    """

    input: str
    series: str = ""
    patient: str = ""
    plane: str = ""
    label: str = ""
    probabilities: Mapping[str, float] = field(default_factory=dict)
    set: tuple[str, ...] | None = None
    accepted: bool = False
    reason: str = ""
    error: str | None = None
    deciding: tuple[int, ...] = ()
    slices: tuple[Prediction, ...] = ()
    positions: tuple[float | None, ...] = ()
    note: str = ""

    @property
    def seconds(self) -> float:
        """Of work for its slices."""
        return sum(own.seconds for own in self.slices)

    @property
    def box(self) -> FoundBox | None:
        """Around the lesion, on the first slice that decides; None as in `Prediction`."""
        return self.slices[self.deciding[0]].box if self.deciding else None
