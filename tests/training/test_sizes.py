"""Small images first: training changes its size over a stage, validation and answers do not."""

from pathlib import Path

import pytest
import torch

from tumorscope.data.layouts import read_manifest
from tumorscope.data.store import open_store
from tumorscope.errors import RecipeError
from tumorscope.model import build_classifier, build_trunk
from tumorscope.records import Part, Partition
from tumorscope.schema.recipe import Stage, load_recipe
from tumorscope.support.progress import Quiet
from tumorscope.training import TrainingContext, fit

TINY = ("backbone=resnet10t", "image_size=64", "batch_size=8", "epochs=3")


def test_sizes_share_the_epochs() -> None:
    """Each size has its share of the epochs, in order; without sizes it is the full one."""
    assert sides(7) == [96, 96, 128, 128, 224, 224, 224]
    assert Stage(epochs=2).side(1, 160) == 160


def test_few_epochs_have_the_last_sizes() -> None:
    """Whatever is changed on the command line, the training ends at full size."""
    assert sides(2) == [128, 224]
    assert sides(1) == [224]


def test_no_size_is_above_that_of_the_images() -> None:
    """A smaller image size is the last one."""
    assert sides(3, full=112) == [96, 112, 112]


def sides(epochs: int, full: int = 224) -> list[int]:
    """Return the side of each epoch of a stage with three sizes."""
    stage = Stage(epochs=epochs, sizes=(96, 128, 224))
    return [stage.side(epoch, full) for epoch in range(epochs)]


def test_training_grows_and_validation_is_full_size(phantoms: Path, tmp_path: Path) -> None:
    """The sides that the trunk was given, epoch by epoch, while learning and while validating."""
    recipe = load_recipe("resnet18", [*TINY, "sizes=[32, 48, 64]"])
    store = open_store(read_manifest(phantoms), 64)
    parts: list[Part] = ["validation" if n % 4 == 0 else "train" for n in range(len(store))]
    partition = Partition(tuple(parts), tuple(map(str, range(len(store)))), "drawn", "")
    model = build_classifier(recipe, 4)
    seen: list[tuple[bool, int]] = []

    def note(module: torch.nn.Module, inputs: tuple[torch.Tensor]) -> None:
        step = (module.training, inputs[0].shape[-1])
        if step not in seen and (seen or module.training):  # before it learns, time is estimated
            seen.append(step)

    model.trunk.register_forward_pre_hook(note)
    fit(model, store, partition, recipe, TrainingContext(tmp_path, "cpu", Quiet()))
    assert seen == [(True, 32), (False, 64), (True, 48), (True, 64)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["sizes=[32]", "views=2"], "sizes or views, not both"),
        (["sizes=[8]"], "greater than or equal to 16"),
    ],
)
def test_sizes_that_cannot_be_are_refused(settings: list[str], message: str) -> None:
    """A sentence each, before any image is read."""
    with pytest.raises(RecipeError, match=message):
        load_recipe("resnet18", [*TINY, *settings])


def test_a_backbone_of_one_size_is_refused() -> None:
    """A transformer's positions are for one size."""
    recipe = load_recipe("resnet18", ["backbone=vit_tiny_patch16_224", "sizes=[128, 224]"])
    with pytest.raises(RecipeError, match="cannot take images of 128 pixels"):
        build_trunk(recipe)
