"""Several networks of one run: trained apart, on the same parts, and resumed where it stopped."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import tumorscope
from tests.conftest import TINY
from tests.training.runs import train_only
from tests.training.test_train import HARD, assert_same_end
from tumorscope.explanation.explain import Explainer
from tumorscope.inference.bundle import open_bundle
from tumorscope.inference.runtimes.pytorch import load_deployed
from tumorscope.model import build_member
from tumorscope.schema.recipe import load_recipe
from tumorscope.support.files import read_csv
from tumorscope.training.checkpoints import load_stage

TWO = ("members=2",)
# Kills itself in the middle of the third epoch of the second network.
STOPPED = """
import os, signal, sys
from tumorscope.cli import main
from tumorscope.training.steps import Classification
step = Classification.training_step
def stopped(self, batch, number):
    if (self.current_epoch, number, self.recipe.seed) == (2, 3, 1000):
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, batch, number)
Classification.training_step = stopped
main()
"""


@pytest.fixture(scope="module")
def together(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> tumorscope.Run:
    """A finished run of two networks."""
    out = tmp_path_factory.mktemp("two") / "run"
    return tumorscope.train(phantoms, overrides=[*TINY, *TWO], out=out, device="cpu")


def test_the_first_network_is_that_of_a_run_of_one(
    together: tumorscope.Run, tiny_run: tumorscope.Run
) -> None:
    """It is trained as if there were no other; the other is another, on the same parts."""
    first, second = (together.folder / name for name in (".", "member-2"))
    assert (first / "metrics.csv").read_bytes() == (tiny_run.folder / "metrics.csv").read_bytes()
    assert (second / "metrics.csv").read_bytes() != (first / "metrics.csv").read_bytes()
    assert (first / "partition.csv").read_bytes() == (
        tiny_run.folder / "partition.csv"
    ).read_bytes()


def test_the_bundle_answers_with_the_mean(together: tumorscope.Run, phantoms: Path) -> None:
    """What the run's bundle says of an image is the mean of what its two networks say."""
    bundle = open_bundle(together.folder)
    network = load_deployed(bundle).network.classifier
    recipe = load_recipe(together.folder / "recipe.yaml", ["pretrained=false"])
    pixels = torch.rand(4, 1, 32, 32, generator=torch.Generator().manual_seed(0)) * 255
    answers = []
    for folder in (together.folder, together.folder / "member-2"):
        member = build_member(recipe, 4).eval()
        load_stage(member, folder, 0)
        with torch.inference_mode():
            answers.append(member.probabilities(pixels))
    assert not torch.equal(*answers)
    with torch.inference_mode():
        torch.testing.assert_close(network.probabilities(pixels), torch.stack(answers).mean(dim=0))
    image = phantoms.parent / read_csv(together.folder / "predictions.csv")[0]["image"]
    explained = Explainer(bundle)(image, ("layercam", "gradcam"))
    assert all(np.isfinite(own).all() for own in explained.maps.values())
    for page in ("evidence.md", "model-card.md", "report.html"):
        text = (together.folder / page).read_text(encoding="utf-8")
        assert "of the first of 2 networks" in text, page


def test_killed_in_the_second_network_and_resumed_ends_bit_equal(
    phantoms: Path, tmp_path: Path
) -> None:
    """The first is not trained again, and the second goes on where it was."""
    whole, out = tmp_path / "whole", tmp_path / "run"
    train_only(phantoms, whole, [*HARD, *TWO])
    command = ["train", str(phantoms), *HARD, *TWO, "--out", str(out)]
    killed = subprocess.run(
        [sys.executable, "-c", STOPPED, *command], capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert len(read_csv(out / "member-2" / "metrics.csv")) == 2
    said = "\n".join(train_only(phantoms, out, [*HARD, *TWO], resume=True))
    assert "epoch 8/8" in said
    assert "epoch 2/8" not in said
    for own in ("checkpoints", "member-2"):
        first, second = ((run if own == "checkpoints" else run / own) for run in (whole, out))
        assert_same_end(first, second)
