"""Views of an image: what they show, and that an answer is their mean."""

import torch
from torch.nn import functional

from tumorscope.model import build_classifier
from tumorscope.model.views import OTHER_VIEWS, view_matrices
from tumorscope.schema.recipe import load_recipe

SIDE = 24
PIXELS = torch.rand(3, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 255
SMALL = ("backbone=cnn", "pretrained=false", "image_size=24")


def test_views_are_zoomed_and_shifted_as_an_affine_map_does() -> None:
    """PyTorch's own resampling with the same map gives the same pixels, black from outside."""
    rows, columns = view_matrices(SIDE, len(OTHER_VIEWS))
    for number, (zoom, down, right) in enumerate(OTHER_VIEWS):
        move = (-2 * right / zoom, -2 * down / zoom)
        affine = torch.tensor([[1 / zoom, 0, move[0]], [0, 1 / zoom, move[1]]])
        grid = functional.affine_grid(affine.expand(3, 2, 3), [3, 1, SIDE, SIDE], False)
        expected = functional.grid_sample(PIXELS, grid, align_corners=False)
        found = rows[number] @ PIXELS @ columns[number].T
        torch.testing.assert_close(found, expected, atol=1e-2, rtol=0)


def test_an_answer_is_the_mean_over_all_views() -> None:
    """Each view and its mirror image are answered alone, and the mean is that of all at once."""
    model = build_classifier(
        load_recipe("resnet18", [*SMALL, "answer_views=3", "flip_averaging=true"]), 4
    ).eval()
    assert model.view_count == 6
    with torch.inference_mode():
        seen = model.views(PIXELS).reshape(6, 3, 1, SIDE, SIDE)
        alone = torch.stack([model(view).softmax(dim=1) for view in seen])
        torch.testing.assert_close(model.probabilities(PIXELS), alone.mean(dim=0))
    torch.testing.assert_close(seen[0], PIXELS)
    torch.testing.assert_close(seen[4], seen[1].flip(3))
    assert len({tuple(view.flatten().tolist()) for view in seen}) == 6


def test_one_view_is_the_image_itself() -> None:
    """Nothing is copied where nothing is averaged."""
    model = build_classifier(load_recipe("resnet18", SMALL), 4).eval()
    assert model.views(PIXELS) is PIXELS
    with torch.inference_mode():
        assert torch.equal(model.probabilities(PIXELS), model(PIXELS).softmax(dim=1))
