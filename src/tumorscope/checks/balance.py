"""TS007: class shares in each published part, and how they shift."""

from collections import Counter

from tumorscope.checks.base import Check, Finding, found, passed
from tumorscope.grouping.survey import Survey

RARE = 0.5  # of the share that equal classes would have
SHIFT = 0.10  # between parts, as a share of the images


class Balance(Check):
    """Finds classes that are rare, and classes whose share is another in another part."""

    code, title, severity = "TS007", "Balance of classes", "note"

    def run(self, survey: Survey) -> Finding:
        """Compare the shares of each class."""
        parts = sorted({row.split or "all" for row in survey.rows})
        counts = {
            p: Counter(r.label for r in survey.rows if (r.split or "all") == p) for p in parts
        }
        shares = {
            name: {p: counts[p][name] / max(counts[p].total(), 1) for p in parts}
            for name in survey.classes
        }
        rare = [n for n, s in shares.items() if min(s.values()) < RARE / len(survey.classes)]
        shifted = [n for n, s in shares.items() if max(s.values()) - min(s.values()) > SHIFT]
        if not rare and not shifted:
            return passed(self, "Classes are balanced, within each part and between parts.")
        texts = [f"rare: {', '.join(rare)}"] if rare else []
        texts += [f"share shifts between parts: {', '.join(shifted)}"] if shifted else []
        return found(
            self,
            f"{'; '.join(texts)}.".capitalize(),
            "Read balanced accuracy and per-class scores rather than accuracy.",
            ("class", *parts),
            [(n, *(f"{counts[p][n]} ({s[p]:.0%})" for p in parts)) for n, s in shares.items()],
            count=len({*rare, *shifted}),
        )
