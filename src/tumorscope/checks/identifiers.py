"""TS014 and TS015: text in the pixels, and headers that say whose they are."""

import numpy as np

from tumorscope.checks.base import Check, Finding, found, not_applicable, passed
from tumorscope.checks.series import NO_SERIES
from tumorscope.data.read import read_image
from tumorscope.data.scans.burnt import text_regions
from tumorscope.errors import UnreadableImage
from tumorscope.grouping.survey import Survey
from tumorscope.support.text import plural

LOOKED_AT = 500  # images, drawn at random: they are decoded once more


class BurntText(Check):
    """Looks for lines of text in the pixels of images, drawn at random where there are many."""

    code, title, severity = "TS014", "Text in the pixels", "warning"

    def run(self, survey: Survey) -> Finding:
        """List the images that seem to have text, with where."""
        count = len(survey.rows)
        drawn = np.sort(np.random.default_rng(0).permutation(count)[:LOOKED_AT])
        cases = [(int(n), place) for n in drawn if (place := self._text(survey, int(n)))]
        looked = f"{plural(len(drawn), 'image')} of {count:,} looked at"
        if not cases:
            return passed(self, f"No text was found in the pixels ({looked}).")
        return found(
            self,
            f"{plural(len(cases), 'image')} with text in the pixels, as it seems ({looked}).",
            "Text may name a patient or a source, and a model may read it instead of the brain: "
            "blank it or leave these images out.",
            ("image", "class", "where"),
            [(survey.rows[n].image, survey.rows[n].label, place) for n, place in cases],
            [n for n, _ in cases],
        )

    @staticmethod
    def _text(survey: Survey, number: int) -> str:
        """Return where text is, in pixels from the upper left; empty where there is none."""
        manifest = survey.store.manifest
        try:
            pixels = read_image(manifest.root / manifest.rows[number].image).pixels
        except UnreadableImage:  # it has changed since it was stored
            return ""
        regions = text_regions(np.rint(pixels).astype(np.uint8))
        return "; ".join(f"{own.left}–{own.right} × {own.top}–{own.bottom}" for own in regions[:3])


class Identifiers(Check):
    """Counts series whose headers say whose they are."""

    code, title, severity = "TS015", "Identifiers in headers", "note"

    def run(self, survey: Survey) -> Finding:
        """List the series, and how many elements of their headers say so."""
        series = survey.store.manifest.series
        if not series:
            return not_applicable(self, NO_SERIES)
        named = [own for own in series if own.identifiers]
        if not named:
            return passed(self, f"The headers of {len(series)} series name nobody.")
        return found(
            self,
            f"The headers of {len(named)} of {len(series)} series contain identifying information.",
            "Nothing of it is in any output of tumorscope. Before the files are passed on: "
            "'tumorscope deidentify'.",
            ("series", "folder", "identifying elements"),
            [(own.name, own.folder, str(own.identifiers)) for own in named],
        )
