"""TS004: one image, or one patient, on both sides of a published split or in two folds."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from tumorscope.checks.base import Check, Finding, found, not_applicable, passed
from tumorscope.grouping.leaks import Leaks, Mask, find_leaks
from tumorscope.grouping.survey import Survey
from tumorscope.support.text import plural


class LeakCheck(Check):
    """Counts the test images that are not new to training."""

    code, title, severity = "TS004", "Leaks between parts", "error"

    def run(self, survey: Survey) -> Finding:
        """Count them by kind and by class."""
        leaks = find_leaks(survey)
        if leaks is None:
            return not_applicable(self, "No split and no folds are published.")
        total = int(leaks.tested.sum())
        rows = np.flatnonzero(leaks.any)
        if not len(rows):
            return passed(self, f"None of {plural(total, 'test image')} was seen in training.")
        classes = Counter(survey.rows[n].label for n in rows)
        listed = ", ".join(f"{name} {count}" for name, count in sorted(classes.items()))
        return found(
            self,
            f"{len(rows):,} of {plural(total, 'test image')} are not new to the model: "
            f"{leaks.byte_identical.sum():,} byte-identical, {leaks.pixel_identical.sum():,} "
            f"pixel-identical, {leaks.near_identical.sum():,} near-identical, "
            f"{leaks.same_patient.sum():,} of a patient seen in training ({listed}).",
            "A score on this split is too high: redraw it with 'tumorscope split', which "
            "'tumorscope train' does by itself.",
            ("test image", "class", "kind"),
            [(survey.rows[n].image, survey.rows[n].label, _kind(leaks, int(n))) for n in rows],
            rows.tolist(),
        )


def _kind(leaks: Leaks, row: int) -> str:
    kinds: Sequence[tuple[Mask, str]] = (
        (leaks.byte_identical, "byte-identical"),
        (leaks.pixel_identical, "pixel-identical"),
        (leaks.near_identical, "near-identical"),
        (leaks.same_patient, "same patient"),
    )
    return next(name for mask, name in kinds if mask[row])
