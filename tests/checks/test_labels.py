"""TS005."""

import shutil
from pathlib import Path

from tests.checks.conftest import DataFolder
from tumorscope.checks.labels import LabelConflicts


def test_silent(folder: DataFolder) -> None:
    """No image under two labels."""
    assert LabelConflicts().run(folder.survey()).status == "passed"


def test_one_image_under_two_labels(folder: DataFolder) -> None:
    """Both files are listed with both labels."""
    shutil.copy(folder.root / "a" / "0x.png", folder.root / "b" / "twin.png")
    finding = LabelConflicts().run(folder.survey())
    assert [row[0] for row in finding.evidence] == ["a/0x.png", "b/twin.png"]
    assert all(row[2] == "one image under a, b" for row in finding.evidence)


def test_boxes_and_label_files(tmp_path: Path) -> None:
    """Another class, the whole image, an empty file, a missing one and one alone."""
    folder = DataFolder(tmp_path / "boxed")
    for number in range(6):
        for label, class_id in (("a", 0), ("b", 1)):
            folder.add(f"{label}/images", f"{number}.png", 10 * class_id + 10 + number)
            text = f"{class_id} 0.5 0.5 0.2 0.2\n"
            place = folder.root / label / "labels" / f"{number}.txt"
            place.parent.mkdir(exist_ok=True)
            place.write_text(text)
    labels = folder.root / "a" / "labels"
    (labels / "0.txt").write_text("1 0.5 0.5 0.2 0.2\n")
    (labels / "1.txt").write_text("0 0.5 0.5 1 1\n")
    (labels / "2.txt").write_text("")
    (labels / "3.txt").unlink()
    (labels / "lone.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    finding = LabelConflicts().run(folder.survey())
    assert "in doubt, 1 without a label file and 1 with an empty one." in finding.sentence
    evidence = {row[0]: row[2] for row in finding.evidence}
    assert evidence == {
        "a/images/0.png": "box of class 1, the folder's is 0",
        "a/images/1.png": "box around the whole image",
        "a/images/2.png": "empty label file",
        "a/images/3.png": "no label file",
        "a/labels/lone.txt": "label file alone",
    }
