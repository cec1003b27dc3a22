"""TS006."""

from dataclasses import replace

from tests.checks.conftest import DataFolder
from tumorscope.checks.lineage import Lineage
from tumorscope.grouping.lineage.table import Table, make_table
from tumorscope.grouping.survey import Survey


def test_silent(folder: DataFolder) -> None:
    """Without a known set nothing is matched."""
    assert Lineage().run(folder.survey()).status == "passed"


def test_fires_and_names_labels_that_disagree(folder: DataFolder) -> None:
    """Slices of a known set are recognised, one of them under another label."""
    survey = folder.survey()
    numbers = range(len(survey.rows))
    known = make_known(survey, ["b" if n == 0 else survey.rows[n].label for n in numbers])
    again = Survey(survey.store, tables=[known])
    finding = Lineage().run(again)
    assert finding.count == len(survey.rows)
    assert [m.row for m in again.disagreements] == [0]
    assert finding.evidence[0][:3] == (survey.rows[0].image, "a", "b")


def make_known(survey: Survey, labels: list[str]) -> Table:
    """A table of the set itself with other labels."""
    patients = tuple(f"p{n}" for n in range(len(labels)))
    rows = tuple(
        replace(row, patient_id=patient) for row, patient in zip(survey.rows, patients, strict=True)
    )
    store = replace(survey.store, manifest=replace(survey.store.manifest, rows=rows))
    return replace(make_table("known", store), labels=tuple(labels))
