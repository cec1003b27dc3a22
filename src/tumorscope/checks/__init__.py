"""The checks of an audit, in the order in which a reader wants them."""

from collections.abc import Sequence

from tumorscope.checks.balance import Balance
from tumorscope.checks.base import Check, Finding
from tumorscope.checks.control_scores import ControlsCheck
from tumorscope.checks.copies import AugmentedCopies, ExactCopies, NearCopies
from tumorscope.checks.identifiers import BurntText, Identifiers
from tumorscope.checks.labels import LabelConflicts
from tumorscope.checks.leaks import LeakCheck
from tumorscope.checks.lineage import Lineage
from tumorscope.checks.odd import OddOnes
from tumorscope.checks.series import Scanners, WholeSeries
from tumorscope.checks.shortcuts import Shortcuts
from tumorscope.checks.unreadable import Unreadable
from tumorscope.grouping.survey import Survey
from tumorscope.support.progress import Progress

__all__ = ["CHECKS", "Check", "Finding", "run_checks"]

CHECKS: tuple[Check, ...] = (
    Unreadable(),
    ExactCopies(),
    NearCopies(),
    AugmentedCopies(),
    LeakCheck(),
    LabelConflicts(),
    Lineage(),
    Balance(),
    OddOnes(),
    Shortcuts(),
    BurntText(),
    WholeSeries(),
    Scanners(),
    Identifiers(),
    ControlsCheck(),
)


def run_checks(survey: Survey, progress: Progress) -> Sequence[Finding]:
    """Run every check."""
    findings = []
    with progress.task("checking", len(CHECKS), "checks") as task:
        for check in CHECKS:
            findings.append(check.run(survey))
            task.advance(1)
    return findings
