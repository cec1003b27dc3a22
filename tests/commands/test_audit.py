"""Audit and split on the real sets, against what other tools measured."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import tumorscope
from tests.conftest import TINY, Command
from tumorscope.schema.audit import Audit
from tumorscope.schema.results import Results
from tumorscope.support.files import read_csv

MISLABELLED = {
    "Testing/pituitary_tumor/image.jpg",
    *(f"Testing/pituitary_tumor/image({n}).jpg" for n in (73, 76, 77, 78, 79, 81, 82, 85, 86)),
    *(f"Training/pituitary_tumor/p ({n}).jpg" for n in (138, 564, 569, 570)),
}


def test_known_truth_of_sartaj(real_data: Path, tmp_path: Path) -> None:
    """Leaks, look-up, lineage and mislabelled files are what they are known to be."""
    audit = tumorscope.audit(data=real_data / "sartaj", out=tmp_path / "audit").numbers
    assert audit.images.readable == 3264
    assert audit.leaks.byte_identical == 88
    assert audit.leaks.pixel_identical == 251
    assert audit.leaks.near_identical is not None
    assert audit.leaks.near_identical >= 259
    assert audit.controls.thumbnail_lookup.published == pytest.approx(0.766, abs=0.015)
    assert audit.lineage.matched >= 2300
    assert set(audit.lineage.label_disagreements) == MISLABELLED
    copies = next(f for f in audit.findings if f.code == "TS002")
    assert "same pixels" in copies.sentence
    page = (tmp_path / "audit" / "audit.html").read_text(encoding="utf-8")
    assert "265 of 394" in page or str(audit.leaks.any) in page
    assert "<script" not in page
    assert 'src="http' not in page


def test_known_truth_of_cheng(real_data: Path, tmp_path: Path) -> None:
    """The look-up scores what it is known to, at random and on the five patient folds."""
    audit = tumorscope.audit(data=real_data / "cheng", out=tmp_path / "audit").numbers
    look_up = audit.controls.thumbnail_lookup
    assert look_up.random == pytest.approx(0.936, abs=0.015)
    known = {1: 0.714, 2: 0.669, 3: 0.720, 4: 0.720, 5: 0.678}
    for fold, score in known.items():
        assert look_up.folds[fold] == pytest.approx(score, abs=0.015)
    assert audit.leaks.same_patient == 0
    assert audit.leaks.near_identical == 0
    assert audit.lineage.matched == 3064


def test_known_truth_of_yesno(real_data: Path, tmp_path: Path) -> None:
    """25 surplus exact copies in 22 groups; no slice of the known set."""
    audit = tumorscope.audit(data=real_data / "yesno", out=tmp_path / "audit").numbers
    copies = next(f for f in audit.findings if f.code == "TS002")
    assert copies.count == 25
    assert "22 groups" in copies.sentence
    assert audit.lineage.matched == 0
    assert audit.leaks.byte_identical is None


def test_audit_from_the_command_line(command: Command, real_data: Path, tmp_path: Path) -> None:
    """Sentences for people, JSON for scripts, a code for CI; the second time from the cache."""
    run = command("audit", real_data / "yesno", "--fail-on", "warning")
    assert run.returncode == 1
    assert "TS002 warning: Exact copies" in run.stdout
    again = command("audit", real_data / "yesno", "--json", "--fail-on", "error")
    assert "checking" not in again.stderr
    shown = Audit.model_validate_json(again.stdout)
    assert again.returncode == (1 if shown.worst() == "error" else 0)
    kept = json.loads((tmp_path / "audits" / "yesno" / "audit.json").read_text())
    assert kept["images"] == {
        "readable": 253,
        "unreadable": 0,
        "sizes": 184,
        "smallest": [150, 198],
        "largest": [1920, 1080],
        "kinds": {"one channel": 30, "three equal channels": 210, "colour": 13},
    }
    assert command("audit", real_data / "yesno", "--fail-on", "never").returncode == 2
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    refused = command("audit", real_data / "yesno", "--out", "mine")
    assert refused.returncode == 2
    assert "is not an audit" in refused.stderr


def test_split_then_train(command: Command, phantoms: Path, tmp_path: Path) -> None:
    """A partition is written with its provenance, honoured by training, and checked."""
    run = command("split", phantoms, "--out", "p.csv", "--seed", "3")
    assert run.returncode == 0, run.stderr
    assert "16 groups, none divided" in run.stdout
    rows = read_csv(tmp_path / "p.csv")
    assert list(rows[0]) == ["image", "label", "group", "patient_id", "part"]
    made = json.loads((tmp_path / "p.json").read_text())
    assert made["settings"]["seed"] == 3
    trained = command("train", phantoms, *TINY, "--partition", "p.csv", "--out", "run")
    assert trained.returncode == 0, trained.stderr
    used = {row["image"]: row["part"] for row in read_csv(tmp_path / "run" / "partition.csv")}
    assert used == {row["image"]: row["part"] for row in rows}
    text = (tmp_path / "p.csv").read_text()
    (tmp_path / "p.csv").write_text(text.replace(",train", ",test", 1))
    changed = command("train", phantoms, *TINY, "--partition", "p.csv", "--out", "other")
    assert changed.returncode == 2
    assert "was changed since it was made" in changed.stderr


def test_a_partition_of_other_data_is_refused(
    command: Command, phantoms: Path, real_data: Path
) -> None:
    """Training on a partition that does not fit is no training."""
    assert command("split", phantoms, "--out", "p.csv").returncode == 0
    run = command("train", real_data / "yesno", *TINY, "--partition", "p.csv")
    assert run.returncode == 2
    assert "made for other data" in run.stderr


def test_folds(command: Command, phantoms: Path, tmp_path: Path) -> None:
    """A fold of a partition, or of a manifest, is the test part."""
    assert command("split", phantoms, "--folds", "4", "--out", "f.csv").returncode == 0
    rows = read_csv(tmp_path / "f.csv")
    assert {row["fold"] for row in rows} == {"1", "2", "3", "4"}
    unnamed = command("train", phantoms, *TINY, "--partition", "f.csv")
    assert unnamed.returncode == 2
    assert "--test-fold" in unnamed.stderr
    run = command(
        "train", phantoms, *TINY, "--partition", "f.csv", "--test-fold", "2", "--out", "r"
    )
    assert run.returncode == 0, run.stderr
    tested = {r["image"] for r in read_csv(tmp_path / "r" / "partition.csv") if r["part"] == "test"}
    assert tested == {row["image"] for row in rows if row["fold"] == "2"}


def test_three_ways_with_a_published_split(
    command: Command, real_data: Path, tmp_path: Path
) -> None:
    """Redrawn by default; kept clean; or as published, with its leaks counted in every output."""
    data = tmp_path / "small"
    for part, step in (("Training", 40), ("Testing", 6)):
        for folder in sorted((real_data / "sartaj" / part).iterdir()):
            own = data / part / folder.name
            shutil.copytree(
                folder, own, ignore=lambda _, names, n=step: set(names) - set(sorted(names)[::n])
            )
    for path in sorted(data.glob("Training/*/*"))[::9]:  # such sets leak
        shutil.copy(path, data / "Testing" / path.parent.name / f"copy of {path.name}")
    for options, leaks in (([], False), (["--keep-test"], False), (["--published-split"], True)):
        run = command("train", data, *TINY, *options, "--out", "run", "--overwrite")
        assert run.returncode == 0, run.stderr
        results = json.loads((tmp_path / "run" / "results.json").read_text())
        assert (results["leaks"] > 0) == leaks
        page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
        assert ("test images are not new to the model" in page) == leaks
        assert ("test images are not new to the model" in " ".join(run.stdout.split())) == leaks
        classes = "class precision recall F1 specificity AUROC images"
        assert " ".join(run.stdout.split()).count(classes) == 1 + (results["clean"] is not None)
        judged = Results.model_validate_json(json.dumps(results)).judged
        mistakes = sum(pair["images"] for pair in results["confused"])
        assert mistakes == judged.n - np.trace(np.array(judged.confusion))
        if not options:
            assert "images moved from their published part" in run.stderr
    both = command("train", data, *TINY, "--keep-test", "--published-split")
    assert both.returncode == 2
    assert "exclude each other" in both.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--folds", "1"], "ask for two or more"),
        (["--folds", "40"], "ask for fewer folds"),
        (["--out", "p.txt"], "does not end in .csv"),
        (["--keep-test"], "A split is published for 0 of 48"),
        (["--val", "0.6", "--test", "0.6"], "leave nothing to train on"),
    ],
)
def test_split_refuses_in_a_sentence(
    command: Command, phantoms: Path, arguments: list[str], words: str
) -> None:
    """What cannot be divided is said in words."""
    run = command("split", phantoms, *arguments)
    assert run.returncode == 2
    assert words in " ".join(run.stderr.split())
    assert "Traceback" not in run.stderr


def test_two_images_are_audited(tmp_path: Path) -> None:
    """The smallest set there is has an audit too."""
    from tests.checks.conftest import DataFolder  # noqa: PLC0415

    folder = DataFolder(tmp_path / "two")
    folder.add("a", "1.png", 1)
    folder.add("b", "2.png", 2)
    audit = tumorscope.audit(data=folder.root, out=tmp_path / "audit").numbers
    assert audit.images.readable == 2
    assert audit.controls.thumbnail_lookup.leak_free is None
