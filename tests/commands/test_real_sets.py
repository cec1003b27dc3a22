"""The main job on the real sets, small and for one epoch."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import Command
from tumorscope.schema.results import Results
from tumorscope.support.files import read_csv

QUICK = ("backbone=cnn", "pretrained=false", "image_size=32", "epochs=1", "--quiet")


@pytest.mark.parametrize(
    ("data", "classes", "tested", "method"),
    [
        ("yesno", 2, None, "drawn"),
        ("boxes", 4, None, "drawn"),
        ("cheng/slices.csv", 3, None, "drawn"),
        ("sartaj", 4, 394, "published, validation drawn"),
    ],
)
def test_train_from_the_command_line(
    command: Command,
    real_data: Path,
    tmp_path: Path,
    data: str,
    classes: int,
    tested: int | None,
    method: str,
) -> None:
    """Each layout goes from its folder to a report, and nothing is written beside the data."""
    before = sorted(real_data.iterdir())
    how = ["--published-split"] if method.startswith("published") else []
    run = command("train", real_data / data, *QUICK, *how, "--out", "run")
    assert run.returncode == 0, run.stderr
    results = Results.model_validate_json((tmp_path / "run" / "results.json").read_bytes())
    assert len(results.classes) == classes
    assert results.split.method == method
    assert tested is None or results.images.test == tested
    assert results.images.left_out == 0
    assert (results.leaks > 0) == bool(how)
    assert (tmp_path / "run" / "report.html").stat().st_size > 100_000
    assert sorted(real_data.iterdir()) == before
    if data.startswith("cheng"):
        patients: dict[str, set[str]] = {}
        for row in read_csv(tmp_path / "run" / "partition.csv"):
            patients.setdefault(row["patient_id"], set()).add(row["part"])
        assert all(len(parts) == 1 for parts in patients.values())


def test_bad_files_among_real_ones_are_listed(
    command: Command, real_data: Path, tmp_path: Path
) -> None:
    """A real set with files spoilt on purpose trains, and the report lists each of them."""
    data = tmp_path / "yesno"
    shutil.copytree(real_data / "yesno", data)
    whole = sorted((data / "yes").iterdir())
    whole[0].write_bytes(whole[0].read_bytes()[:2000])
    whole[1].write_bytes(b"")
    (data / "no" / "readme.txt").write_text("no picture")
    (data / "no" / ".DS_Store").write_bytes(b"x")
    run = command("train", data, *QUICK[:-1], "--out", "run")
    assert run.returncode == 0, run.stderr
    listed = {row["image"]: row["reason"] for row in read_csv(tmp_path / "run" / "left_out.csv")}
    assert len(listed) == 2
    assert listed[f"yes/{whole[1].name}"] == "empty file"
    assert "other files: 1 .txt, 1 system" in run.stderr
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "2 files were left out" in page
    assert "Other files: 1 .txt, 1 system." in page
    assert (
        Results.model_validate_json(
            (tmp_path / "run" / "results.json").read_bytes()
        ).images.left_out
        == 2
    )
