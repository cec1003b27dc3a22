"""TS010, and the controls themselves."""

import shutil

import numpy as np
import pytest
from PIL import Image

from tests.checks.conftest import DataFolder
from tumorscope.checks.control_scores import ControlsCheck, control_scores
from tumorscope.evaluation.controls import look_up, majority


def test_look_up_and_majority_by_hand() -> None:
    """Three images on two axes: the nearest one gives the answer."""
    prints = np.array([[1, 0], [0, 1], [0.9, 0.1]], np.float32)
    labels = np.array([0, 1, 1])
    assert look_up(prints, labels, np.array([0, 1]), np.array([2])) == 0
    assert look_up(prints, np.array([0, 1, 0]), np.array([0, 1]), np.array([2])) == 1
    assert look_up(prints, labels, np.array([], dtype=np.intp), np.array([2])) is None
    assert majority(np.array([1, 1, 0]), np.array([1, 0])) == pytest.approx(0.5)


def picture(label: int, number: int) -> Image.Image:
    """Half a pattern that all images of the class share, half one of its own."""
    shared, own = (np.random.default_rng([seed, 8]).random((8, 8)) for seed in (label, 10 + number))
    levels = (255 * (0.5 * shared + 0.5 * own)).astype(np.uint8)
    return Image.fromarray(levels).resize((80, 80), Image.Resampling.BICUBIC)


def test_silent_where_the_split_does_not_leak(folder: DataFolder) -> None:
    """A look-up that is as good without leaks raises no alarm, and is shown all the same."""
    made = DataFolder(folder.root.parent / "patterns")
    for number in range(20):
        for place, label in enumerate("ab"):
            made.put(label, f"{number}{label}x.png", picture(place, 2 * number + place))
    scores = control_scores(made.survey())
    assert scores.random == scores.leak_free == 1
    finding = ControlsCheck().run(made.survey())
    assert finding.status == "passed"
    assert "leak-free folds 100.0%" in finding.sentence


def test_fires_where_the_split_leaks(published: DataFolder) -> None:
    """When every test image is a copy, a look-up is right each time."""
    for label in "ab":
        shutil.rmtree(published.root / "Training" / label)
        for number in range(12):
            seed = 100 * (label == "b") + 4 * number  # one kind of head under both labels
            published.add(f"Training/{label}", f"{number}{label}y.png", seed)
        shutil.rmtree(published.root / "Testing" / label)
        shutil.copytree(published.root / "Training" / label, published.root / "Testing" / label)
    scores = control_scores(published.survey())
    assert scores.published == 1
    assert scores.leak_free is not None
    assert scores.leak_free < 0.9
    finding = ControlsCheck().run(published.survey())
    assert finding.status == "found"
    assert ("thumbnail look-up, published split", "100.0%") in finding.evidence
