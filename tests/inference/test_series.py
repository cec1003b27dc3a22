"""Series of a scanner: each slice as by itself, one answer by the stated rule, nothing unsaid."""

import json
import re
from pathlib import Path

import nibabel
import numpy as np
import pytest

import tumorscope
from tests.conftest import Command
from tests.scans import SECRETS, made, write_series, written
from tumorscope.data.phantom import Head
from tumorscope.inference.predict import Predictor
from tumorscope.inference.series import holds_series, predict_series
from tumorscope.metrics.series import COUNTS, FEWEST, fit_count, series_chances


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A series, what is no slice of a head, and what is damaged."""
    root = tmp_path_factory.mktemp("study")
    write_series(root / "t1", "glioma", 1)
    pixels = np.asarray(Head("glioma", 1).slice(5).pixels, np.uint16)
    (root / "scout").write_bytes(written(made(pixels, ImageType=["ORIGINAL", "LOCALIZER"])))
    (root / "ct.dcm").write_bytes(written(made(pixels, Modality="CT")))
    (root / "cut.dcm").write_bytes(written(made(pixels))[:150])
    return root


@pytest.fixture(scope="module")
def predictor(tiny_run: tumorscope.Run) -> Predictor:
    """The model of a small training."""
    return Predictor.load(tiny_run.folder)


def test_a_series_is_answered_by_its_most_suspicious_slices(
    predictor: Predictor, study: Path
) -> None:
    """Slices come along the normal and are answered as by themselves; the rule is the card's."""
    (answer,) = predict_series(predictor, study / "t1")
    assert answer.positions == tuple(5.0 * n for n in range(12))
    assert (answer.plane, len(answer.slices)) == ("axial", 12)
    for own in answer.slices:
        np.testing.assert_allclose(
            list(own.probabilities.values()),
            list(predictor(Path(own.input)).probabilities.values()),
            atol=1e-6,
        )
    usable = [n for n, own in enumerate(answer.slices) if own.accepted]
    healthy = predictor.card.classes[predictor.card.healthy or 0]
    assert predictor.card.healthy is not None
    most = max(usable, key=lambda n: 1 - answer.slices[n].probabilities[healthy])
    assert answer.deciding == (most,)
    assert answer.probabilities == pytest.approx(answer.slices[most].probabilities)
    assert answer.label == max(answer.probabilities, key=lambda name: answer.probabilities[name])


def test_the_command_answers_refuses_and_draws(
    tiny_run: tumorscope.Run, study: Path, tmp_path: Path, command: Command
) -> None:
    """A line a series; refused by header, damaged and answered are told apart, on the page too."""
    done = command("predict", tiny_run.folder, study, "--page", "page.html", "--format", "jsonl")
    assert done.returncode == 1  # one file is damaged
    answers = {Path(line["input"]).name: line for line in map(json.loads, done.stdout.splitlines())}
    assert set(answers) == {"t1", "scout", "ct.dcm", "cut.dcm"}
    assert answers["scout"]["reason"] == "a scout (localizer)"
    assert answers["ct.dcm"]["reason"] == "CT, not MR"
    assert answers["cut.dcm"]["error"]
    assert len(answers["t1"]["slices"]) == 12
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("data:image/png") == 12
    assert "CT, not MR" in page
    assert "<polyline" in page
    assert not [secret for secret in SECRETS if secret in page + done.stdout + done.stderr]
    table = command("predict", tiny_run.folder, study / "t1", "--out", "answers.csv")
    assert table.returncode == 0, table.stderr
    assert len((tmp_path / "answers.csv").read_text(encoding="utf-8").splitlines()) == 2
    wrong = command("predict", tiny_run.folder, tiny_run.folder / "report.html", "--page", "x.html")
    assert wrong.returncode == 2
    assert "there are none" in wrong.stderr


def test_one_series_in_two_folders_is_answered_twice(
    tiny_run: tumorscope.Run, tmp_path: Path, command: Command
) -> None:
    """Each half has its answer, its pictures and its report; a single file is treated alike."""
    write_series(tmp_path / "all", "glioma", 1)
    for number, path in enumerate(sorted((tmp_path / "all").iterdir())):
        (tmp_path / "halves" / str(number % 2)).mkdir(parents=True, exist_ok=True)
        path.rename(tmp_path / "halves" / str(number % 2) / path.name)
    done = command("predict", tiny_run.folder, "halves", "--page", "x.html", "--dicom", "out")
    assert done.returncode == 0, done.stderr
    answered = len(done.stdout.splitlines()) - 1
    assert answered == 2
    assert len(list((tmp_path / "out").iterdir())) == 2 * 2
    page = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert len(set(re.findall(r"data:image/png;base64,[^\"]+", page))) == 12
    one = next((tmp_path / "halves" / "0").iterdir())
    assert command("predict", tiny_run.folder, one).returncode == 0
    assert command("predict", tiny_run.folder, one, "--page", "x.txt").returncode == 2


def test_a_volume_is_a_series(predictor: Predictor, tmp_path: Path) -> None:
    """NIfTI: every slice is answered, and of several volumes the first, said aloud."""
    levels = np.stack([np.asarray(Head("glioma", 1).slice(n).pixels).T for n in range(12)], axis=2)
    both = np.stack([levels, levels], axis=3).astype(np.int16)
    nibabel.Nifti1Image(both, np.diag([1, 1, 5, 1])).to_filename(tmp_path / "x.nii.gz")
    assert holds_series(tmp_path / "x.nii.gz")
    (answer,) = predict_series(predictor, tmp_path / "x.nii.gz")
    assert (answer.series, len(answer.slices)) == ("x", 12)
    assert answer.note == "the first of 2 volumes"


def test_how_many_slices_decide_is_learned() -> None:
    """Where single slices cry wolf, several are averaged; few series teach nothing."""
    draw = np.random.default_rng(0)
    truth = np.arange(40) % 2  # 1 has a tumour on five of its slices
    series = []
    for label in truth:
        tumour = np.full(20, 0.05)
        tumour[:5] = 0.9 if label else 0.05
        tumour[draw.integers(5, 20)] = 0.98  # a false alarm in each
        series.append(np.stack([1 - tumour, tumour], axis=1))
    count, note = fit_count(truth, series, 0)
    assert count in COUNTS[2:5]
    assert "40 validation series" in note
    right = [series_chances(own, 0, count).argmax() for own in series]
    assert np.array_equal(right, truth)
    assert fit_count(truth[: FEWEST - 1], series[: FEWEST - 1], 0)[0] == 1
