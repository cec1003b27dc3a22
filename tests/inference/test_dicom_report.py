"""Answers as DICOM: valid, in the study of the images, the same for the same answer."""

import shutil
import subprocess
from pathlib import Path

import pydicom
import pytest

import tumorscope
from tests.conftest import Command
from tests.scans import write_series
from tumorscope.inference.predict import Predictor


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A series whose header has values that the standard does not allow."""
    root = tmp_path_factory.mktemp("series")
    write_series(root / "t1", "meningioma", 4, PatientAge="42", PatientSex="U", StudyDate="1970")
    return root / "t1"


def answered(run: tumorscope.Run, series: Path, folder: Path, command: Command) -> list[Path]:
    """Answer a series and return its report and its picture."""
    done = command("predict", run.folder, series, "--dicom", folder)
    assert done.returncode == 0, done.stderr
    assert "Muster" not in done.stdout + done.stderr
    return [next(folder.glob(f"*-{kind}.dcm")) for kind in ("report", "picture")]


def test_a_report_says_what_was_answered(
    tiny_run: tumorscope.Run, series: Path, tmp_path: Path, command: Command
) -> None:
    """Read by pydicom alone: class, probability and set; study and patient are the images'."""
    paths = answered(tiny_run, series, tmp_path / "out", command)
    report, picture = (pydicom.dcmread(path) for path in paths)
    image = pydicom.dcmread(next(series.iterdir()))
    for own in (report, picture):
        assert own.StudyInstanceUID == image.StudyInstanceUID
        assert own.PatientID == image.PatientID
        assert own.SeriesInstanceUID != image.SeriesInstanceUID
    answer = next(tumorscope.predict_series(Predictor.load(tiny_run.folder), series))
    (measurements,) = [i for i in report.ContentSequence if name(i) == "Imaging Measurements"]
    (group,) = measurements.ContentSequence
    said = {name(item): item for item in group.ContentSequence}
    probability = said["Probability"].MeasuredValueSequence[0].NumericValue
    assert float(probability) == pytest.approx(answer.probabilities[answer.label], abs=1e-5)
    members = [item for item in group.ContentSequence if "Member" in name(item)]
    assert len(members) == len(answer.set or ())
    sources = [item for item in group.ContentSequence if item.ValueType == "IMAGE"]
    assert len(sources) == 12
    assert picture.pixel_array.shape == (688, 640, 3)
    again = answered(tiny_run, series, tmp_path / "again", command)
    assert pydicom.dcmread(again[0]).SOPInstanceUID == report.SOPInstanceUID


def name(item: pydicom.Dataset) -> str:
    """Return what an item of a report is called."""
    return str(item.ConceptNameCodeSequence[0].CodeMeaning)


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="Debian's dicom3tools is missing")
def test_reports_are_valid(
    tiny_run: tumorscope.Run, series: Path, tmp_path: Path, command: Command
) -> None:
    """By a validator of the standard, and a reader of reports that is not ours."""
    paths = answered(tiny_run, series, tmp_path / "out", command)
    for path in paths:
        said = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
        assert "Error" not in said.stderr, said.stderr
    tree = subprocess.run(["dsrdump", paths[0]], capture_output=True, text=True, check=False)
    assert tree.stdout.count("Source of Measurement") == 12
    assert '"Probability"' in tree.stdout
