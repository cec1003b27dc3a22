"""TS004."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.checks.conftest import DataFolder
from tumorscope.checks.leaks import LeakCheck
from tumorscope.data.layouts import read_manifest
from tumorscope.data.phantom import write_phantoms
from tumorscope.data.store import MIDDLE, open_store
from tumorscope.grouping.leaks import find_leaks
from tumorscope.grouping.survey import Survey


def test_not_applicable_without_parts(folder: DataFolder) -> None:
    """Where nothing is divided nothing leaks, which is not the same as passed."""
    assert LeakCheck().run(folder.survey()).status == "not applicable"


def test_silent(published: DataFolder) -> None:
    """Other patients on the other side."""
    assert LeakCheck().run(published.survey()).status == "passed"


def test_fires_by_kind(published: DataFolder) -> None:
    """Each kind is counted on the test side, and contains the one before."""
    training, testing = published.root / "Training" / "a", published.root / "Testing" / "a"
    shutil.copy(training / "0x.png", testing / "bytes.png")
    image = Image.open(training / "1x.png")
    image.save(testing / "pixels.bmp")
    image.resize((100, 100)).save(testing / "near.png")
    survey = published.survey()
    leaks = find_leaks(survey)
    assert leaks is not None
    counts = [
        int(mask.sum())
        for mask in (leaks.byte_identical, leaks.pixel_identical, leaks.near_identical)
    ]
    assert counts == [1, 2, 3]
    finding = LeakCheck().run(survey)
    assert finding.count == 3
    assert "(a 3)" in finding.sentence


@pytest.mark.parametrize("column", ["split", "fold"])
def test_one_patient_on_both_sides(tmp_path: Path, column: str) -> None:
    """Patients that are divided by a split, or by folds, are counted."""
    table = write_phantoms(tmp_path, patients=3, slices=2)
    header, *lines = table.read_text().splitlines()
    sides = {"split": ("train", "test"), "fold": ("1", "2")}[column]
    lines = [f"{line},{sides[n % 2]}" for n, line in enumerate(lines)]
    table.write_text("\n".join([f"{header},{column}", *lines]))
    leaks = find_leaks(Survey(open_store(read_manifest(table), MIDDLE), tables=[]))
    assert leaks is not None
    assert leaks.same_patient.sum() == leaks.tested.sum() == (12 if column == "split" else 24)
