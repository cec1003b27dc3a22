"""Recipes: every field can be set, no other can, and mistakes get a sentence."""

import json
from pathlib import Path
from typing import Any

import pytest

from tumorscope.errors import RecipeError
from tumorscope.schema.recipe import (
    change_recipe,
    dump_recipe,
    field_names,
    load_recipe,
    recipe_names,
)


def test_resnet18_is_what_it_says() -> None:
    """The first recipe has the published settings."""
    recipe = load_recipe("resnet18")
    (stage,) = recipe.stages
    assert (recipe.image_size, recipe.backbone, recipe.pretrained) == (224, "resnet18", False)
    assert (stage.epochs, stage.optimizer, stage.learning_rate) == (25, "adam", 1e-3)
    assert recipe.augment.rotation > 0
    assert recipe.augment.horizontal_flip == recipe.augment.vertical_flip == 0.5


@pytest.mark.parametrize("name", recipe_names())
def test_recipes_survive_being_written(name: str, tmp_path: Path) -> None:
    """What a run keeps reads back to the same recipe."""
    path = tmp_path / "recipe.yaml"
    path.write_text(dump_recipe(load_recipe(name)), encoding="utf-8")
    assert load_recipe(path) == load_recipe(name)


def test_any_field_can_be_set() -> None:
    """Top-level, nested, stage by stage, and for all stages at once."""
    recipe = load_recipe(
        "resnet18",
        ["image_size=96", "augment.rotation=30", "stages.0.learning_rate=0.01", "epochs=3"],
    )
    assert recipe.image_size == 96
    assert recipe.augment.rotation == 30
    assert recipe.augment.vertical_flip == 0.5
    assert (recipe.stages[0].learning_rate, recipe.epochs) == (0.01, 3)


def test_every_listed_field_is_accepted() -> None:
    """The list that errors show is the list of what works."""
    recipe = load_recipe("resnet18")
    content = recipe.model_dump(mode="json")
    for name in field_names():
        value: Any = content if name.split(".")[0] in content else content["stages"][0]
        for step in name.split("."):
            value = value[int(step)] if isinstance(value, list) else value[step]
        assert load_recipe("resnet18", [f"{name}={json.dumps(value)}"]) == recipe


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("imagesize=96", "did you mean 'image_size'"),
        ("epoch=3", "did you mean 'epochs'"),
        ("augment.rotate=3", "did you mean 'augment.rotation'"),
        ("stages.4.epochs=3", "no field 'stages.4.epochs'"),
        ("image_size=huge", "image_size='huge' is not allowed"),
        ("sizes=64", r"it takes a list, such as sizes=\[64\]"),
        ("image_size=4", "greater than or equal to 16"),
        ("epochs=0", "epochs"),
        ("optimizer=magic", "optimizer"),
        ("image_size", "is not field=value"),
    ],
)
def test_mistakes_get_a_sentence(override: str, message: str) -> None:
    """A wrong field names the nearest one; a wrong value says what is allowed."""
    with pytest.raises(RecipeError, match=message):
        load_recipe("resnet18", [override])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\nbackbone: resnet18\nstages: [{epochs: 1}]\nlr: 1", "no field 'lr'"),
        ("name: x\nstages: [{epochs: 1}]", "'backbone' is missing"),
        ("name: [", "is not valid YAML"),
        ("just words", "holds no fields"),
        ("name: x\nbackbone: resnet18\nstages: []", "stages"),
    ],
)
def test_bad_recipe_files_get_a_sentence(tmp_path: Path, text: str, message: str) -> None:
    """A recipe file of one's own is held to the same schema."""
    path = tmp_path / "own.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError, match=message):
        load_recipe(path)


def test_changes_reach_into_what_was_left_empty(tmp_path: Path) -> None:
    """An empty part of a file, or a stage that is none, meets the schema and not a traceback."""
    path = tmp_path / "own.yaml"
    path.write_text("name: x\nbackbone: resnet18\naugment:\nstages: [{epochs: 1}]")
    assert load_recipe(path, ["augment.rotation=3"]).augment.rotation == 3
    path.write_text("name: x\nbackbone: resnet18\nstages: [1]")
    assert load_recipe(path, ["epochs=3"]).epochs == 3
    with pytest.raises(RecipeError, match=r"stages\.0"):
        load_recipe(path)


def test_a_recipe_at_hand_can_be_changed() -> None:
    """As one is that is named."""
    recipe = load_recipe("resnet18", ["seed=4"])
    assert change_recipe(recipe, ["epochs=2"]) == load_recipe("resnet18", ["seed=4", "epochs=2"])
    with pytest.raises(RecipeError, match="reflect must be less than image_size"):
        change_recipe(recipe, ["augment.reflect=64", "image_size=32"])


def test_unknown_recipe_names_the_nearest() -> None:
    """A misspelt name is answered with the right one."""
    with pytest.raises(RecipeError, match="did you mean 'resnet18'"):
        load_recipe("resnet-18")
