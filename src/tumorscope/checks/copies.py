"""TS002 exact copies and TS003 near copies."""

import numpy as np

from tumorscope.checks.base import Check, Finding, found, passed, plural
from tumorscope.grouping.survey import Survey

TURNS = (
    "as it is",
    "mirrored left-right",
    "mirrored top-bottom",
    "turned by 180°",
    "mirrored on the diagonal",
    "turned by 90°",
    "turned by 90°",
    "mirrored on the diagonal",
)


class ExactCopies(Check):
    """Finds files with the same bytes, and images with the same pixels under different bytes."""

    code, title, severity = "TS002", "Exact copies", "warning"

    def run(self, survey: Survey) -> Finding:
        """List the groups of equal images."""
        groups = [g for g in _groups(survey.same_pixels) if len(g) > 1]
        if not groups:
            return passed(self, "No two images have the same pixels.")
        surplus = sum(len(group) - 1 for group in groups)
        bytes_surplus = sum(len(g) - 1 for g in _groups(survey.same_bytes))
        rows = survey.rows
        return found(
            self,
            f"{plural(surplus, 'surplus copy', 'surplus copies')} in "
            f"{plural(len(groups), 'group')} of images with the same pixels "
            f"({bytes_surplus:,} of them with the same bytes).",
            "Keep one of each group, or let 'tumorscope split' keep each group in one part.",
            ("image", "copies"),
            [(rows[g[0]].image, ", ".join(rows[n].image for n in g[1:])) for g in groups],
            [n for group in groups for n in group],
            count=surplus,
        )


class NearCopies(Check):
    """Finds images that were resized, re-encoded, cropped, relit, mirrored or turned."""

    code, title, severity = "TS003", "Near copies", "warning"

    def run(self, survey: Survey) -> Finding:
        """List the pairs with what makes them alike."""
        pairs = survey.near
        if not pairs:
            return passed(self, "No two images are near copies of each other.")
        rows = survey.rows
        concerned = sorted({n for pair in pairs for n in (pair.first, pair.second)})
        return found(
            self,
            f"{plural(len(concerned), 'image')} in {plural(len(pairs), 'pair')} of near copies.",
            "Let 'tumorscope split' keep them in one part.",
            ("image", "near copy", "similarity", "how"),
            [
                (
                    rows[p.first].image,
                    rows[p.second].image,
                    f"{p.similarity:.3f}",
                    TURNS[p.turn] + (f", cropped by {p.margin:.0%}" if p.margin else ""),
                )
                for p in sorted(pairs, key=lambda p: -p.similarity)
            ],
            [n for pair in pairs for n in (pair.first, pair.second)],
            count=len(concerned),
        )


def _groups(numbers: "np.ndarray[tuple[int], np.dtype[np.intp]]") -> list[list[int]]:
    order = np.argsort(numbers, kind="stable")
    borders = np.flatnonzero(np.diff(numbers[order])) + 1
    return [group.tolist() for group in np.split(order, borders)]
