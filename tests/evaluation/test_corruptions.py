"""Changed slices stay slices, get worse with strength, and are the same each time."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import tumorscope
from tests.conftest import Command
from tests.report.test_report import assert_drawn
from tumorscope.data.phantom import Head
from tumorscope.evaluation.corruptions import CHANGES, Change
from tumorscope.schema.results import Results

SLICES = np.stack([Head("glioma", n).slice(0, side=224).pixels for n in range(3)])


@pytest.mark.parametrize("change", CHANGES, ids=[change.name for change in CHANGES])
def test_a_change_grows_with_its_strength(change: Change) -> None:
    """Each strength is further from the original than the one before, each time alike."""
    distances = []
    for strength in change.strengths:
        changed = change.apply(SLICES, strength)
        assert changed.shape == SLICES.shape
        assert changed.dtype == np.uint8
        np.testing.assert_array_equal(changed, change.apply(SLICES, strength))
        distances.append(np.abs(changed.astype(float) - SLICES).mean())
    assert len(distances) == 5
    assert distances[0] > 0
    assert distances == sorted(distances)


def test_known_changes_do_what_they_say() -> None:
    """A gamma of 1 keeps the image; scaling by a half leaves a black frame of a quarter."""
    by_name = {change.name: change.apply for change in CHANGES}
    np.testing.assert_array_equal(by_name["gamma"](SLICES, 1), SLICES)
    white = np.full((1, 64, 64), 255, np.uint8)
    half = by_name["scaling"](white, 0.5)[0]
    assert half[:15].max() == half[:, :15].max() == 0
    assert half[18:46, 18:46].min() == 255
    noise = by_name["noise"](np.full((1, 200, 200), 120, np.uint8), 10)
    assert noise.std() == pytest.approx(10, rel=0.05)


def test_robustness_is_measured_when_asked_for(
    tiny_run: tumorscope.Run, command: Command, tmp_path: Path
) -> None:
    """Eight changes at five strengths, each with n and interval."""
    assert tiny_run.results.robustness is None
    shutil.copytree(tiny_run.folder, tmp_path / "run")
    done = command("evaluate", "run", "--robustness", "--figures", "svg", "--json")
    assert done.returncode == 0, done.stderr
    assert_drawn(tmp_path / "run", ("png", "svg"))
    found = Results.model_validate_json(done.stdout).robustness
    assert found is not None
    assert [s.change for s in found] == [change.name for change in CHANGES]
    for strained in found:
        assert len(strained.accuracy) == 5
        assert all(score.n == 12 for score in strained.accuracy)
