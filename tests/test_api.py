"""The public list, and the order of the walk wherever it stands."""

import re
from pathlib import Path

import pytest

import tumorscope
from tumorscope.cli import WALK, app

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
