"""What a check is, and what it finds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tumorscope.grouping.survey import Survey
from tumorscope.schema.audit import Severity, Status


@dataclass(frozen=True)
class Finding:
    """What one check has to say of a data set.

    Attributes:
        code, title, severity: the check's.
        status: whether it found something, found nothing, or could not be applied.
        count: how many images (or files) are concerned.
        sentence: what was found, with the count.
        advice: what to do about it.
        columns, evidence: a table of the cases.
        images: row numbers of the images to show.
        pairs: whether each two of `images` are to be shown beside each other.
    """

    code: str
    title: str
    severity: Severity
    status: Status
    count: int
    sentence: str
    advice: str = ""
    columns: tuple[str, ...] = ()
    evidence: tuple[tuple[str, ...], ...] = ()
    images: tuple[int, ...] = ()
    pairs: bool = False


class Check(Protocol):
    """One question to a data set."""

    code: str
    title: str
    severity: Severity

    def run(self, survey: Survey) -> Finding:
        """Answer it."""


def found(
    check: Check,
    sentence: str,
    advice: str,
    columns: Sequence[str],
    evidence: Sequence[Sequence[str]],
    images: Sequence[int] = (),
    count: int | None = None,
) -> Finding:
    """Return a finding of a check, one row of evidence a case unless counted otherwise."""
    return Finding(
        check.code,
        check.title,
        check.severity,
        "found",
        len(evidence) if count is None else count,
        sentence,
        advice,
        tuple(columns),
        tuple(tuple(row) for row in evidence),
        tuple(images),
    )


def passed(check: Check, sentence: str) -> Finding:
    """Return that a check looked and found nothing."""
    return Finding(check.code, check.title, check.severity, "passed", 0, sentence)


def not_applicable(check: Check, reason: str) -> Finding:
    """Return that a check could not be applied, which is not the same as passed."""
    return Finding(check.code, check.title, check.severity, "not applicable", 0, reason)
