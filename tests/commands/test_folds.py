"""Cross-validation and the review of labels, on phantoms of which some are mislabelled."""

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tumorscope
from tests.conftest import TINY, Command
from tests.report.test_report import assert_drawn
from tumorscope.data.phantom import write_phantoms
from tumorscope.errors import DataError, Interrupted, UsageError
from tumorscope.support.files import read_csv, write_csv

WRONG = 2  # patients of meningioma that are filed as no tumour


@pytest.fixture(scope="module")
def mislabelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Phantoms of tumour and no tumour; two patients with a tumour are filed as without."""
    manifest = write_phantoms(tmp_path_factory.mktemp("wrong"), patients=8, slices=3)
    rows = [r for r in read_csv(manifest) if r["label"] in ("meningioma", "no_tumor")]
    patients = sorted({r["patient_id"] for r in rows if r["label"] == "meningioma"})
    table = [
        (r["image"], "no_tumor" if r["patient_id"] in patients[:WRONG] else r["label"], r["plane"])
        for r in rows
    ]
    write_csv(manifest, ("image", "label", "plane"), table)
    return manifest


@pytest.fixture(scope="module")
def folds(mislabelled: Path, tmp_path_factory: pytest.TempPathFactory) -> tumorscope.Folds:
    """A cross-validation on three folds."""
    return tumorscope.train_folds(
        folds=3,
        data=mislabelled,
        overrides=[*TINY, "epochs=4"],
        figures=["svg"],
        out=tmp_path_factory.mktemp("folds") / "made",
        device="cpu",
    )


def test_every_image_is_tested_once(folds: tumorscope.Folds, mislabelled: Path) -> None:
    """By the model that did not train on its fold; pooled scores are those of all rows."""
    rows = read_csv(folds.folder / "predictions.csv")
    assert [row["image"] for row in rows] == [row["image"] for row in read_csv(mislabelled)]
    for number, run in enumerate(folds.runs, 1):
        tested = {r["image"] for r in read_csv(run.folder / "predictions.csv")}
        assert tested == {row["image"] for row in rows if row["fold"] == str(number)}
        assert folds.summary.folds[number] == run.results.all.accuracy
    right = np.mean([row["truth"] == row["predicted"] for row in rows])
    assert folds.summary.pooled.accuracy.value == pytest.approx(right)
    assert folds.summary.pooled.n == len(rows) == 48
    assert folds.summary.leaks == 0
    written = json.loads((folds.folder / "folds.json").read_text())
    assert written["pooled"]["controls"]["look_up"]["n"] == 48
    assert json.loads((folds.folder / "results.json").read_text())["all"] == written["pooled"]


def test_a_cross_validation_has_a_report_as_a_run_has(folds: tumorscope.Folds) -> None:
    """Pooled scores with curves, controls and mistakes; each fold; nothing of a single run."""
    page = " ".join((folds.folder / "report.html").read_text(encoding="utf-8").split())
    assert "3 folds were tested one after the other. Each of the 48 images" in page
    for heading in ("Against the controls", "Thresholds", "Classes", "Where it fails", "Folds"):
        assert f"<h2>{heading}</h2>" in page, heading
    assert "<td>fold-3</td>" in page
    assert "<h2>Training</h2>" not in page
    for name in ("folds", "confusion", "thresholds", "reliability"):
        with Image.open(folds.folder / "figures" / f"{name}.png") as image:
            assert min(image.size) > 300
    for folder in (folds.folder, folds.runs[2].folder):
        assert_drawn(folder, ("png", "svg"))


def test_cross_validations_are_compared_and_one_fold_is_not_the_whole(
    folds: tumorscope.Folds, command: Command, tmp_path: Path
) -> None:
    """Paired with another on the same images; what needs a single model names one."""
    shutil.copytree(folds.folder, tmp_path / "again")
    made = tumorscope.compare([folds.folder, tmp_path / "again"], out=tmp_path / "c.svg")
    (pair,) = made.numbers.pairs
    assert (pair.images, pair.gain, pair.p_value) == (48, 0.0, 1.0)
    one = tumorscope.compare([folds.folder, folds.folder / "fold-2"], out=tmp_path / "d.png")
    assert one.numbers.pairs[0].images == folds.runs[1].results.images.test
    for verb in (["evaluate"], ["export", "--to", "onnx"], ["predict"]):
        wrong = command(verb[0], folds.folder, *verb[1:], *["x.png"] * (verb == ["predict"]))
        assert wrong.returncode == 2, verb
        assert f"such as {folds.folder / 'fold-1'}" in wrong.stderr, wrong.stderr


def test_results_of_a_fold_break_down_by_the_manifest(folds: tumorscope.Folds) -> None:
    """A column called plane is looked at without being asked for."""
    planes = [g.value for g in folds.runs[0].results.subgroups if g.column == "plane"]
    assert planes == ["axial", "coronal", "sagittal"]


def test_ctrl_c_names_the_folder_of_all_folds(
    phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while a model is exported, after training; then every finished fold is kept."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tumorscope.runs.execution.export_bundle", interrupted)
    options: dict[str, Any] = {"data": phantoms, "overrides": [*TINY, "epochs=1"]}
    for train, out in (
        (tumorscope.train, "one"),
        (partial(tumorscope.train_folds, folds=2), "two"),
    ):
        with pytest.raises(Interrupted, match=f"--out {tmp_path / out} --resume"):
            train(out=tmp_path / out, **options)


def test_what_cannot_be_cross_validated_is_refused(mislabelled: Path, tmp_path: Path) -> None:
    """One fold, options that choose a test part, a partition of another kind."""
    options: dict[str, Any] = {"data": mislabelled, "out": tmp_path / "x"}
    with pytest.raises(UsageError, match="is too few"):
        tumorscope.train_folds(folds=1, **options)
    with pytest.raises(UsageError, match="no figure format 'gif': choose from svg, pdf"):
        tumorscope.train_folds(folds=3, figures=["gif"], **options)
    with pytest.raises(UsageError, match="leave --test-fold out"):
        tumorscope.train_folds(folds=3, test_fold=1, **options)
    tumorscope.split(data=mislabelled, out=tmp_path / "p.csv")
    with pytest.raises(DataError, match="no folds, not 3"):
        tumorscope.train_folds(folds=3, partition=tmp_path / "p.csv", **options)


def test_review_puts_every_image_in_an_order(folds: tumorscope.Folds) -> None:
    """Table and picture hold the same; quality is the margin that cleanlab defines."""
    found = tumorscope.review(run=folds.folder)
    assert found.out_of_fold
    table = read_csv(found.table)
    assert [int(row["rank"]) for row in table] == list(range(1, 49))
    assert [row["image"] for row in table] == [row.image for row in found.rows]
    answers = {row["image"]: row for row in read_csv(folds.folder / "predictions.csv")}
    for row in found.rows:
        own = float(answers[row.image][f"probability_{row.label}"])
        assert row.quality == pytest.approx((2 * own - 1 + 1) / 2, abs=1e-5)  # of two classes
        assert row.suggested == answers[row.image]["predicted"]
    assert [r.quality for r in found.rows] == sorted(r.quality for r in found.rows)
    with Image.open(found.sheet) as image:
        assert min(image.size) > 600


def test_review_at_the_command_line(
    folds: tumorscope.Folds, tiny_run: tumorscope.Run, command: Command, tmp_path: Path
) -> None:
    """The first labels as a table, all as JSON; one training judges its test part only."""
    shown = command("review", folds.folder, "--quiet")
    assert shown.returncode == 0, shown.stderr
    assert "of 48 labels are disputed" in shown.stdout
    assert len(json.loads(command("review", folds.folder, "--json").stdout)) == 48
    shutil.copytree(tiny_run.folder, tmp_path / "run")
    one = command("review", "run", "--quiet")
    assert "one run's test images" in one.stdout
    refused = command("review", tmp_path / "nothing")
    assert refused.returncode == 2
    assert len(refused.stderr.strip().splitlines()) == 1
