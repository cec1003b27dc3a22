"""Maps: as another library computes them, where the truth is known, and from answers alone."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam, LayerGradientXActivation
from numpy.typing import NDArray
from PIL import Image
from torch import nn

import tumorscope
from tests.conftest import Command
from tumorscope.errors import UsageError
from tumorscope.explanation.black_box import occlusion, rise
from tumorscope.explanation.class_maps import activations, class_maps
from tumorscope.explanation.gradients import integrated_gradients
from tumorscope.explanation.measures import (
    centred_gaussian,
    energy_inside,
    hot_box,
    overlap,
    points_inside,
)
from tumorscope.model import Classifier, build_classifier
from tumorscope.model.changes import box_mask
from tumorscope.records import Box
from tumorscope.schema.recipe import load_recipe

LAYERS = {"resnet18": "layer4", "mobilenetv2_100": "bn2"}


def network(backbone: str, *more: str) -> Classifier:
    """Return an untrained network, the same each time."""
    torch.manual_seed(0)
    recipe = load_recipe("resnet18", [f"backbone={backbone}", "pretrained=false", *more])
    return build_classifier(recipe, 3).eval()


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    """Three images of noise."""
    return torch.from_numpy(np.random.default_rng(0).uniform(0, 255, (3, 1, 64, 64))).float()


@pytest.mark.parametrize("backbone", list(LAYERS))
@pytest.mark.parametrize("head", ["linear", "attention"])
def test_gradcam_is_captums(backbone: str, head: str, pixels: torch.Tensor) -> None:
    """The same maps within 1e-4 of their size, with a plain head and with an attention."""
    model = network(backbone, f"head={head}")
    labels = torch.tensor([0, 1, 2])
    with torch.no_grad():  # so that something speaks for each class in an untrained network
        model.head.get_parameter("linear.weight").abs_()
    ours = class_maps(model, pixels, labels, ("gradcam",))["gradcam"]
    theirs = LayerGradCam(model, model.trunk.get_submodule(LAYERS[backbone])).attribute(
        model.prepared(pixels), target=labels, relu_attributions=True
    )
    expected = theirs.detach().numpy()[:, 0]
    assert ours.max() > 0
    np.testing.assert_allclose(ours, expected, atol=1e-4 * expected.max())


def test_hirescam_adds_up_to_the_logit(pixels: torch.Tensor) -> None:
    """Behind a mean and a linear head, what the places add is the logit less its bias."""
    model = network("resnet18", "head=linear")
    labels = torch.tensor([2, 0, 1])
    seen = activations(model, pixels, labels)
    added = (seen.slopes * seen.maps).sum(dim=(1, 2, 3))
    with torch.no_grad():
        logits = model(model.prepared(pixels)).gather(1, labels[:, None])[:, 0]
    last = model.head.get_submodule("linear")
    assert isinstance(last, nn.Linear)
    bias = last.bias.detach()[labels]
    np.testing.assert_allclose(added.numpy(), (logits - bias).numpy(), rtol=1e-3, atol=1e-4)


def test_a_network_without_maps_is_named(pixels: torch.Tensor) -> None:
    """One that looks at all pixels at once."""
    recipe = load_recipe("resnet18")
    flat = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 64, 8)), 8, 3, recipe).eval()
    with pytest.raises(UsageError, match="no maps of features"):
        class_maps(flat, pixels, torch.tensor([0, 1, 2]), ("gradcam",))


def test_tokens_of_a_transformer_are_captums() -> None:
    """What each token of the last block adds to the logit, as captum computes it there."""
    model = network("vit_tiny_patch16_224", "image_size=224")
    pixels = torch.from_numpy(np.random.default_rng(0).uniform(0, 255, (2, 1, 224, 224))).float()
    labels = torch.tensor([0, 2])
    ours = class_maps(model, pixels, labels, ("hirescam",))["hirescam"]
    layer = model.trunk.get_submodule("blocks.11.norm1")
    theirs = LayerGradientXActivation(model, layer).attribute(model.prepared(pixels), target=labels)
    expected = theirs[:, 1:].sum(dim=2).relu().reshape(2, 14, 14).detach().numpy()
    assert ours.max() > 0
    np.testing.assert_allclose(ours, expected, atol=1e-4 * expected.max())


def test_channels_last_are_put_first() -> None:
    """A network of shifted windows gives its channels last."""
    model = network("swin_tiny_patch4_window7_224", "image_size=224")
    pixels = torch.zeros(1, 1, 224, 224)
    assert activations(model, pixels, torch.tensor([0])).maps.shape == (1, 768, 7, 7)


def test_integrated_gradients_see_what_is_read() -> None:
    """A network that reads the left half alone is explained by the left half."""

    class LeftHalf(nn.Module):
        """Three sums of the left half."""

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            """Return them, shape (n, 3)."""
            return images[:, :, :, :16].mean(dim=(2, 3))

    model = Classifier(LeftHalf(), 3, 3, load_recipe("resnet18")).eval()
    pixels = torch.full((1, 1, 32, 32), 200.0)
    found = integrated_gradients(model, pixels, torch.tensor([1]))[0]
    assert found[:, :16].min() > 0
    assert found[:, 17:].max() == 0


def in_a_corner(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Answer by how bright the lower left quarter is, and by nothing else."""
    side = images.shape[1] // 2
    chance = images[:, side:, :side].mean(axis=(1, 2)) / 255
    return np.stack([chance, 1 - chance], axis=1).astype(np.float32)


@pytest.mark.parametrize("method", [occlusion, rise])
def test_what_is_hidden_shows_what_matters(
    method: Callable[..., NDArray[np.float32]],
) -> None:
    """A model that sees one quarter alone is explained by that quarter."""
    pixels = np.full((64, 64), 40, np.uint8)
    pixels[36:60, 4:28] = 220
    found = method(in_a_corner, pixels, 0)
    mask = box_mask([Box(0.25, 0.75, 0.5, 0.5)], len(found))
    assert points_inside(found, mask)
    assert energy_inside(found, mask) > 0.4  # by chance 0.25
    assert found[~mask].mean() < 0.5 * found[mask].mean()


def test_measures_of_known_maps() -> None:
    """A map that is the box, one that lies outside, and one that is empty."""
    mask = box_mask([Box(0.25, 0.25, 0.5, 0.5)], 16)
    assert mask.sum() == 64
    inside = np.where(mask, 1.0, 0.0)
    assert points_inside(inside, mask)
    assert energy_inside(inside, mask) == 1
    assert overlap(hot_box(inside), mask) == 1
    outside = 1 - inside
    assert not points_inside(outside, mask)
    assert energy_inside(outside, mask) == 0
    assert np.isnan(energy_inside(np.zeros((16, 16)), mask))
    assert points_inside(centred_gaussian(16), box_mask([Box(0.5, 0.5, 0.2, 0.2)], 16))


def test_the_command_draws_and_names_mistakes(
    tiny_run: tumorscope.Run, phantoms: Path, tmp_path: Path, command: Command
) -> None:
    """A picture and an array a method; a wrong class, method or file is a sentence."""
    image = min(phantoms.parent.rglob("*glioma*.png"))
    words = ("--method", "layercam", "--method", "occlusion", "--class", "glioma", "--json")
    done = command("explain", tiny_run.folder, image, *words, "--out", "maps")
    assert done.returncode == 0, done.stderr
    (said,) = json.loads(done.stdout)
    assert said["class"] == "glioma"
    (picture,) = (tmp_path / "maps").glob("*.png")
    with Image.open(picture) as drawn:
        assert drawn.size == (3 * 332 + 12, 410)
    for path in (tmp_path / "maps").glob("*.npy"):
        found = np.load(path)
        assert found.shape == (32, 32)
        assert 0 <= found.min() <= found.max() <= 1
    wrong = command("explain", tiny_run.folder, image, "--class", "lymphoma")
    assert (wrong.returncode, "knows no class 'lymphoma'" in wrong.stderr) == (2, True)
    wrong = command("explain", tiny_run.folder, image, "--method", "magic")
    assert (wrong.returncode, "choose from layercam" in wrong.stderr) == (2, True)
    wrong = command("explain", "tumor-type-t1c", image, "--method", "gradcam")
    assert (wrong.returncode, "no weights for PyTorch" in wrong.stderr) == (2, True)
    (tmp_path / "bad.png").write_bytes(b"no image")
    assert command("explain", tiny_run.folder, tmp_path / "bad.png").returncode == 1
