"""The documented schema of `audit.json`."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from tumorscope._version import __version__
from tumorscope.schema.base import Strict
from tumorscope.support.notebook import html_table

FORMAT = 2
Severity = Literal["error", "warning", "note"]


Status = Literal["found", "passed", "not applicable"]


class ImageNumbers(Strict):
    """How many files there are, and what the readable ones are like.

    Sizes are width and height in pixels. Kinds tell how files hold their pixels: grey levels in
    one channel, in three equal ones, or colour.
    """

    readable: int
    unreadable: int
    sizes: int
    smallest: tuple[int, int]
    largest: tuple[int, int]
    kinds: dict[str, int]


class LeakNumbers(Strict):
    """How many test images are not new to training; each kind contains the one before.

    None where no split and no folds are published. Patients count as far as they are known.
    """

    test_images: int | None = None
    byte_identical: int | None = None
    pixel_identical: int | None = None
    near_identical: int | None = None
    same_patient: int | None = None
    any: int | None = None
    by_class: dict[str, int] = Field(default_factory=dict)


class MajorityNumbers(Strict):
    """Accuracy of always answering the most frequent class."""

    published: float | None
    all: float


class LookUpNumbers(Strict):
    """Accuracy of the thumbnail look-up: published split, random and leak-free folds, own folds."""

    published: float | None
    random: float | None
    leak_free: float | None
    folds: dict[int, float]


class ControlNumbers(Strict):
    """What a model must beat to mean anything."""

    majority: MajorityNumbers
    thumbnail_lookup: LookUpNumbers


class LineageNumbers(Strict):
    """Slices of known sets: how many, and the files whose label disagrees."""

    matched: int
    label_disagreements: list[str]


class FindingNumbers(Strict):
    """One check's answer."""

    code: str
    title: str
    severity: Severity
    status: Status
    count: int
    sentence: str


class Audit(Strict):
    """What an audit found, as in `audit.json`."""

    format: int = FORMAT
    tumorscope: str = __version__
    data: str
    layout: str
    classes: dict[str, int]
    images: ImageNumbers
    leaks: LeakNumbers
    controls: ControlNumbers
    lineage: LineageNumbers
    groups: int
    findings: list[FindingNumbers]

    def worst(self) -> Severity | None:
        """Return the highest severity among what was found."""
        severities = {finding.severity for finding in self.findings if finding.status == "found"}
        levels: Sequence[Severity] = ("error", "warning", "note")
        return next((level for level in levels if level in severities), None)

    @property
    def look(self) -> str:
        """How many images of which classes, sizes and kinds there are, in two sentences."""
        images, listed = self.images, ", ".join(f"{n} {c}" for n, c in self.classes.items())
        first, last = (f"{width} × {height}" for width, height in (images.smallest, images.largest))
        sizes = f"{images.sizes} sizes from {first} to {last}" if images.sizes > 1 else first
        kinds = ", ".join(f"{kind} {count}" for kind, count in images.kinds.items())
        return (
            f"{images.readable} images ({listed}), {images.unreadable} files left out. "
            f"{sizes[0].upper()}{sizes[1:]} pixels; {kinds}."
        )

    @property
    def verdict(self) -> str:
        """What the checks found, in a sentence."""
        found = [finding for finding in self.findings if finding.status == "found"]
        levels: Sequence[Severity] = ("error", "warning", "note")
        worst = self.worst()
        if worst is None:
            return f"None of {len(self.findings)} checks found anything."
        trust = {
            "error": "Scores on this data cannot be trusted as it is",
            "warning": "Look at this data before you trust scores on it",
            "note": "Nothing here makes scores untrustworthy, but look",
        }[worst]
        titles = [f.title for level in levels for f in found if f.severity == level]
        return f"{trust}: {', '.join(titles).lower()}."

    @property
    def headline(self) -> list[tuple[str, str]]:
        """The size of the data set and what each check found, as names and words."""
        rows = [
            ("images", f"{self.images.readable} ({self.images.unreadable} left out)"),
            ("classes", ", ".join(f"{name} {count}" for name, count in self.classes.items())),
        ]
        rows += [
            (f"{f.code} {f.severity}", f.sentence) for f in self.findings if f.status == "found"
        ]
        return rows

    def _repr_html_(self) -> str:
        """Show what was found in a notebook."""
        return html_table(f"Audit of {self.data}", self.headline)
