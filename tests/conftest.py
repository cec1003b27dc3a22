"""Shared fixtures: real data where it is, a cache of the tests' own, one small training."""

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

# Tests run side by side; threads of one that wait for each other would starve the other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

import tumorscope
from tumorscope.cli import main
from tumorscope.data.phantom import write_phantoms
from tumorscope.model.torchvision import declare_missing_operators
from tumorscope.support.progress import Quiet

# A red build must come from a change; HYPOTHESIS_PROFILE=default looks for new examples.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

declare_missing_operators()  # tests compare with torchmetrics, which imports torchvision

REAL = Path(os.environ.get("TUMORSCOPE_DATA", Path(__file__).parents[2] / "shared" / "data"))
TINY = ("backbone=cnn", "pretrained=false", "image_size=32", "epochs=2", "batch_size=16")


class Heard(Quiet):
    """Keeps the lines that were said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        """Keep a line."""
        self.lines.append(line)

    def note(self, text: str) -> None:
        """Keep what a task says."""
        self.lines.append(text)


Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets; tests that need it are skipped where it is missing."""
    if not (REAL / "sartaj").is_dir():
        pytest.skip(f"no real data at {REAL}: set TUMORSCOPE_DATA")
    return REAL


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep stores out of the user's cache, in one that all workers share."""
    top = tmp_path_factory.getbasetemp()
    shared = top.parent if "PYTEST_XDIST_WORKER" in os.environ else top
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUMORSCOPE_CACHE", str(shared / "cache"))
        yield


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of synthetic slices: four classes, four patients each, three slices each."""
    return write_phantoms(tmp_path_factory.mktemp("phantoms"), patients=4, slices=3)


@pytest.fixture(scope="session")
def tiny_run(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> tumorscope.Run:
    """A finished training of two epochs at 32 px; tests must not change it."""
    out = tmp_path_factory.mktemp("runs") / "tiny"
    return tumorscope.train(data=phantoms, overrides=TINY, out=out, device="cpu")


@pytest.fixture
def class_folders(tmp_path: Path) -> Callable[..., Path]:
    """Make a folder of class folders: `class_folders(cat=3, dog=2)`, each image another grey."""

    def make(name: str = "data", **counts: int) -> Path:
        generator = np.random.default_rng(0)
        for label, count in counts.items():
            folder = tmp_path / name / label
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = generator.integers(0, 256, (20, 24), np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
        return tmp_path / name

    return make


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run the command line in an empty folder, in this process, which has PyTorch at hand."""

    def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        words = ["tumorscope", *map(str, arguments)]
        out, error, code = io.StringIO(), io.StringIO(), 0
        with (
            monkeypatch.context() as patch,
            redirect_stdout(out),
            redirect_stderr(error),
        ):
            patch.chdir(tmp_path)
            patch.setattr(sys, "argv", words)
            patch.setenv("TUMORSCOPE_DEBUG", "")  # forgets what --debug sets
            try:
                main()
            except SystemExit as end:
                code = int(end.code or 0)
        return subprocess.CompletedProcess(words, code, out.getvalue(), error.getvalue())

    return run


@pytest.fixture
def process(tmp_path: Path) -> Command:
    """Run the command line in an empty folder, in a process of its own."""

    def run(*arguments: str | Path, **options: object) -> "subprocess.CompletedProcess[str]":
        finished: subprocess.CompletedProcess[str] = subprocess.run(
            [sys.executable, "-m", "tumorscope", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=300,
            check=False,
            **options,  # type: ignore[call-overload]
        )
        return finished

    return run
