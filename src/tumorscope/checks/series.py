"""TS012 and TS013: whether series are whole, and whether the scanner tells the class."""

from collections import Counter

import numpy as np

from tumorscope.checks.base import Check, Finding, found, not_applicable, passed
from tumorscope.evaluation.controls import probe
from tumorscope.grouping.survey import Survey
from tumorscope.records import SeriesFacts
from tumorscope.support.text import plural

NO_SERIES = "These are not files of a scanner."
GAIN = 0.10  # over the majority share


class WholeSeries(Check):
    """Finds folders of several series, doubled and missing slices, and uneven spacing."""

    code, title, severity = "TS012", "Series", "note"

    def run(self, survey: Survey) -> Finding:
        """List each series with what is odd about it."""
        series = survey.store.manifest.series
        if not series:
            return not_applicable(self, NO_SERIES)
        folders = Counter(own.folder for own in series)
        cases = [(own, odd) for own in series if (odd := _oddities(own, folders[own.folder]))]
        if not cases:
            return passed(self, f"{len(series)} series are whole and evenly spaced, one a folder.")
        return found(
            self,
            f"{len(cases)} of {len(series)} series are mixed with others, have gaps or doubles, or "
            "are unevenly spaced.",
            "Series are told apart by their headers and sorted by position, so that nothing is "
            "mixed up; but slices that are missing may be those that show the lesion.",
            ("series", "folder", "slices", "what is odd"),
            [(own.name, own.folder, str(own.slices), odd) for own, odd in cases],
        )


def _oddities(own: SeriesFacts, beside: int) -> str:
    odd = (
        (beside > 1, f"one of {beside} series in its folder"),
        (own.doubled > 0, f"{plural(own.doubled, 'slice')} duplicated"),
        (own.missing > 0, f"{plural(own.missing, 'slice')} missing"),
        (own.uneven, "unevenly spaced"),
    )
    return ", ".join(text for holds, text in odd if holds)


class Scanners(Check):
    """Tries to tell the class from the scanner and its field strength alone."""

    code, title, severity = "TS013", "Scanners", "warning"

    def run(self, survey: Survey) -> Finding:
        """Compare the probe's accuracy with the majority share; count scanners by class."""
        facts = {own.name: own for own in survey.store.manifest.series}
        if not facts:
            return not_applicable(self, NO_SERIES)
        names = [dict(row.others).get("series", "") for row in survey.rows]
        told = [_machine(facts[name]) if name in facts else "unknown" for name in names]
        kinds = sorted(set(told))
        if len(kinds) < 2:
            return passed(self, f"All slices come from one scanner: {kinds[0]}.")
        features = (np.array(told)[:, None] == np.array(kinds)).astype(np.float64)
        result = probe(features, survey.labels, survey.groups())
        if result is None:
            return not_applicable(self, "A class has too few groups to cross-validate on.")
        text = (
            f"of {len(kinds)} scanners, knowing which one gives {result.accuracy:.1%}; most "
            f"frequent class {result.majority:.1%}."
        )
        if result.accuracy < result.majority + GAIN:
            return passed(self, f"The label cannot be told from the scanner: {text}")
        counts = Counter(zip(told, (row.label for row in survey.rows), strict=True))
        return found(
            self,
            f"The label can be told from the scanner: {text}",
            "A model may learn the scanner instead of the tumour: test it on images from another "
            "site, or take each class from all scanners.",
            ("scanner", *survey.classes),
            [(kind, *(f"{counts[kind, label]:,}" for label in survey.classes)) for kind in kinds],
        )


def _machine(facts: SeriesFacts) -> str:
    strength = "" if facts.field_strength is None else f"{facts.field_strength:g} T"
    return ", ".join(part for part in (facts.scanner, strength) if part) or "unknown"
