"""The frozen front on OpenVINO: the same answers, no word to its makers, PyTorch where it fails."""

import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from tests.conftest import Heard
from tumorscope.model import Halves, build_classifier, split_trunk
from tumorscope.schema.recipe import Recipe, load_recipe
from tumorscope.training.runtime import fastest_front

pytest.importorskip("openvino", reason="the openvino extra is not installed")

NOISE = torch.rand(4, 1, 64, 64, generator=torch.Generator().manual_seed(9)) * 255


def recipe_of(*settings: str) -> Recipe:
    """A staged recipe on a small network."""
    small = ("backbone=resnet10t", "pretrained=false", "image_size=64")
    return load_recipe("mobilenetv2-staged", [*small, "precision=single", *settings])


def halves_of(recipe: Recipe) -> Halves:
    """The halves of its network in the second stage."""
    model = build_classifier(recipe, 3).eval()
    model.set_trainable(recipe.stages[1].train)
    halves = split_trunk(model, recipe.image_size)
    assert halves is not None
    return halves


@pytest.mark.parametrize(("precision", "error"), [("single", 1e-4), ("bfloat16", 0.03)])
def test_it_answers_as_pytorch_does(precision: str, error: float) -> None:
    """Full batches and smaller ones, within what the precision explains."""
    recipe = recipe_of(f"precision={precision}")
    layers, heard = halves_of(recipe).front, Heard()
    front = fastest_front(layers, recipe, "cpu", NOISE, heard)
    for count in (4, 1):
        pixels = torch.rand(count, 1, 64, 64, generator=torch.Generator().manual_seed(count)) * 255
        with torch.inference_mode():
            expected = layers(pixels)
        found = front(pixels)
        assert found.shape == expected.shape
        assert float((found - expected).abs().mean()) < error * float(expected.abs().mean())
    assert heard.lines == []
    assert front.__qualname__.startswith("_in_openvino")


def test_outputs_in_single_precision_come_from_pytorch() -> None:
    """They are asked to be exact."""
    recipe = recipe_of("cache_precision=single")
    front = fastest_front(halves_of(recipe).front, recipe, "cpu", NOISE, Heard())
    assert front.__qualname__.startswith("_in_pytorch")


class Counts(nn.Module):
    """What a trace of one image takes for constant."""

    def forward(self, pixels: Tensor) -> Tensor:
        """Multiply by the number of images."""
        return pixels * len(pixels)


class Singular(nn.Module):
    """What OpenVINO has no operation for."""

    def forward(self, pixels: Tensor) -> Tensor:
        """Return singular values."""
        found: Tensor = torch.linalg.svdvals(pixels)
        return found


@pytest.mark.parametrize(("front", "said"), [(Counts(), "disagree"), (Singular(), "cannot run")])
def test_pytorch_runs_what_openvino_does_not(front: nn.Module, said: str) -> None:
    """It is said, and the answers are right."""
    recipe, heard = recipe_of(), Heard()
    run = fastest_front(front, recipe, "cpu", NOISE, heard)
    pixels = torch.rand(4, 1, 64, 64)
    assert torch.equal(run(pixels), front(pixels))
    assert said in heard.lines[0]


def test_openvino_reports_to_nobody() -> None:
    """What would send each use to its makers is never loaded."""
    code = (
        "import sys; from tumorscope.support.extras import import_openvino; import_openvino();"
        "assert sys.modules['openvino_telemetry'] is None;"
        "assert not any(name.startswith('openvino_telemetry.') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
