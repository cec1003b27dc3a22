"""Where a model fails: by patient, by series, by pair of classes, by what images share."""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tumorscope.data.store import Store
from tumorscope.errors import UsageError
from tumorscope.evaluation.scores import Cases, score_cases, share_score
from tumorscope.metrics.scores import Probabilities, Values
from tumorscope.metrics.series import members_of, series_chances
from tumorscope.schema.labels import healthy_class
from tumorscope.schema.results import ConfusedPair, Subgroup
from tumorscope.schema.scores import PatientScores, SeriesScores

MOST_VALUES = 8  # of a column that are told apart; the rest is put together
ALWAYS = ("plane", "source")  # columns of a manifest that are always broken down
OTHER = "other"


def score_patients(
    cases: Cases, patients: Sequence[str | None], names: Sequence[str]
) -> PatientScores | None:
    """Score patients by the mean of the probabilities of their slices.

    Args:
        cases: the test images.
        patients: whom each belongs to, None where that is not known.
        names: the classes.

    Returns:
        None where no patient is known, or none has slices of one class alone.
    """
    found = _merged(cases, patients, lambda chances: chances.astype(np.float64).mean(axis=0))
    if found is None:
        return None
    merged, of_two_classes = found
    return PatientScores(
        **dict(score_cases(merged, names)),
        without_patient=sum(patient is None for patient in patients),
        of_two_classes=of_two_classes,
    )


def score_series(
    cases: Cases, series: Sequence[Hashable | None], names: Sequence[str], count: int
) -> SeriesScores | None:
    """Score series as `tumorscope predict` answers them: by their most suspicious slices.

    Args:
        cases: the test images.
        series: which each is a slice of, None where that is not known.
        names: the classes.
        count: how many of its most suspicious slices decide for a series.

    Returns:
        None where no series is known, or none has slices of one class alone.
    """
    healthy = healthy_class(names)
    found = _merged(cases, series, lambda chances: series_chances(chances, healthy, count))
    if found is None:
        return None
    merged, of_two_classes = found
    return SeriesScores(
        **dict(score_cases(merged, names)),
        slices=count,
        without_series=sum(one is None for one in series),
        of_two_classes=of_two_classes,
    )


def _merged(
    cases: Cases, owners: Sequence[Hashable | None], merge: Callable[[Probabilities], Values]
) -> tuple[Cases, int] | None:
    """Return one case an owner of images, and how many owners have images of two classes."""
    members = members_of(owners)
    whole = [own for own in members if len(set(cases.truth[own])) == 1]
    if not whole:
        return None
    first = [own[0] for own in whole]
    means = np.array([merge(cases.probabilities[own]) for own in whole])
    merged = Cases(cases.truth[first], means, [cases.groups[n] for n in first])
    return merged, len(members) - len(whole)


def count_confused(confusion: NDArray[np.intp], names: Sequence[str]) -> tuple[ConfusedPair, ...]:
    """Return the pairs of classes that are taken for each other, most images first."""
    pairs = [
        ConfusedPair(
            actual=actual,
            predicted=predicted,
            images=int(confusion[i, j]),
            share=float(confusion[i, j] / confusion[i].sum()),
        )
        for i, actual in enumerate(names)
        for j, predicted in enumerate(names)
        if i != j and confusion[i, j]
    ]
    return tuple(sorted(pairs, key=lambda pair: -pair.images))


def score_subgroups(cases: Cases, columns: Mapping[str, Sequence[str]]) -> tuple[Subgroup, ...]:
    """Score the images that share a value, for each column that has more than one.

    Args:
        cases: the test images.
        columns: the value of each of them, by the column's name.
    """
    subgroups = []
    for column, values in columns.items():
        shown = _few(values)
        told = np.array(shown)
        for value in sorted(set(shown), key=_by_number):
            own = told == value
            score = share_score(cases.right[own], cases.some(own).clusters)
            if len(set(shown)) > 1:
                subgroups.append(Subgroup(column=column, value=value, accuracy=score))
    return tuple(subgroups)


def _few(values: Sequence[str]) -> list[str]:
    """Return values of which there are few: numbers by quarter, else the most frequent ones."""
    counts = Counter(values)
    if len(counts) <= MOST_VALUES:
        return list(values)
    try:
        numbers = np.array([float(value) for value in values])
    except ValueError:
        kept = {value for value, _ in counts.most_common(MOST_VALUES - 1)}
        return [value if value in kept else OTHER for value in values]
    # Ends that occur among the values: whole numbers stay whole.
    ends = np.unique(np.quantile(numbers, [0, 0.25, 0.5, 0.75, 1], method="inverted_cdf"))
    names = [f"{low:g} to {high:g}" for low, high in pairwise(ends)]
    return [names[n] for n in np.clip(np.searchsorted(ends, numbers) - 1, 0, len(names) - 1)]


def _by_number(value: str) -> tuple[float, str]:
    """Order ranges and sizes by their first number, names by the alphabet, the rest last."""
    head = value.split(" ", maxsplit=1)[0].split("×", maxsplit=1)[0]
    if head.replace(".", "", 1).isdigit():
        return float(head), value
    return (float("inf") if value == OTHER else 0.0), value


def image_columns(
    store: Store, rows: NDArray[np.intp], sources: Sequence[str], by: Sequence[str]
) -> dict[str, list[str]]:
    """Return what test images may share: size, format, known set, columns of the manifest.

    Args:
        store: all images.
        rows: the test images.
        sources: the known public set that each row of the store is a slice of.
        by: further columns of the manifest.

    Raises:
        UsageError: the manifest has no such column.
    """
    facts, listed = [store.facts[row] for row in rows], [store.manifest.rows[row] for row in rows]
    sizes = [f"{f.width}×{f.height}" for f in facts]
    if len(set(sizes)) > MOST_VALUES:
        sizes = [f"{(f.width * f.height) ** 0.5:.0f}" for f in facts]
    known = {name for row in store.manifest.rows for name, _ in row.others}
    for name in by:
        if name not in known:
            others = ", ".join(sorted(known)) or "only its own"
            raise UsageError(f"The manifest has no column '{name}'; it has these: {others}.")
    columns = {
        "image size (side in pixels)": sizes,
        "file format": [f.format for f in facts],
        "known set": [sources[row] for row in rows],
    }
    for name in dict.fromkeys((*(n for n in ALWAYS if n in known), *by)):
        columns[name] = [dict(row.others).get(name) or "not given" for row in listed]
    return columns
