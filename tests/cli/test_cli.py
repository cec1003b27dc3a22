"""The command line as people meet it: quick, plain in a pipe, and never a traceback."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import tumorscope
from tests.conftest import TINY, Command
from tests.training.runs import train_only

Maker = Callable[..., Path]


def refused(run: "subprocess.CompletedProcess[str]", *words: str) -> None:
    """A user's mistake: exit code 2, one sentence with these words, no traceback."""
    assert run.returncode == 2, run.stderr
    assert "Traceback" not in run.stderr
    text = " ".join(run.stderr.split())
    for word in words:
        assert word in text, text


def test_help_imports_next_to_nothing() -> None:
    """Typer and Rich, which print it, and the standard library: so it appears at once."""
    code = (
        "import sys, tumorscope.cli; from typer.testing import CliRunner;"
        "CliRunner().invoke(tumorscope.cli.app, ['--help']);"
        "print(len(sys.modules), *{name.split('.')[0] for name in sys.modules})"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    count, *names = run.stdout.split()
    assert int(count) < 450
    assert {"typer", "rich"} <= set(names)
    assert not {"torch", "numpy", "pydantic", "PIL", "pandas", "yaml"} & set(names)


def test_version(process: Command) -> None:
    """The version is one line."""
    assert process("--version").stdout == f"tumorscope {tumorscope.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], ["nowhere does not exist"]),
        (["data", "imagesize=96"], ["did you mean 'image_size'"]),
        (["data", "--recipe", "resnet81"], ["did you mean 'resnet18'"]),
        (["data", "backbone=resnet1000"], ["timm has no backbone 'resnet1000'"]),
        (["data", "--device", "tpu"], ["no device 'tpu'"]),
        (["data", "--resume"], ["no run runs/data-resnet18", "--out"]),
        (["data", "--out", "data/run"], ["inside the data"]),
        (["data", "--out", "full"], ["is not a tumorscope run", "--out"]),
        (["data", "--out", "full", "--overwrite"], ["is not a tumorscope run"]),
        (["data", "--out", "file/run"], ["cannot be written", "--out"]),
        (["empty"], ["no known layout", "Training/glioma"]),
        (["one"], ["'a'", "at least two classes"]),
        (["single"], ["'b' has 1 "]),
        (["same"], ["name the same class"]),
        (["bad", "--strict"], ["not an image", "--strict"]),
        (["bad"], ["at least two classes"]),
    ],
)
def test_train_refuses_in_a_sentence(
    command: Command, class_folders: Maker, arguments: list[str], words: list[str]
) -> None:
    """Every kind of bad input: one sentence, exit code 2, nothing half-written."""
    top = class_folders("data", a=4, b=4).parent
    class_folders("one", a=9)
    class_folders("single", a=9, b=1)
    class_folders("same", no=9, no_tumor=9)
    (class_folders("bad", a=4, b=0) / "b" / "x.png").write_text("words")
    for name in ("empty", "full"):
        (top / name).mkdir()
    (top / "full" / "thesis.txt").write_text("do not delete")
    (top / "file").write_text("")
    before = sorted(str(p) for p in top.rglob("*"))
    refused(command("train", *arguments, "image_size=16", "epochs=1"), *words)
    assert sorted(str(p) for p in top.rglob("*")) == before


def test_an_existing_run_is_kept_unless_told_otherwise(
    command: Command, class_folders: Maker, tmp_path: Path
) -> None:
    """A second run does not overwrite the first by accident, and can on purpose."""
    data = class_folders("data", a=12, b=12)
    again = ["train", data, *TINY, "--out", "run", "--quiet"]
    train_only(data, tmp_path / "run", TINY)
    kept = (tmp_path / "run" / "metrics.csv").read_bytes()
    refused(command(*again), "--resume to continue it", "--overwrite to replace")
    assert (tmp_path / "run" / "metrics.csv").read_bytes() == kept
    refused(command(*again, "--resume", "--overwrite"), "exclude each other")
    assert command(*again, "--overwrite", "--seed", "5").returncode == 0
    assert (tmp_path / "run" / "metrics.csv").read_bytes() != kept


def test_default_folder_is_numbered(command: Command, class_folders: Maker, tmp_path: Path) -> None:
    """Runs stand side by side, and what was left out is counted on the way."""
    data = class_folders("data", a=12, b=12)
    (data / "a" / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    (tmp_path / "runs" / "data-resnet18-1").mkdir(parents=True)
    run = command("train", data, *TINY, "--json")
    assert run.returncode == 0, run.stderr
    assert "left out: a/torn.jpg" in run.stderr
    assert json.loads(run.stdout)["images"]["left_out"] == 1
    assert (tmp_path / "runs" / "data-resnet18-2" / "report.html").is_file()


def test_debug_shows_where(command: Command) -> None:
    """Who asks for the traceback gets it, sentence and code unchanged."""
    run = command("train", "nowhere", "--debug")
    assert run.returncode == 2
    assert "Traceback" in run.stderr
    assert "nowhere does not exist" in run.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_place_is_refused(
    command: Command, class_folders: Maker, tmp_path: Path
) -> None:
    """A folder without write permission is named."""
    data = class_folders("data", a=4, b=4)
    place = tmp_path / "locked"
    place.mkdir(mode=0o555)
    refused(command("train", data, *TINY, "--out", place / "run"), "cannot be written")


def test_evaluate_repeats_the_results(
    command: Command, class_folders: Maker, tmp_path: Path
) -> None:
    """From the bundle alone the same scores come out; changed data is refused."""
    data = class_folders("data", a=12, b=12)
    assert command("train", data, *TINY, "--out", "run").returncode == 0
    first = (tmp_path / "run" / "results.json").read_bytes()
    (tmp_path / "run" / "checkpoints" / "last.ckpt").unlink()
    assert command("evaluate", "run").returncode == 0
    assert (tmp_path / "run" / "results.json").read_bytes() == first
    moved = data.rename(tmp_path / "moved")
    refused(command("evaluate", "run"), "does not exist")
    assert command("evaluate", "run", "--data", moved).returncode == 0
    Image.new("L", (9, 9)).save(moved / "a" / "0.png")
    refused(command("evaluate", "run", "--data", moved), "is not what run was trained on")
    refused(command("evaluate", "moved"), "is not a run")


def test_missing_extra_names_the_command(command: Command, tmp_path: Path) -> None:
    """Without PyTorch, training says what to install."""
    code = (
        "import sys; from importlib.machinery import PathFinder as P; found = P.find_spec;"
        "P.find_spec = classmethod("
        "lambda c, name, *a: None if name == 'torch' else found(name, *a));"
        "sys.argv = ['tumorscope', 'train', '.']; from tumorscope.cli import main; main()"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    refused(run, "pip install '.[train]' in tumorscope's folder")
