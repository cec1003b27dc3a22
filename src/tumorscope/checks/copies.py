"""TS002 exact copies, TS003 near copies and TS011 augmented copies."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tumorscope.checks.base import Check, Finding, found, passed
from tumorscope.grouping.likeness import NearCopy
from tumorscope.grouping.survey import Survey
from tumorscope.support.text import plural

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


COPY_COLUMNS = ("image", "copy", "kind", "similarity", "how")


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
        pairs = [pair for pair in survey.near if not pair.warp]
        if not pairs:
            return passed(self, "No two images are near copies of each other.")
        return _found_pairs(self, survey, pairs, "near")


class AugmentedCopies(Check):
    """Finds what offline augmentation leaves: images turned, shifted, zoomed, blurred or noisy."""

    code, title, severity = "TS011", "Augmented copies", "warning"

    def run(self, survey: Survey) -> Finding:
        """List the pairs with how the first lies on the second."""
        pairs = [pair for pair in survey.near if pair.warp]
        if not pairs:
            return passed(self, "No two images are augmented copies of each other.")
        return _found_pairs(self, survey, pairs, "augmented")


def _found_pairs(check: Check, survey: Survey, pairs: Sequence[NearCopy], kind: str) -> Finding:
    """Return a finding of pairs, the most doubtful first."""
    rows = survey.rows
    ordered = sorted(pairs, key=lambda pair: pair.similarity)
    concerned = {n for pair in pairs for n in (pair.first, pair.second)}
    finding = found(
        check,
        f"{plural(len(concerned), 'image')} in {plural(len(pairs), 'pair')} of {kind} copies.",
        "Let 'tumorscope split' keep them in one part. Pairs that are no copies: put their rows of "
        "copies.csv into a file and give it with --apart.",
        ("image", f"{kind} copy", "similarity", "how"),
        [
            (rows[p.first].image, rows[p.second].image, f"{p.similarity:.3f}", how(p))
            for p in ordered
        ],
        [n for pair in ordered for n in (pair.first, pair.second)],
        count=len(concerned),
    )
    return replace(finding, pairs=True)


def copy_rows(survey: Survey) -> list[tuple[str, ...]]:
    """Return a row for each pair of copies whose pixels differ, as `COPY_COLUMNS` calls them."""
    return [
        (
            *(survey.rows[n].image for n in (pair.first, pair.second)),
            "augmented" if pair.warp else "near",
            f"{pair.similarity:.4f}",
            how(pair),
        )
        for pair in sorted(survey.near, key=lambda pair: pair.similarity)
    ]


def how(copy: NearCopy) -> str:
    """Say how the first image of a pair must be changed to lie on the second."""
    if not copy.warp:
        return TURNS[copy.turn] + (f", cropped by {copy.margin:.0%}" if copy.margin else "")
    matrix = np.array(copy.warp).reshape(2, 3)[:, :2]
    mirrored = np.linalg.det(matrix) < 0
    down, right = np.linalg.inv(matrix @ np.diag([1, -1]) if mirrored else matrix).T
    degrees = np.degrees(np.arctan2(right[0], right[1]))
    heights, widths = np.linalg.norm(down), np.linalg.norm(right)
    said = "mirrored, " if mirrored else ""
    return f"{said}turned by {degrees:.0f}°, {widths:.2f} times as wide, {heights:.2f} as high"


def _groups(numbers: "np.ndarray[tuple[int], np.dtype[np.intp]]") -> list[list[int]]:
    order = np.argsort(numbers, kind="stable")
    borders = np.flatnonzero(np.diff(numbers[order])) + 1
    return [group.tolist() for group in np.split(order, borders)]
