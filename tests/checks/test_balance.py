"""TS007."""

from tests.checks.conftest import DataFolder
from tumorscope.checks.balance import Balance


def test_silent(published: DataFolder) -> None:
    """Equal classes in both parts."""
    assert Balance().run(published.survey()).status == "passed"


def test_fires(published: DataFolder) -> None:
    """A class that is rare in one part is named, with its counts."""
    for number in range(2, 4):
        (published.root / "Testing" / "b" / f"{number}x.png").unlink()
    finding = Balance().run(published.survey())
    assert finding.status == "found"
    assert "Share shifts between parts: a, b." in finding.sentence
    assert ("b", "2 (33%)", "4 (50%)") in finding.evidence
