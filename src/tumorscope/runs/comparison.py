"""Runs side by side: scores with intervals, and whether a difference is more than chance."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from tumorscope.errors import UsageError
from tumorscope.metrics.intervals import paired_gain, sign_flip_test
from tumorscope.runs.folder import PARTITION, PREDICTIONS, RECIPE, read_results, representative_run
from tumorscope.schema.comparison import ComparedRun, Comparison, RunPair
from tumorscope.schema.recipe import load_recipe
from tumorscope.support.files import read_csv, shown_name

ImageKey = tuple[str, int]


@dataclass(frozen=True)
class TestedImage:
    """What a run says of one image of its test part."""

    name: str
    truth: str
    right: bool
    group: str


def compare_runs(folders: Sequence[Path]) -> Comparison:
    """Put runs side by side.

    Args:
        folders: of finished runs, or of cross-validations.

    Raises:
        UsageError: fewer than two, one named twice, or one that is no finished run.
    """
    if len(folders) < 2:
        raise UsageError("One run cannot be compared: name two or more.")
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise UsageError("A run is named twice: name each once.")
    tested = {folder: read_tested(folder) for folder in folders}
    pairs = [
        _pair(first, second, tested[first], tested[second])
        for first, second in combinations(folders, 2)
    ]
    return Comparison(runs=tuple(map(_compared, folders)), pairs=tuple(pairs))


def _compared(folder: Path) -> ComparedRun:
    results = read_results(folder, pooled=True)
    return ComparedRun(
        run=shown_name(str(folder)),
        recipe=load_recipe(representative_run(folder) / RECIPE).name,
        images=results.images.test,
        leaks=results.leaks,
        accuracy=results.all.accuracy,
        balanced_accuracy=results.all.balanced_accuracy,
        macro_f1=results.all.macro_f1,
        majority=results.all.controls.majority,
    )


def read_tested(folder: Path) -> dict[ImageKey, TestedImage]:
    """Read what a run said of its test part, by the images' contents.

    Returns:
        The images by the digest of their file, and a number that tells copies of it apart.

    Raises:
        UsageError: the folder is no finished run.
    """
    read_results(folder, pooled=True)  # says so where it is none
    shared = representative_run(folder)
    digests = {row["image"]: row["sha256"] for row in read_csv(shared / "manifest.csv")}
    groups = {row["image"]: row["group"] for row in read_csv(shared / PARTITION)}
    copies: Counter[str] = Counter()
    tested = {}
    for row in read_csv(folder / PREDICTIONS):
        name, truth = row["image"], row["truth"]
        digest = digests[name]
        copies[digest] += 1
        right = row["predicted"] == truth
        tested[digest, copies[digest]] = TestedImage(name, truth, right, groups[name])
    return tested


def _pair(
    first: Path,
    second: Path,
    one: Mapping[ImageKey, TestedImage],
    other: Mapping[ImageKey, TestedImage],
) -> RunPair:
    """Compare on the images that both were tested on under one label, whatever their names."""
    shared = [key for key in one if key in other and one[key].truth == other[key].truth]
    names = {image.name for key, image in other.items() if key not in one}
    pair = RunPair(
        first=shown_name(str(first)),
        second=shown_name(str(second)),
        images=len(shared),
        other_content=sum(image.name in names for key, image in one.items() if key not in other),
        gain=None,
        low=None,
        high=None,
        p_value=None,
    )
    if not shared:
        return pair
    a = np.array([one[key].right for key in shared])
    b = np.array([other[key].right for key in shared])
    groups = [one[key].group for key in shared]
    gain, ends = paired_gain(a, b, groups)
    low, high = ends or (None, None)
    scores = {"gain": gain, "low": low, "high": high, "p_value": sign_flip_test(a, b, groups)}
    return pair.model_copy(update=scores)
