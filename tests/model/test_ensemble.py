"""Networks that answer together: with the mean of their probabilities, and as any other network."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tumorscope.errors import RecipeError
from tumorscope.explanation.class_maps import class_maps
from tumorscope.model import (
    Classifier,
    build_classifier,
    build_member,
    join,
    member_recipes,
    share_front,
)
from tumorscope.model.ensemble import JoinedHead, JoinedTrunk
from tumorscope.schema.recipe import Recipe, load_recipe
from tumorscope.training.checkpoints import contiguous

LATE = "train=[blocks.4, blocks.5, blocks.6, conv_head, bn2, head]"
KINDS = {
    "attention": ("backbone=mobilenetv2_050", "head=attention", LATE, "flip_averaging=true"),
    "pooling in the trunk": ("backbone=mobilenetv2_050", LATE),
    "all shared": ("backbone=mobilenetv2_050", "train=[head]"),
    "nothing shared": ("backbone=cnn", "head=batch_norm"),
    "not a sequence": (
        "backbone=vit_tiny_patch16_224",
        "train=[head]",
        "backbone_options.img_size=64",
    ),
}
PIXELS = torch.rand(3, 1, 64, 64, generator=torch.Generator().manual_seed(0)) * 255


def pair(kind: str) -> tuple[Recipe, list[Classifier]]:
    """Return a recipe of two networks, and these."""
    settings = ("pretrained=false", "image_size=64", "members=2", *KINDS[kind])
    recipe = load_recipe("resnet18", settings)
    return recipe, [build_member(own, 3).eval() for own in member_recipes(recipe)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_answer_is_the_mean(kind: str) -> None:
    """Probabilities are averaged over the networks, and over mirror images of each."""
    recipe, members = pair(kind)
    share_front(members[0], members[1], recipe)  # as training does
    with torch.inference_mode():
        expected = torch.stack([own.probabilities(PIXELS) for own in members]).mean(dim=0)
        features = [own.embed(PIXELS) for own in members]
        joined = join(members, recipe)
        torch.testing.assert_close(joined.probabilities(PIXELS), expected)
        torch.testing.assert_close(joined.embed(PIXELS), torch.cat(features, dim=1))


def test_what_no_stage_trains_is_run_once() -> None:
    """Frozen blocks are in the joined network once, and what learns twice."""
    recipe, members = pair("attention")
    alone = sum(p.numel() for p in members[0].parameters())
    frozen = sum(
        p.numel()
        for n in ("conv_stem", "bn1", *(f"blocks.{i}" for i in range(4)))
        for p in members[0].trunk.get_submodule(n).parameters()
    )
    joined = join(members, recipe)
    assert isinstance(joined.trunk, JoinedTrunk)
    assert sum(p.numel() for p in joined.parameters()) == 2 * alone - frozen
    again = build_classifier(recipe, 3)
    assert again.load_state_dict(joined.state_dict())


@pytest.mark.parametrize("kind", ["attention", "pooling in the trunk", "all shared"])
def test_networks_that_agree_are_explained_as_one(kind: str) -> None:
    """The maps of two equal networks are those of one of them."""
    recipe, members = pair(kind)
    members[1].load_state_dict(members[0].state_dict())
    labels = torch.tensor([0, 1, 2])
    methods = ("gradcam", "hirescam", "layercam", *(("attention",) * (kind == "attention")))
    expected = class_maps(members[0], PIXELS, labels, methods)
    found = class_maps(join(members, recipe), PIXELS, labels, methods)
    for name in methods:
        own, wanted = (maps[name] / maps[name].max() for maps in (found, expected))
        torch.testing.assert_close(torch.from_numpy(own), torch.from_numpy(wanted))


def test_logits_far_apart_have_slopes() -> None:
    """A class that is impossible to all networks has a logit and a slope like any other."""
    heads = [nn.Linear(2, 3) for _ in range(2)]
    for head in heads:
        head.bias.data = torch.tensor([400.0, 0.0, -400.0])
    features = torch.zeros(1, 4, requires_grad=True)
    logits = JoinedHead(heads)(features)
    (slopes,) = torch.autograd.grad(logits[0, 2], features)
    torch.testing.assert_close(logits[0], heads[0].bias.detach(), atol=1e-3, rtol=0)
    assert slopes.isfinite().all()


def test_a_bundle_of_several_is_no_backbone(tmp_path: Path) -> None:
    """Its weights are refused as a start, with the file that can be one."""
    recipe, members = pair("attention")
    path = tmp_path / "model.safetensors"
    save_file(contiguous(join(members, recipe).state_dict()), path)
    with pytest.raises(RecipeError, match="holds several networks: give checkpoints/best"):
        build_member(recipe.model_copy(update={"weights": str(path)}), 3)


def test_boxes_of_several_networks_are_refused() -> None:
    """A recipe that localises has one network."""
    with pytest.raises(RecipeError, match="set members=1"):
        load_recipe("best", ["members=2", "localise=true"])
