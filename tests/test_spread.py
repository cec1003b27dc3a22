"""Intervals hold their level where images come in groups; paired tests are the textbook's."""

import numpy as np
import pytest
from scipy import stats

from tumorscope import metrics
from tumorscope.spread import confusion_interval, mcnemar, paired_gain, spread_of, wilson


def grouped(generator: np.random.Generator, groups: int, share: float) -> tuple[np.ndarray, ...]:
    """Truth, prediction and group of slices whose patients differ in how hard they are."""
    sizes = generator.integers(3, 20, groups)
    hardness = generator.beta(8 * share, 8 * (1 - share), groups)
    numbers = np.repeat(np.arange(groups), sizes)
    right = generator.random(len(numbers)) < hardness[numbers]
    truth = (numbers % 2).astype(np.intp)
    return truth, np.where(right, truth, 1 - truth), numbers


@pytest.mark.parametrize(("groups", "share"), [(12, 0.8), (40, 0.9)])
def test_intervals_hold_their_level_with_few_patients(groups: int, share: float) -> None:
    """In 400 simulated sets, 95 % intervals hold the truth in 91 to 99 % of them."""
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        truth, predicted, numbers = grouped(generator, groups, share)
        ends = confusion_interval(metrics.accuracy, truth, predicted, list(numbers), 2)
        assert ends is not None
        held += ends[0] <= share <= ends[1]
    assert 0.91 <= held / 400 <= 0.99


def test_grouped_images_widen_the_interval() -> None:
    """Ten slices of each patient say less than as many slices of as many patients."""
    truth, predicted, numbers = grouped(np.random.default_rng(1), 150, 0.85)
    wide = confusion_interval(metrics.accuracy, truth, predicted, list(numbers), 2)
    narrow = confusion_interval(metrics.accuracy, truth, predicted, list(range(len(truth))), 2)
    assert wide is not None
    assert narrow is not None
    assert wide[1] - wide[0] > 1.2 * (narrow[1] - narrow[0])
    share = float((truth == predicted).mean())
    assert narrow == pytest.approx(wilson(share, len(truth)), abs=0.01)


def test_a_perfect_score_has_an_interval_by_groups() -> None:
    """All right on five patients is no proof: the lower end is Wilson's of five."""
    truth = np.repeat([0, 1, 0, 1, 0], 10).astype(np.intp)
    found = confusion_interval(metrics.accuracy, truth, truth, list(np.repeat(range(5), 10)), 2)
    assert found == wilson(1.0, 5)
    assert confusion_interval(metrics.accuracy, truth, truth, ["one"] * 50, 2) is None


def test_wilson_is_scipys() -> None:
    """The interval of a plain share agrees with an independent implementation."""
    for right, count in ((35, 38), (0, 7), (9, 9)):
        other = stats.binomtest(right, count).proportion_ci(method="wilson")
        assert wilson(right / count, count) == pytest.approx((other.low, other.high), abs=1e-12)


def test_mcnemar_counts_the_images_on_which_two_models_differ() -> None:
    """Images that both get right or wrong say nothing."""
    first = np.array([True] * 50 + [True] * 3 + [False] * 12)
    second = np.array([True] * 50 + [False] * 3 + [True] * 12)
    assert mcnemar(first, second) == pytest.approx(stats.binomtest(3, 15).pvalue)
    assert mcnemar(first, first) == 1


def test_a_paired_gain_without_groups_is_a_paired_t_test() -> None:
    """With one image a group the jackknife is the t interval of the differences."""
    generator = np.random.default_rng(2)
    first, second = generator.random(60) < 0.7, generator.random(60) < 0.9
    gain, ends = paired_gain(first, second, list(range(60)))
    other = stats.ttest_rel(second.astype(float), first.astype(float)).confidence_interval(0.95)
    assert ends == pytest.approx((other.low, other.high))
    assert gain == pytest.approx(second.mean() - first.mean())


def test_a_spread_over_seeds_is_a_t_interval() -> None:
    """Mean, sample deviation and interval agree with SciPy's."""
    values = [0.8, 0.9, 0.85, 0.7]
    found = spread_of(values)
    other = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((other.low, other.high))
    assert found.standard_deviation == pytest.approx(float(np.std(values, ddof=1)))
