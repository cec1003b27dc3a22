"""TS001."""

from tests.checks.conftest import DataFolder
from tumorscope.checks.unreadable import Unreadable


def test_silent(folder: DataFolder) -> None:
    """Whole files with true names pass."""
    assert Unreadable().run(folder.survey()).status == "passed"


def test_fires(folder: DataFolder) -> None:
    """A torn file and a lying extension are named with their reason."""
    (folder.root / "a" / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    (folder.root / "a" / "0x.png").rename(folder.root / "a" / "0x.jpg")
    finding = Unreadable().run(folder.survey())
    assert (finding.status, finding.count) == ("found", 2)
    assert ("a/0x.jpg", "content is PNG") in finding.evidence
    assert finding.evidence[0][0] == "a/torn.jpg"
