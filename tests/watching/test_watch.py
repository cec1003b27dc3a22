"""A model in use: bounds that may be looked at often, falls, drift, and the verb itself."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from experiments.watching import patients, simulated
from PIL import Image

import tumorscope
from tests.conftest import Command
from tumorscope.schema.watch import Watched
from tumorscope.watching.drift import find_drift
from tumorscope.watching.sequential import (
    confidence_sequence,
    drop_evidence,
    first_passing,
    gain_evidence,
    needed,
)


@pytest.mark.parametrize("accuracy", [0.6, 0.9, 0.97])
def test_bounds_and_alarms_fail_as_seldom_as_they_say(accuracy: float) -> None:
    """Over years of 365 patients: at most 5 % false alarms, and bounds that hold throughout."""
    draw, alarms, missed = np.random.default_rng(3), 0, 0
    for _ in range(60):
        values = patients(draw, 365, accuracy)
        alarms += first_passing(drop_evidence(values, accuracy, 2000)) is not None
        low, high = confidence_sequence(values)
        missed += bool((low > accuracy).any() or (high < accuracy).any())
        assert (low <= high).all()
    assert alarms <= 6  # 5 % of 60 are 3
    assert missed <= 6


def test_a_fall_is_told_and_so_is_a_gain() -> None:
    """Within three times what the best test could do; and nothing of a model that guesses."""
    draw = np.random.default_rng(4)
    values = np.concatenate([patients(draw, 100, 0.9), patients(draw, 900, 0.75)])
    found = first_passing(drop_evidence(values, 0.9, 2000))
    assert found is not None
    assert 100 < found < 100 + 4 * needed(0.9, 0.75)
    assert first_passing(gain_evidence(values, 0.5)) is not None
    assert first_passing(gain_evidence(patients(draw, 365, 0.5), 0.5)) is None


def test_drift_is_told_once_it_is_there() -> None:
    """A shifted embedding is named after it began; without a shift there is no alarm."""
    draw = np.random.default_rng(5)
    assert not [own for own in find_drift(simulated(draw, "none", 0)) if own.alarming]
    alarms = [own for own in find_drift(simulated(draw, "embedding", 1.0)) if own.alarming]
    assert alarms
    assert min(own.look for own in alarms) >= 6
    assert all(own.what.startswith("embedding") for own in alarms)


def test_the_verb_says_what_it_is_worth(
    command: Command, tiny_run: tumorscope.Run, phantoms: Path, tmp_path: Path
) -> None:
    """Answers of predict, truth from a table by patient, a page, exit codes, mistakes."""
    done = command("predict", tiny_run.folder, phantoms.parent / "images", "--log", "log")
    assert done.returncode == 0, done.stderr
    with phantoms.open(newline="") as file:
        rows = list(csv.DictReader(file))
    truth = tmp_path / "truth.csv"
    with truth.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("image", "label", "patient"))
        writer.writerows((Path(r["image"]).name, r["label"], r["patient_id"]) for r in rows)
    words = ("watch", "log", "--truth", "truth.csv", "--patient", "patient", "--expect", "0.99")
    done = command(*words, "--json", "--page", "watch.html", "--fail-on", "drop")
    watched = Watched.model_validate_json(done.stdout)
    assert done.returncode == (1 if watched.fell else 0)
    assert watched.cases == len(rows)
    assert watched.patients <= 16
    predictor = tumorscope.Predictor.load(tiny_run.folder)
    told = [predictor(phantoms.parent / row["image"]) for row in rows]
    accepted = [(own, row) for own, row in zip(told, rows, strict=True) if own.accepted]
    right = np.mean([own.label == row["label"] for own, row in accepted])
    assert watched.truths == len(accepted)
    assert watched.accuracy.value == pytest.approx(right)
    assert watched.refused == len(rows) - len(accepted)
    _later_truths_come_later(command, rows, tmp_path)
    _odd_truths_are_told(command, rows, tmp_path)
    page = (tmp_path / "watch.html").read_text(encoding="utf-8")
    assert watched.sentences[0].split(";")[0] in page
    assert "not a medical device" in page
    for wrong, sentence in {
        ("watch", "nolog", "--expect", "0.9"): "There is no log",
        ("watch", "log"): "What accuracy is expected",
        ("watch", "log", "--expect", "2"): "between 0 and 1",
        (*words, "--by", "nosuch"): "no column 'nosuch'",
        (*words, "--page", "truth.csv/page.html"): "another place with --page",
        ("predict", tiny_run.folder, phantoms.parent / "images", "--log", "l", "--out", "a.csv"): (
            "leave out --out"
        ),
    }.items():
        failed = command(*wrong)
        assert failed.returncode == 2
        assert sentence in " ".join(failed.stderr.split()), failed.stderr
    assert not (tmp_path / "nolog").exists()


def _odd_truths_are_told(command: Command, rows: list[dict[str, str]], folder: Path) -> None:
    """A class that the model does not have, and a table of other cases."""
    names = [Path(row["image"]).name for row in rows]
    for name, label, said in (
        ("{}", "gliom", "truths are of classes that the model does not have (gliom)"),
        ("other-{}", "glioma", "of a case of this log: the truths begin with 'other-"),
    ):
        lines = ["image,label", *(f"{name.format(own)},{label}" for own in names)]
        (folder / "odd.csv").write_text("\n".join(lines))
        words = ("watch", "log", "--truth", "odd.csv", "--expect", "0.99", "--json")
        assert said in Watched.model_validate_json(command(*words).stdout).sentences[0]


def _later_truths_come_later(command: Command, rows: list[dict[str, str]], folder: Path) -> None:
    """Accuracy is followed in the order in which truths became known, not that of the cases."""
    days = [f"2026-0{1 + n % 9}-01" for n in range(len(rows))]
    with (folder / "dated.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("image", "label", "since"))
        writer.writerows(
            (Path(r["image"]).name, r["label"], day) for r, day in zip(rows, days, strict=True)
        )
    words = ("watch", "log", "--truth", "dated.csv", "--expect", "0.99")
    dated = Watched.model_validate_json(command(*words, "--known", "since", "--json").stdout)
    found = [own.when.date().isoformat() for own in dated.moments]
    assert found == sorted(found)
    assert len(set(found)) > 5
    plain = Watched.model_validate_json(command(*words, "--json").stdout)
    assert plain.accuracy == dated.accuracy
    for wrong, sentence in (("nosuch", "no column 'nosuch'"), ("label", "where a date such as")):
        failed = command(*words, "--known", wrong)
        assert (failed.returncode, sentence in " ".join(failed.stderr.split())) == (2, True)


def test_series_are_kept_too(command: Command, tiny_run: tumorscope.Run, tmp_path: Path) -> None:
    """A volume and an image beside it are two cases; one that cannot be read is a third."""
    import nibabel  # noqa: PLC0415 (slow to import)

    volume = np.random.default_rng(0).integers(0, 900, (20, 24, 3), np.int16)
    (tmp_path / "in").mkdir()
    nibabel.save(nibabel.Nifti1Image(volume, np.diag([1, 1, 5, 1])), tmp_path / "in" / "v.nii.gz")
    Image.fromarray(np.full((8, 8), 7, np.uint8)).save(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.png").write_bytes(b"no image")
    done = command("predict", tiny_run.folder, "in", "--log", "log", "--json")
    assert done.returncode == 1
    assert len([json.loads(line) for line in done.stdout.splitlines()]) == 3
    done = command("watch", "log", "--expect", "0.9", "--json")
    watched = Watched.model_validate_json(done.stdout)
    assert (watched.cases, watched.failed, watched.truths) == (3, 1, 0)
    assert watched.sentences[0].startswith("No truth is known")
    for name, found in (("v", True), ("v.nii.gz", True), ("w.nii.gz", False)):
        (tmp_path / "told.csv").write_text(f"image,label\n{name},glioma\n")
        done = command("watch", "log", "--expect", "0.9", "--truth", "told.csv", "--json")
        said = Watched.model_validate_json(done.stdout).sentences
        assert said[0].startswith("No truth of the table") != found, said
