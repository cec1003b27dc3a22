"""Networks that answer together: with the mean of their probabilities, and as any other network."""

import pytest
import torch

from tumorscope.errors import RecipeError
from tumorscope.explanation.class_maps import class_maps
from tumorscope.model import Classifier, build_classifier, build_member, join, member_recipes
from tumorscope.model.ensemble import JoinedTrunk
from tumorscope.schema.recipe import Recipe, load_recipe

LATE = "train=[blocks.4, blocks.5, blocks.6, conv_head, bn2, head]"
KINDS = {
    "attention": ("backbone=mobilenetv2_050", "head=attention", LATE, "flip_averaging=true"),
    "pooling in the trunk": ("backbone=mobilenetv2_050", LATE),
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
    for own in members:  # what is frozen is the same in both, as it is after training
        own.trunk.load_state_dict(members[0].trunk.state_dict())
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


@pytest.mark.parametrize("kind", ["attention", "pooling in the trunk"])
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


def test_boxes_of_several_networks_are_refused() -> None:
    """A recipe that localises has one network."""
    with pytest.raises(RecipeError, match="set members=1"):
        load_recipe("best", ["members=2", "localise=true"])
