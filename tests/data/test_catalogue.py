"""The list of public sets, and what happens when one cannot be fetched."""

import json
import os
from pathlib import Path

import pytest

from tests.conftest import Command
from tumorscope.data.catalogue import fetch_set, known_sets
from tumorscope.data.layouts import read_manifest
from tumorscope.errors import DataError, UsageError
from tumorscope.schema.recipe import recipe_names


def test_the_list_agrees_with_the_real_sets(real_data: Path) -> None:
    """Counts and class names are those of the files; the set with boxes is here in part."""
    known = {one.name: one for one in known_sets()}
    for name in ("sartaj", "cheng", "yesno", "boxes"):
        manifest = read_manifest(real_data / name)
        assert manifest.classes == known[name].classes
        if name != "boxes":
            assert len(manifest.rows) == known[name].images


def test_every_set_names_recipes_that_exist() -> None:
    """And where it comes from."""
    for one in known_sets():
        assert set(one.recipes) <= set(recipe_names())
        assert (one.kaggle is None) != (one.figshare is None)
        assert one.defects


def test_the_list_is_printed(process: Command) -> None:
    """As a table and as JSON."""
    text = process("datasets").stdout
    assert "Kaggle sartajbhuvaji/brain-tumor-classification-mri" in " ".join(text.split())
    listed = json.loads(process("datasets", "--json").stdout)
    assert [one["name"] for one in listed] == [one.name for one in known_sets()]


def test_without_a_network_there_is_the_manual_way(process: Command, tmp_path: Path) -> None:
    """A sentence and exit code 2, no traceback."""
    quiet = {**os.environ, "KAGGLEHUB_CACHE": str(tmp_path), "HTTPS_PROXY": "http://127.0.0.1:9"}
    ran = process("datasets", "fetch", "yesno", env=quiet)
    assert ran.returncode == 2
    assert "cannot be downloaded" in ran.stderr
    assert "with a browser, unpack it" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_unknown_sets_and_sets_elsewhere_get_a_sentence() -> None:
    """The list is named; a set that Kaggle does not have says where it is."""
    with pytest.raises(UsageError, match="choose from sartaj, cheng"):
        fetch_set("mnist")
    with pytest.raises(DataError, match="figshare 1512427"):
        fetch_set("cheng")
