"""The head that tells boxes: its loss, its place in a network, and what is taken out of images."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.training.runs import train_only
from tumorscope.errors import DataError, RecipeError
from tumorscope.model import build_classifier, build_trunk, split_trunk
from tumorscope.model.augmentation import draw_edits, edit
from tumorscope.model.box_head import Located, box_losses, box_overlaps, mean_box
from tumorscope.model.changes import FilledLesions
from tumorscope.records import Box
from tumorscope.schema.recipe import Augment, load_recipe
from tumorscope.support.files import read_csv

fractions = st.floats(0.05, 0.95)


@given(fractions, fractions, fractions, fractions)
def test_overlap_is_symmetric_and_whole_with_itself(x: float, y: float, w: float, h: float) -> None:
    """IoU of a box with itself is 1, with another the same both ways, with a far one 0."""
    one, other = torch.tensor([[x, y, w, h]]), torch.tensor([[0.5, 0.5, 0.2, 0.3]])
    assert float(box_overlaps(one, one)[0]) == pytest.approx(1, abs=1e-5)
    assert float(box_overlaps(one, other)[0]) == pytest.approx(float(box_overlaps(other, one)[0]))
    far = torch.tensor([[x + 2, y, w, h]])
    overlap, apart = box_overlaps(one, far)
    assert float(overlap) == 0
    assert float(apart) > 0


def located(box: Box, score: float = 0.0) -> Located:
    """One image's box with all its heat in one of four places."""
    heat = torch.tensor([[9.0, 0, 0, 0]]).log_softmax(1)
    values = torch.tensor([[box.x_center, box.y_center, box.width, box.height]])
    return Located(values, heat, 2, 2, torch.tensor([score]))


def test_loss_is_least_on_the_box() -> None:
    """The true box costs less than another; an image without a box costs nothing."""
    truth = Box(0.25, 0.25, 0.3, 0.3)
    beside = Box(0.6, 0.6, 0.3, 0.3)
    on, off = (float(box_losses(located(own, 5.0), [[truth]])) for own in (truth, beside))
    assert on < 0.1 < off
    assert float(box_losses(located(beside), [[]])) == 0
    small = Box(0.9, 0.9, 0.05, 0.05)  # the largest of several is meant
    assert float(box_losses(located(truth, 5.0), [[small, truth]])) < off


def test_mirrored_views_are_mirrored_back() -> None:
    """The mean of a view and its mirror image is the box; what lies outside is cut off."""
    both = Located(
        torch.tensor([[0.3, 0.5, 0.2, 0.4], [0.7, 0.5, 0.2, 0.4]]),
        torch.zeros(2, 1),
        1,
        1,
        torch.tensor([0.0, 0.0]),
    )
    np.testing.assert_allclose(mean_box(both, 2), [[0.3, 0.5, 0.2, 0.4, 0.5]], atol=1e-6)
    edge = Located(torch.tensor([[0.0, 0.5, 0.4, 0.4]]), torch.zeros(1, 1), 1, 1, torch.zeros(1))
    np.testing.assert_allclose(mean_box(edge, 1), [[0.1, 0.5, 0.2, 0.4, 0.5]], atol=1e-6)


@pytest.mark.parametrize("backbone", ["resnet10t", "mobilenetv2_035", "densenet121"])
def test_the_halves_of_a_frozen_network_see_the_same(backbone: str) -> None:
    """What a frozen front leaves is enough for the finer maps, too; some networks have none."""
    recipe = load_recipe("resnet18", [f"backbone={backbone}", "pretrained=false", "localise=true"])
    model = build_classifier(recipe.model_copy(update={"image_size": 64}), 3).eval()
    model.set_trainable(["head"])
    pixels = torch.rand(2, 1, 64, 64) * 255
    halves = split_trunk(model, 64)
    assert model.box_head is not None
    with torch.inference_mode():
        whole = model.see(pixels)
        assert model.locate(whole).shape == (2, 5)
        if model.box_head.depth is not None:
            assert whole.detail is not None
            assert whole.detail.shape[2] == 2 * whole.maps.shape[2]
            assert halves is not None
            seen = halves.back(halves.front(pixels))
            torch.testing.assert_close(seen.maps, whole.maps, atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(seen.detail, whole.detail, atol=1e-4, rtol=1e-4)


def test_edits_take_out_what_they_have_drawn() -> None:
    """The lesion of a marked image, the background of any; the same each time."""
    pixels = torch.zeros(2, 1, 32, 32, dtype=torch.uint8)
    pixels[:, :, 4:28, 4:28] = 100
    pixels[:, :, 12:16, 12:16] = 250
    pixels[:, :, 0, 0] = 200
    boxes = [[Box(14 / 32, 14 / 32, 4 / 32, 4 / 32)], []]
    spec, lesions = Augment(hide_background=1, fill_lesion=1), FilledLesions()
    changed, filled = edit(pixels, [0, 1], boxes, draw_edits(0, 0, 2), spec, lesions)
    assert filled.tolist() == [True, False]
    assert changed[:, 0, 0, 0].tolist() == [0, 0]
    assert abs(int(changed[0, 0, 14, 14]) - 100) <= 1
    assert int(changed[1, 0, 14, 14]) == 250
    assert pixels[0, 0, 14, 14] == 250, "the data stay as they are"
    for again in (lesions, FilledLesions(limit=0)):  # from memory, and where there is none left
        same, _ = edit(pixels, [0, 1], boxes, draw_edits(0, 0, 2), spec, again)
        assert torch.equal(same, changed)
    none, filled = edit(pixels, [0, 1], boxes, draw_edits(0, 0, 2), Augment(), lesions)
    assert torch.equal(none, pixels)
    assert not filled.any()
    assert torch.equal(draw_edits(1, 2, 5), draw_edits(1, 2, 5))


def test_training_with_edits_repeats(phantoms: Path, tmp_path: Path) -> None:
    """Two trainings with lesions filled and backgrounds hidden end alike, and learn."""
    settings = ["backbone=cnn", "image_size=32", "epochs=3", "batch_size=16", "pretrained=false"]
    settings += ["augment.fill_lesion=0.5", "augment.hide_background=0.5", "keep=last"]
    losses = []
    for name in ("one", "two"):
        train_only(phantoms, tmp_path / name, settings)
        losses.append([row["train_loss"] for row in read_csv(tmp_path / name / "metrics.csv")])
    assert losses[0] == losses[1]


def test_what_cannot_be_localised_is_refused(
    class_folders: object, phantoms: Path, tmp_path: Path
) -> None:
    """Networks without maps, data without boxes, and edits where views are kept."""
    recipe = load_recipe("resnet18", ["backbone=vit_tiny_patch16_224", "localise=true"])
    with pytest.raises(RecipeError, match="localise=true need"):
        build_trunk(recipe)
    data = class_folders(cat=12, dog=12)  # type: ignore[operator]
    with pytest.raises(DataError, match="set localise=false"):
        train_only(data, tmp_path / "run", ["localise=true", "pretrained=false"])
    with pytest.raises(RecipeError, match="set views=null"):
        load_recipe("mobilenetv2-staged", ["augment.fill_lesion=0.3"])
