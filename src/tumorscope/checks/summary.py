"""The documented schema of `audit.json`, and how it is filled."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from tumorscope._version import __version__
from tumorscope.checks.base import Finding, Severity, Status
from tumorscope.checks.control_scores import control_scores
from tumorscope.checks.leaks import find_leaks
from tumorscope.survey import Survey


class Strict(BaseModel):
    """A frozen part of the summary that knows its fields and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ImageNumbers(Strict):
    """How many files there are."""

    readable: int
    unreadable: int


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
    by_class: dict[str, int] = {}


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

    format: int = 1
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
        found = {finding.severity for finding in self.findings if finding.status == "found"}
        levels: Sequence[Severity] = ("error", "warning", "note")
        return next((level for level in levels if level in found), None)


def summarize(survey: Survey, findings: Sequence[Finding], groups: int) -> Audit:
    """Return the numbers of an audit."""
    manifest = survey.store.manifest
    scores = control_scores(survey)
    return Audit(
        data=manifest.root.resolve().name,
        layout=manifest.layout,
        classes={
            name: int((survey.labels == number).sum()) for number, name in enumerate(survey.classes)
        },
        images=ImageNumbers(readable=len(survey.rows), unreadable=len(manifest.left_out)),
        leaks=_leak_numbers(survey),
        controls=ControlNumbers(
            majority=MajorityNumbers(published=scores.majority_published, all=scores.majority),
            thumbnail_lookup=LookUpNumbers(
                published=scores.published,
                random=scores.random,
                leak_free=scores.leak_free,
                folds=scores.folds,
            ),
        ),
        lineage=LineageNumbers(
            matched=len(survey.matches),
            label_disagreements=sorted(survey.rows[m.row].image for m in survey.disagreements),
        ),
        groups=groups,
        findings=[
            FindingNumbers(
                code=f.code,
                title=f.title,
                severity=f.severity,
                status=f.status,
                count=f.count,
                sentence=f.sentence,
            )
            for f in findings
        ],
    )


def _leak_numbers(survey: Survey) -> LeakNumbers:
    leaks = find_leaks(survey)
    if leaks is None:
        return LeakNumbers()
    counts: dict[str, int] = {}
    for row in leaks.any.nonzero()[0]:
        counts[survey.rows[row].label] = counts.get(survey.rows[row].label, 0) + 1
    return LeakNumbers(
        test_images=int(leaks.tested.sum()),
        byte_identical=int(leaks.byte_identical.sum()),
        pixel_identical=int(leaks.pixel_identical.sum()),
        near_identical=int(leaks.near_identical.sum()),
        same_patient=int(leaks.same_patient.sum()),
        any=int(leaks.any.sum()),
        by_class=counts,
    )
