"""TS002 and TS003."""

import shutil

from PIL import Image

from tests.checks.conftest import DataFolder
from tumorscope.checks.copies import ExactCopies, NearCopies


def test_silent(folder: DataFolder) -> None:
    """Different patients are no copies."""
    survey = folder.survey()
    assert ExactCopies().run(survey).status == "passed"
    assert NearCopies().run(survey).status == "passed"


def test_exact_copies_fire(folder: DataFolder) -> None:
    """The same bytes, and the same pixels under other bytes."""
    source = folder.root / "a" / "0x.png"
    shutil.copy(source, folder.root / "a" / "again.png")
    folder.put("a", "encoded.bmp", Image.open(source))
    finding = ExactCopies().run(folder.survey())
    assert finding.count == 2
    assert "1 of them with the same bytes" in finding.sentence
    assert finding.evidence == (("a/0x.png", "a/again.png, a/encoded.bmp"),)


def test_near_copies_fire(folder: DataFolder) -> None:
    """A smaller, mirrored copy is found, and how it was made is said."""
    image = Image.open(folder.root / "a" / "0x.png").resize((120, 120))
    folder.put("a", "mirrored.png", image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    finding = NearCopies().run(folder.survey())
    assert finding.count == 2
    assert finding.evidence[0][:2] == ("a/0x.png", "a/mirrored.png")
    assert finding.evidence[0][3] == "mirrored left-right"
