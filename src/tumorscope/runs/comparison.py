"""Runs side by side: scores with intervals, and whether a difference is more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from tumorscope.errors import UsageError
from tumorscope.metrics.intervals import mcnemar, paired_gain
from tumorscope.runs.folder import RECIPE, read_results
from tumorscope.schema.comparison import ComparedRun, Comparison, RunPair
from tumorscope.schema.recipe import load_recipe
from tumorscope.support.files import read_csv


@dataclass(frozen=True)
class RunAnswers:
    """What a run says of its test part, by image: whether it is right, and the image's group."""

    right: dict[str, bool]
    truth: dict[str, str]
    group: dict[str, str]


def compare_runs(folders: Sequence[Path]) -> Comparison:
    """Put runs side by side.

    Args:
        folders: of finished trainings.

    Raises:
        UsageError: fewer than two, one named twice, or one that is no finished run.
    """
    if len(folders) < 2:
        raise UsageError("One run cannot be compared: name two or more.")
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise UsageError("A run is named twice: name each once.")
    answers = {folder: read_answers(folder) for folder in folders}
    pairs = [
        _pair(first, second, answers[first], answers[second])
        for first, second in combinations(folders, 2)
    ]
    return Comparison(runs=tuple(map(_compared, folders)), pairs=tuple(pairs))


def _compared(folder: Path) -> ComparedRun:
    results = read_results(folder)
    return ComparedRun(
        run=str(folder),
        recipe=load_recipe(folder / RECIPE).name,
        images=results.images.test,
        leaks=results.leaks,
        accuracy=results.all.accuracy,
        balanced_accuracy=results.all.balanced_accuracy,
        macro_f1=results.all.macro_f1,
        majority=results.all.controls.majority,
    )


def read_answers(folder: Path) -> RunAnswers:
    """Read what a run said of its test part.

    Raises:
        UsageError: the folder is no finished run.
    """
    read_results(folder)  # says so where it is none
    rows = read_csv(folder / "predictions.csv")
    return RunAnswers(
        {row["image"]: row["predicted"] == row["truth"] for row in rows},
        {row["image"]: row["truth"] for row in rows},
        {row["image"]: row["group"] for row in read_csv(folder / "partition.csv")},
    )


def _pair(first: Path, second: Path, one: RunAnswers, other: RunAnswers) -> RunPair:
    """Compare on the images that both were tested on under one label."""
    shared = [image for image in one.right if other.truth.get(image) == one.truth[image]]
    pair = RunPair(
        first=str(first),
        second=str(second),
        images=len(shared),
        gain=None,
        low=None,
        high=None,
        p_value=None,
    )
    if not shared:
        return pair
    a = np.array([one.right[image] for image in shared])
    b = np.array([other.right[image] for image in shared])
    gain, ends = paired_gain(a, b, [one.group[image] for image in shared])
    low, high = ends or (None, None)
    scores = {"gain": gain, "low": low, "high": high, "p_value": mcnemar(a, b)}
    return pair.model_copy(update=scores)
