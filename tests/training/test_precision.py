"""Bfloat16 changes how fast a network learns, not what: weights and losses stay in single."""

from pathlib import Path

import pytest
import torch

import tumorscope
from tumorscope.data.layouts import read_manifest
from tumorscope.data.store import open_store
from tumorscope.errors import UsageError
from tumorscope.model import build_classifier
from tumorscope.model.augmentation import augment, draw_uniforms
from tumorscope.records import Part, Partition
from tumorscope.runs.folder import resumed_recipe
from tumorscope.schema.recipe import Augment, load_recipe
from tumorscope.support.progress import Quiet
from tumorscope.training import TrainedModel, TrainingContext, fit, settle_precision
from tumorscope.training.device import bfloat16_pays


def test_auto_is_bfloat16_where_it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are units for it and weights to start from; what was asked for stays."""
    recipe = load_recipe("resnet18-512")
    assert settle_precision(recipe, "mps").precision == "single"
    fast = "bfloat16" if bfloat16_pays("cpu") else "single"
    assert settle_precision(recipe, "cpu").precision == fast
    monkeypatch.setattr("tumorscope.training.device.bfloat16_pays", lambda _: True)
    assert settle_precision(recipe, "cpu").precision == "bfloat16"
    assert settle_precision(load_recipe("resnet18"), "cpu").precision == "single"
    for asked in ("single", "bfloat16"):
        asking = load_recipe("resnet18", [f"precision={asked}"])
        assert settle_precision(asking, "cpu") == asking


def test_a_run_goes_on_in_the_precision_it_was_begun_with(
    tiny_run: tumorscope.Run, phantoms: Path
) -> None:
    """Also on a machine where the default would be the other; one that is asked for must agree."""
    began = load_recipe(tiny_run.folder / "recipe.yaml")
    assert began.precision != "auto"
    store = open_store(read_manifest(phantoms), began.image_size)
    left_open = began.model_copy(update={"precision": "auto"})
    assert resumed_recipe(tiny_run.folder, left_open, store) == began
    other = "single" if began.precision == "bfloat16" else "bfloat16"
    with pytest.raises(UsageError, match="started with another precision"):
        resumed_recipe(tiny_run.folder, began.model_copy(update={"precision": other}), store)


def test_augmentation_keeps_its_digits() -> None:
    """A place in the image has more digits than bfloat16: the same pixels in either context."""
    pixels = torch.rand(4, 1, 64, 64) * 255
    uniforms, spec = draw_uniforms(0, 0, 4), Augment(rotation=30, scale=0.1, gamma=0.2)
    expected = augment(pixels, uniforms, spec)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(augment(pixels, uniforms, spec), expected)


def fitted(data: Path, folder: Path, precision: str) -> TrainedModel:
    """Three epochs on phantoms."""
    settings = ["backbone=resnet10t", "image_size=48", "batch_size=8", "epochs=3"]
    recipe = load_recipe("resnet18", [*settings, f"precision={precision}"])
    store = open_store(read_manifest(data), 48)
    parts: list[Part] = ["validation" if n % 4 == 0 else "train" for n in range(len(store))]
    partition = Partition(tuple(parts), tuple(map(str, range(len(store)))), "drawn", "")
    folder.mkdir()
    context = TrainingContext(folder, "cpu", Quiet())
    return fit(build_classifier(recipe, 4), store, partition, recipe, context)


def test_bfloat16_learns_the_same(phantoms: Path, tmp_path: Path) -> None:
    """The losses are those of single precision within 5 %, and not equal; weights are single."""
    single = fitted(phantoms, tmp_path / "single", "single")
    half = fitted(phantoms, tmp_path / "half", "bfloat16")
    losses = [[float(epoch["train_loss"]) for epoch in one.history] for one in (single, half)]
    assert losses[1] == pytest.approx(losses[0], rel=0.05)
    assert losses[1] != losses[0]
    assert {value.dtype for value in half.model.parameters()} == {torch.float32}
