"""Conformal sets hold the true class as often as they say."""

import numpy as np
import pytest
from scipy import stats

from tumorscope.metrics.conformal import class_thresholds, label_sets

CLASSES, EACH, ALPHA = 3, 100, 0.1


def drawn(generator: np.random.Generator, each: int) -> tuple[np.ndarray, np.ndarray]:
    """Classes of unequal difficulty, `each` images of every one."""
    truth = np.repeat(np.arange(CLASSES), each)
    logits = generator.normal(0, 1, (len(truth), CLASSES))
    logits[np.arange(len(truth)), truth] += np.array([0.5, 1.5, 3.0])[truth]
    chances = np.exp(logits)
    return truth, chances / chances.sum(axis=1, keepdims=True)


def test_each_class_is_covered_as_promised_and_spreads_as_the_beta_law_says() -> None:
    """1,000 draws of 100 calibration slices a class: mean within 1.5 points, spread by the law."""
    generator = np.random.default_rng(0)
    truth, chances = drawn(generator, 20_000)  # stands for all there is
    ranked = [np.sort(chances[truth == k, k]) for k in range(CLASSES)]
    covered = np.empty((1000, CLASSES))
    for draw in covered:
        thresholds = class_thresholds(*drawn(generator, EACH), ALPHA)
        for number, threshold in enumerate(thresholds):
            assert threshold is not None
            below = np.searchsorted(ranked[number], threshold)
            draw[number] = 1 - below / len(ranked[number])
    rank = int(np.ceil((EACH + 1) * (1 - ALPHA)))
    law = stats.beta(rank, EACH + 1 - rank)
    for number in range(CLASSES):
        assert covered[:, number].mean() == pytest.approx(1 - ALPHA, abs=0.015)
        assert covered[:, number].mean() == pytest.approx(law.mean(), abs=0.005)
        assert covered[:, number].std() == pytest.approx(law.std(), rel=0.1)


def test_a_class_with_too_few_images_has_no_threshold_and_is_in_every_set() -> None:
    """Of 8 images nothing can be promised at an error rate of 10 %, of 9 it can."""
    for count, applicable in ((8, False), (9, True)):
        truth = np.array([0] * count + [1] * 20)
        chances = np.tile([0.5, 0.5], (len(truth), 1))
        first, second = class_thresholds(truth, chances, 0.1)
        assert (first is not None) == applicable
        assert second is not None
    sets = label_sets(np.array([[0.0, 1.0], [0.7, 0.3]]), (None, 0.5))
    assert sets.tolist() == [[True, True], [True, False]]


def test_an_image_like_no_class_gets_an_empty_set() -> None:
    """Where no probability reaches its threshold the set says so."""
    assert not label_sets(np.array([[0.5, 0.5]]), (0.9, 0.8)).any()
