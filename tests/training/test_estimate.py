"""What is said of a run's length before it starts."""

import torch

from tumorscope.model import build_classifier
from tumorscope.schema.recipe import load_recipe
from tumorscope.training import estimate


def test_the_network_is_left_as_it_was() -> None:
    """Weights, statistics, gradients, modes and randomness are those from before."""
    recipe = load_recipe("mobilenetv2-staged", ["image_size=32", "pretrained=false", "epochs=2"])
    model = build_classifier(recipe, classes=3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    seed = torch.random.get_rng_state()
    assert "mobilenetv2-staged will take about" in estimate.foretell(model, recipe, 40, "cpu")
    assert torch.equal(torch.random.get_rng_state(), seed)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    model.set_trainable(["all"])
    assert all(module.training for module in model.modules())


def test_a_quicker_recipe_is_named_where_it_is_long() -> None:
    """Of hours, and not of seconds nor where it is the quickest already."""
    for name, images, named in (("resnet18", 10**6, True), ("resnet18", 1, False)):
        recipe = load_recipe(name, ["image_size=32", "epochs=1"])
        said = estimate.foretell(build_classifier(recipe, classes=2), recipe, images, "cpu")
        assert ("--recipe cnn-baseline" in said) == named, said
    recipe = load_recipe("cnn-baseline", ["image_size=32"])
    said = estimate.foretell(build_classifier(recipe, classes=2), recipe, 10**7, "cpu")
    assert "--recipe" not in said
