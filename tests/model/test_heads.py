"""Attention goes where the boxes are, on phantoms, where the truth is known."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from tests.training.runs import train_only
from tumorscope.data.layouts import read_manifest
from tumorscope.data.store import open_store
from tumorscope.errors import RecipeError
from tumorscope.model import build_classifier, build_trunk
from tumorscope.model.heads import AttentionPool, attention_losses, box_coverage
from tumorscope.records import Box
from tumorscope.schema.recipe import load_recipe
from tumorscope.support.files import read_csv

fractions = st.floats(0.1, 0.9)


def test_coverage_is_by_share() -> None:
    """A place half under a box counts half; two boxes on one place count once."""
    left = Box(0.25, 0.5, 0.5, 1)
    assert box_coverage([[left]], 2, 2).tolist() == [[1, 0, 1, 0]]
    assert box_coverage([[Box(0.25, 0.25, 0.25, 0.5)]], 2, 2).tolist() == [[0.5, 0, 0, 0]]
    assert box_coverage([[left, left], []], 1, 2).tolist() == [[1, 0], [0, 0]]


@given(fractions, fractions, fractions, st.integers(1, 9), st.integers(1, 9))
def test_coverage_keeps_the_area(x: float, y: float, share: float, height: int, width: int) -> None:
    """What a box inside the image covers is its area, however coarse the map."""
    box = Box(x, y, 2 * share * min(x, 1 - x), 2 * share * min(y, 1 - y))
    covered = float(box_coverage([[box]], height, width).sum()) / (height * width)
    assert covered == pytest.approx(box.width * box.height, rel=1e-4)


def test_loss_is_least_where_attention_and_boxes_agree() -> None:
    """Attention on the box costs less than elsewhere; images without a box cost nothing."""
    covered = box_coverage([[Box(0.25, 0.25, 0.5, 0.5)], []], 2, 2)
    on = torch.tensor([[9.0, 0, 0, 0], [0.0, 0, 9, 0]]).log_softmax(1)
    off = torch.tensor([[0.0, 0, 0, 9], [9.0, 0, 0, 0]]).log_softmax(1)
    assert float(attention_losses(on, covered).sum()) < 0.001
    assert float(attention_losses(off, covered).sum()) > 8
    assert float(attention_losses(off, torch.zeros(2, 4)).sum()) == 0


def attended(run: Path, data: Path) -> tuple[float, float]:
    """The attention that falls into the boxes of unseen images, and the boxes' share of them."""
    recipe = load_recipe(run / "recipe.yaml")
    model = build_classifier(recipe, 4).eval()
    model.load_state_dict(load_file(run / "checkpoints" / "best.safetensors"))
    assert isinstance(model.pool, AttentionPool)
    part = {row["image"]: row["part"] for row in read_csv(run / "partition.csv")}
    store = open_store(read_manifest(data), recipe.image_size)
    rows = [
        n
        for n, row in enumerate(store.manifest.rows)
        if row.boxes and part[row.image] in ("validation", "test")
    ]
    pixels = torch.from_numpy(store.pixels(np.array(rows))).unsqueeze(1).float()
    with torch.inference_mode():
        maps = model.see(pixels).maps
        attention = model.pool.log_attention(maps).exp()
    covered = box_coverage([store.manifest.rows[n].boxes for n in rows], *maps.shape[2:])
    return float((attention * covered).sum(1).mean()), float(covered.mean())


def test_boxes_teach_where_to_look(phantoms: Path, tmp_path: Path) -> None:
    """On unseen phantoms far more attention is in the boxes than their area would have."""
    settings = [
        *("backbone=resnet10t", "image_size=96", "batch_size=8", "epochs=12", "keep=last"),
        *("head=attention", "attention_weight=1", "augment.vertical_flip=0"),
        *("augment.rotation=10", "augment.shift=0.05"),
    ]
    train_only(phantoms, tmp_path / "run", settings)
    inside, area = attended(tmp_path / "run", phantoms)
    assert inside > 2 * area


def test_what_cannot_be_attended_is_refused() -> None:
    """A weight without the head, and a network without maps: a sentence each."""
    with pytest.raises(RecipeError, match="attention_weight needs head=attention"):
        load_recipe("resnet18", ["attention_weight=0.5"])
    for backbone in ("cnn", "vit_tiny_patch16_224"):
        recipe = load_recipe("resnet18", [f"backbone={backbone}", "head=attention"])
        with pytest.raises(RecipeError, match="gives no feature maps"):
            build_trunk(recipe)
