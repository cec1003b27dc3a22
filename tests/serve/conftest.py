"""What the tests of the server share."""

import shutil
from pathlib import Path

import pytest

import tumorscope


@pytest.fixture(scope="module")
def images(phantoms: Path) -> list[Path]:
    """Slices of phantoms."""
    return sorted(phantoms.parent.rglob("*.png"))


@pytest.fixture(scope="module")
def reviewed_run(tiny_run: tumorscope.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tiny run whose labels were reviewed."""
    folder = tmp_path_factory.mktemp("reviewed") / "tiny"
    shutil.copytree(tiny_run.folder, folder)
    tumorscope.review(run=folder)
    return folder
