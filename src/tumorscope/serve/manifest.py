"""What readers said, as a manifest that `tumorscope train` takes."""

import csv
import io
from collections.abc import Iterable

from tumorscope.records import Manifest
from tumorscope.watching.cases import Case

COLUMNS = (
    *("image", "label", "patient_id", "x_center", "y_center", "width", "height"),
    *("slice", "reader", "blind", "comment", "predicted", "probability", "filed", "case"),
)


def reviews_csv(cases: Iterable[Case]) -> str:
    """Return a CSV with the last review of each case that has one."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    for case in cases:
        if not case.reviews:
            continue
        own, answer = case.reviews[-1], case.answer or {}
        label = answer.get("label", "")
        row = (
            *(
                _harmless(case.name),
                _harmless(own.label),
                _harmless(case.patient),
                *(own.box or ("",) * 4),
            ),
            *("" if own.slice is None else own.slice, _harmless(own.reader), own.blind),
            *(_harmless(own.comment), label, answer.get("probabilities", {}).get(label, "")),
            *(_harmless(case.listed.filed) if case.listed else "", case.id),
        )
        writer.writerow(row)
    return text.getvalue()


def corrected_csv(manifest: Manifest, cases: Iterable[Case]) -> str:
    """Return a data set's labels as a CSV to lie at its top, as readers have corrected them.

    Args:
        manifest: the data set.
        cases: those of it that were looked at again, called as its images.
    """
    said = {case.name: case.reviews[-1] for case in cases if case.reviews}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("image", "label", "patient_id", "split", "fold", "filed", "reader", "comment"))
    for row in manifest.rows:
        own = said.get(row.image)
        words = ("", "", "") if own is None else (row.label, own.reader, own.comment)
        writer.writerow(
            (
                *(row.image, own.label if own else row.label, row.patient_id or ""),
                *(row.split or "", "" if row.fold is None else row.fold),
                *map(_harmless, words),
            )
        )
    return text.getvalue()


def _harmless(text: str) -> str:
    """Return words of a client that no spreadsheet takes for a formula, on one line."""
    line = " ".join(text.split())
    return f"'{line}" if line.startswith(("=", "+", "-", "@")) else line
