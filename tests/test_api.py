"""The public list, and the order of the walk wherever it stands."""

import inspect
import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

import tumorscope
from tumorscope.cli import WALK, app
from tumorscope.runs.options import TrainOptions
from tumorscope.support.extras import EXTRAS

ROOT = Path(__file__).parents[1]


def test_every_public_name_can_be_imported() -> None:
    """The list and the namespace agree."""
    for name in tumorscope.__all__:
        assert getattr(tumorscope, name) is not None
    assert dir(tumorscope) == sorted(tumorscope.__all__)


def test_no_public_name_is_a_module() -> None:
    """Importing a module of that name would take the function's place."""
    modules = {path.stem for path in (ROOT / "src" / "tumorscope").iterdir()}
    assert not modules & set(tumorscope.__all__)


def test_unknown_name_is_an_attribute_error() -> None:
    """A misspelt name is refused as in any module."""
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = tumorscope.trian


def test_walk_is_the_same_in_docstring_help_and_readme() -> None:
    """The order of the stages stands in three places and is equal in all."""
    pattern = re.compile(r"read → [\w →]+")
    assert tumorscope.__doc__ is not None
    assert app.info.help is not None
    texts = [tumorscope.__doc__, app.info.help, (ROOT / "README.md").read_text(encoding="utf-8")]
    found = [pattern.search(" ".join(text.split("\n"))) for text in texts]
    walks = [match[0].split(" → ") for match in found if match]
    assert len(walks) == 3
    cleaned = [[stage.split()[0] for stage in walk] for walk in walks]
    assert cleaned[0] == cleaned[1] == cleaned[2] == WALK.split(" → ")


@pytest.mark.parametrize("verb", ["train", "train_seeds", "train_folds"])
def test_verbs_that_train_spell_out_every_option(verb: str) -> None:
    """Each option stands in the signature with the default of `TrainOptions`, by keyword only."""
    parameters = inspect.signature(getattr(tumorscope, verb)).parameters
    for field in fields(TrainOptions):
        shown = parameters[field.name]
        if field.name == "data":
            assert shown.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
            continue
        assert shown.kind is inspect.Parameter.KEYWORD_ONLY
        assert shown.default == field.default
    more = set(parameters) - {field.name for field in fields(TrainOptions)}
    assert more == {"train": set(), "train_seeds": {"seeds"}, "train_folds": {"folds"}}[verb]


def test_extras_are_those_of_the_project_file() -> None:
    """The table that names install commands knows each extra, and no other."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(EXTRAS) == set(project["optional-dependencies"])


def test_the_top_of_the_package_stays_short() -> None:
    """A reader sees at most two dozen entries."""
    listed = (ROOT / "src" / "tumorscope").iterdir()
    assert len([p for p in listed if p.name not in ("__pycache__", "py.typed")]) <= 24
