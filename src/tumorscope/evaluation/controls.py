"""Scores that need no learning of images, and that a model must beat to mean anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscope.data.resize import resize_squares
from tumorscope.data.store import Store

Numbers = NDArray[np.intp]
LOOK_UP_SIDE = 32
LARGEST = 20_000  # images that a look-up compares with each other; a larger set is sampled


@dataclass(frozen=True)
class Probe:
    """What can be told without looking at the brain.

    Attributes:
        accuracy: cross-validated, groups kept whole.
        majority: the share of the most frequent class.
        n: how many images.
    """

    accuracy: float
    majority: float
    n: int


def majority(training: Numbers, tested: Numbers) -> float | None:
    """Return the accuracy of always answering training's most frequent class; None of nothing."""
    if not len(training) or not len(tested):
        return None
    return float((tested == np.bincount(training).argmax()).mean())


def look_up_prints(thumbnails: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return thumbnails of 32 × 32 without mean and at length 1, float32, shape (n, 1024).

    Each pixel is the mean of 2 × 2 pixels of the thumbnail: a triangle filter here would smooth
    twice.
    """
    count, side = len(thumbnails), LOOK_UP_SIDE
    quarters = thumbnails.reshape(count, side, 2, side, 2)
    levels = quarters.mean(axis=(2, 4), dtype=np.float32).reshape(count, -1)
    levels -= levels.mean(axis=1, keepdims=True)
    levels /= np.maximum(np.linalg.norm(levels, axis=1, keepdims=True), 1e-6)
    return np.asarray(levels, np.float32)


def look_up(
    prints: NDArray[np.float32], labels: Numbers, training: Numbers, tested: Numbers
) -> float | None:
    """Return the accuracy of answering the class of the most similar training image.

    Args:
        prints: as for `look_up_answers`, as are the others.
        labels: class numbers of all images.
        training: rows that may be looked up.
        tested: rows to answer.
    """
    if not len(training) or not len(tested):
        return None
    answers = look_up_answers(prints, labels, training, tested)
    return float((answers == labels[tested]).mean())


def look_up_answers(
    prints: NDArray[np.float32], labels: Numbers, training: Numbers, tested: Numbers
) -> Numbers:
    """Return the class of each test image's most similar training image.

    Nearest neighbour by normalised cross-correlation of thumbnails.

    Args:
        prints: of all images, from `look_up_prints`.
        labels: class numbers of all images, int, shape (n,).
        training: row numbers that may be looked up, one at least.
        tested: row numbers to answer.

    Returns:
        Class numbers, int, shape (tested,).
    """
    answers = np.empty(len(tested), np.intp)
    for start in range(0, len(tested), 1024):
        likeness = prints[tested[start : start + 1024]] @ prints[training].T
        answers[start : start + 1024] = labels[training[likeness.argmax(axis=1)]]
    return answers


def file_facts_answers(
    features: NDArray[np.float64], labels: Numbers, training: Numbers, tested: Numbers
) -> Numbers:
    """Return the answers of trees trained on file facts.

    Args:
        features: of all images, from `file_facts`.
        labels: class numbers of all images, int, shape (n,).
        training: row numbers to learn from, one at least.
        tested: row numbers to answer.

    Returns:
        Class numbers, int, shape (tested,).
    """
    answers: Numbers = _trees().fit(features[training], labels[training]).predict(features[tested])
    return answers


def look_up_folds(prints: NDArray[np.float32], labels: Numbers, folds: Numbers) -> dict[int, float]:
    """Return the look-up's accuracy on each fold, looked up in all the others."""
    scores = {}
    for fold in np.unique(folds):
        score = look_up(
            prints, labels, np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        )
        if score is not None:
            scores[int(fold)] = score
    return scores


def file_facts(store: Store, rows: Numbers) -> NDArray[np.float64]:
    """Return what some files say without their picture's middle, float64, shape (n, 11).

    Width, height, bytes, bytes a pixel, colour, the means of the four edges, and format, mode,
    quantisation tables and extension as numbers.
    """
    thumbnails = store.thumbnails[rows]
    edges = [thumbnails[:, 0], thumbnails[:, -1], thumbnails[:, :, 0], thumbnails[:, :, -1]]
    facts = [store.facts[row] for row in rows]
    names = [store.manifest.rows[row].image for row in rows]
    words = [
        (f.format, f.mode, f.tables, name.rpartition(".")[2])
        for f, name in zip(facts, names, strict=True)
    ]
    numbers = [
        (f.width, f.height, f.bytes, f.bytes / (f.width * f.height), f.colour) for f in facts
    ]
    coded = np.stack(
        [np.unique(column, return_inverse=True)[1] for column in zip(*words, strict=True)], 1
    )
    return np.hstack([np.array(numbers), np.stack([e.mean(axis=1) for e in edges], 1), coded])


def background(store: Store, rows: Numbers) -> NDArray[np.float64]:
    """Return some images with the head blacked out, float64, shape (n, 256).

    The head is all that lies between the first and the last bright pixel of both its row and its
    column.
    """
    images = resize_squares(store.thumbnails[rows], 16).astype(np.float64)
    bright = images > 0.15 * images.max(axis=(1, 2), keepdims=True)
    inside = np.ones_like(bright)
    for axis in (1, 2):
        ahead = np.maximum.accumulate(bright, axis=axis)
        behind = np.flip(np.maximum.accumulate(np.flip(bright, axis), axis=axis), axis)
        inside &= ahead & behind
    return np.where(inside, 0, images).reshape(len(images), -1)


def probe(
    features: NDArray[np.floating], labels: Numbers, groups: Numbers, *, linear: bool = False
) -> Probe | None:
    """Try to tell the class from features, cross-validated with groups kept whole.

    Args:
        features: of some images, shape (n, features).
        labels: what is to be told of each, int, shape (n,).
        groups: what belongs together, int, shape (n,).
        linear: by logistic regression, instead of trees.

    Returns:
        None where a class has too few groups for three folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict  # noqa: PLC0415

    holders = [len(np.unique(groups[labels == label])) for label in np.unique(labels)]
    if len(holders) < 2 or min(holders) < 3:
        return None
    folds = StratifiedGroupKFold(3, shuffle=True, random_state=0)
    learner = _line() if linear else _trees()
    answers = cross_val_predict(learner, features, labels, groups=groups, cv=folds)
    share = np.bincount(labels).max() / len(labels)
    return Probe(float((answers == labels).mean()), float(share), len(labels))


def _line() -> Any:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 (slow to import)
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    return make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=200))


def _trees() -> Any:
    from sklearn.ensemble import ExtraTreesClassifier  # noqa: PLC0415 (slow to import)

    return ExtraTreesClassifier(40, min_samples_leaf=2, n_jobs=-1, random_state=0)


def sample(count: int) -> Numbers:
    """Return the row numbers a probe uses: all, or `LARGEST` of a larger set."""
    if count <= LARGEST:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, LARGEST, replace=False))


def random_folds(count: int, folds: int = 5) -> Numbers:
    """Return a fold for each image, drawn at random whatever belongs together."""
    return np.random.default_rng(0).permutation(np.arange(count) % folds)


def pooled(scores: dict[int, float], folds: Sequence[int] | Numbers) -> float | None:
    """Return the accuracy over all images from the accuracies of the folds."""
    if not scores:
        return None
    counts = {int(f): int(n) for f, n in zip(*np.unique(folds, return_counts=True), strict=True)}
    total = sum(counts[f] for f in scores)
    return sum(score * counts[f] for f, score in scores.items()) / total
