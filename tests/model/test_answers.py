"""What is answered: an image smoothed as training images are, and its mirror image."""

import numpy as np
import torch
from torch.nn import functional

from tumorscope.model import build_classifier
from tumorscope.schema.recipe import load_recipe

SIDE = 24
PIXELS = torch.rand(3, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 255
SMALL = ("backbone=cnn", "pretrained=false", "image_size=24")


def test_answered_images_are_smoothed_as_interpolation_does_on_average() -> None:
    """The mean over shifts of up to half a pixel either way, by PyTorch's own interpolation."""
    model = build_classifier(load_recipe("resnet18", [*SMALL, "smooth_answers=true"]), 4).eval()
    steps = (np.arange(64) + 0.5) / 64 - 0.5
    mean = torch.zeros_like(PIXELS)
    for down in steps:
        for right in steps:
            move = torch.tensor([[1, 0, 2 * right / SIDE], [0, 1, 2 * down / SIDE]]).float()
            grid = functional.affine_grid(move.expand(3, 2, 3), [3, 1, SIDE, SIDE], False)
            mean += functional.grid_sample(PIXELS, grid, align_corners=False)
    torch.testing.assert_close(model.prepared(PIXELS), mean / len(steps) ** 2, atol=0.05, rtol=0)


def test_an_answer_is_the_mean_over_the_mirror_image_too() -> None:
    """Each is answered alone, and the mean is that of both at once."""
    settings = [*SMALL, "smooth_answers=true", "flip_averaging=true"]
    model = build_classifier(load_recipe("resnet18", settings), 4).eval()
    assert model.view_count == 2
    with torch.inference_mode():
        seen = model.views(PIXELS).reshape(2, 3, 1, SIDE, SIDE)
        alone = torch.stack([model(view).softmax(dim=1) for view in seen])
        torch.testing.assert_close(model.probabilities(PIXELS), alone.mean(dim=0))
    torch.testing.assert_close(seen[0], model.prepared(PIXELS))
    torch.testing.assert_close(seen[1], seen[0].flip(3))


def test_by_default_the_image_is_answered_as_it_is() -> None:
    """Nothing is copied where nothing is changed."""
    model = build_classifier(load_recipe("resnet18", SMALL), 4).eval()
    assert model.views(PIXELS) is PIXELS
    with torch.inference_mode():
        assert torch.equal(model.probabilities(PIXELS), model(PIXELS).softmax(dim=1))
