"""TS008: images that are unlike the others."""

import numpy as np

from tumorscope.checks.base import Check, Finding, found, passed
from tumorscope.evaluation.controls import LARGEST
from tumorscope.grouping.survey import Survey
from tumorscope.support.text import plural

BLANK = 3.0  # standard deviation of grey levels, of 255
TINY = 64  # pixels
LONG = 1.6  # sides' ratio
COLOUR = 40  # levels between channels
ALONE = 0.35  # correlation with the most similar other image


class OddOnes(Check):
    """Finds blank, tiny, long, coloured and 16-bit images, and those far from every other."""

    code, title, severity = "TS008", "Odd ones out", "note"

    def run(self, survey: Survey) -> Finding:
        """List each with what is odd about it."""
        cases = self._cases(survey)
        if not cases:
            return passed(self, "No image stands out.")
        return found(
            self,
            f"{plural(len(cases), 'image')} unlike the others.",
            "Check them: screenshots, photographs and drawings do not belong here.",
            ("image", "what is odd"),
            [(survey.rows[n].image, ", ".join(reasons)) for n, reasons in cases],
            [n for n, _ in cases],
        )

    def _cases(self, survey: Survey) -> list[tuple[int, list[str]]]:
        deviation = [thumbnail.std() for thumbnail in survey.store.thumbnails]
        nearest = _nearest(survey)
        cases = []
        for n, facts in enumerate(survey.store.facts):
            long, short = max(facts.width, facts.height), min(facts.width, facts.height)
            tests = (
                (deviation[n] < BLANK, "blank"),
                (short < TINY, f"tiny ({facts.width} × {facts.height})"),
                (long > LONG * short, f"not square ({facts.width} × {facts.height})"),
                (facts.colour > COLOUR, "coloured"),
                (facts.mode.startswith(("I", "F")), f"more than 8 bits ({facts.mode})"),
                (nearest[n] < ALONE, "far from every other image"),
            )
            reasons = [text for odd, text in tests if odd]
            if reasons:
                cases.append((n, reasons))
        return cases


def _nearest(survey: Survey) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    """Return each image's likeness to the most similar other one, of a sample of a large set."""
    prints = survey.prints
    sample = prints[:: max(1, len(prints) // LARGEST)]
    best = np.full(len(prints), -1, np.float32)
    for start in range(0, len(prints), 1024):
        likeness = prints[start : start + 1024] @ sample.T
        likeness[likeness > 0.9999] = -1  # itself and its exact copies
        best[start : start + 1024] = likeness.max(axis=1, initial=-1)
    return best if len(prints) > 2 else np.ones(len(prints), np.float32)
