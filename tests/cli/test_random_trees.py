"""Random trees of files through the verbs: each works or refuses in words, the data untouched."""

import os

import pytest
from fuzz.trees import attempt


def test_random_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dozen trees; `make fuzz` draws more of them."""
    monkeypatch.setenv("TUMORSCOPE_CACHE", os.devnull)  # put back what each tree changes
    trials = [attempt(number) for number in range(24, 36)]
    assert [(trial.number, trial.fault, trial.said) for trial in trials if trial.fault] == []
    assert len({trial.verb for trial in trials}) > 2
