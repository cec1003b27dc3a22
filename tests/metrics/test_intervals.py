"""Intervals hold their level where images come in groups; paired tests are the textbook's."""

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from tumorscope.evaluation.seeds import seed_spread
from tumorscope.metrics import scores as metrics
from tumorscope.metrics.intervals import (
    Clusters,
    Interval,
    interval,
    mean_interval,
    paired_gain,
    sign_flip_test,
    wilson,
)
from tumorscope.metrics.scores import Counts, Values


def grouped(generator: np.random.Generator, groups: int, share: float) -> tuple[np.ndarray, ...]:
    """Truth, prediction and group of slices whose patients differ in how hard they are."""
    sizes = generator.integers(1, 21, groups)
    hardness = generator.beta(4 * share, 4 * (1 - share), groups)  # correlation 0.2
    numbers = np.repeat(np.arange(groups), sizes)
    right = generator.random(len(numbers)) < hardness[numbers]
    truth = (numbers % 2).astype(np.intp)
    return truth, np.where(right, truth, 1 - truth), numbers


def ends_of(
    score: Callable[[Counts], Values], truth: np.ndarray, predicted: np.ndarray, groups: object
) -> Interval | None:
    """The interval of a score of the confusion matrix of two classes."""
    clusters = Clusters.of(list(groups))  # type: ignore[call-overload]
    value = float(score(metrics.confusion_matrix(truth, predicted, 2)))
    left = score(clusters.confusions(truth, predicted, 2))
    return interval(value, left, clusters, np.ones(len(truth)))


@pytest.mark.parametrize(("groups", "share"), [(12, 0.8), (40, 0.9), (100, 0.7)])
def test_intervals_hold_their_level_with_few_patients(groups: int, share: float) -> None:
    """In 500 simulated studies, 95 % intervals hold the truth in 92 to 98 % of them."""
    generator = np.random.default_rng(0)
    held = slicewise = 0
    for _ in range(500):
        truth, predicted, numbers = grouped(generator, groups, share)
        ends = ends_of(metrics.accuracy, truth, predicted, numbers)
        assert ends is not None
        held += ends[0] <= share <= ends[1]
        low, high = wilson(float((truth == predicted).mean()), len(truth))
        slicewise += low <= share <= high
    assert 0.92 <= held / 500 <= 0.98
    assert slicewise / 500 < 0.85


def test_one_score_left_out_by_weights_is_the_same_as_by_counts() -> None:
    """Two ways to the same jackknife: weighted images, and confusion matrices less a cluster's."""
    truth, predicted, numbers = grouped(np.random.default_rng(3), 15, 0.8)
    clusters = Clusters.of(list(numbers))
    by_counts = metrics.accuracy(clusters.confusions(truth, predicted, 2))
    right = (truth == predicted).astype(float)
    by_weights = clusters.scores(lambda w: float((w * right).sum() / w.sum()))
    np.testing.assert_allclose(by_counts, by_weights)
    np.testing.assert_allclose(by_counts, clusters.means(right))


def test_of_very_many_groups_several_are_left_out_together() -> None:
    """Work stays bounded and the interval nearly the same as the textbook's."""
    truth = np.zeros(5000, np.intp)
    predicted = (np.random.default_rng(4).random(5000) < 0.2).astype(np.intp)
    assert Clusters.of(range(5000)).count == 1000
    ends = ends_of(metrics.accuracy, truth, predicted, range(5000))
    share = float((truth == predicted).mean())
    assert ends == pytest.approx(wilson(share, 5000), abs=0.002)


def test_grouped_images_widen_the_interval() -> None:
    """Ten slices of each patient say less than as many slices of as many patients."""
    truth, predicted, numbers = grouped(np.random.default_rng(1), 150, 0.85)
    wide = ends_of(metrics.accuracy, truth, predicted, numbers)
    narrow = ends_of(metrics.accuracy, truth, predicted, range(len(truth)))
    assert wide is not None
    assert narrow is not None
    assert wide[1] - wide[0] > 1.2 * (narrow[1] - narrow[0])
    share = float((truth == predicted).mean())
    assert narrow == pytest.approx(wilson(share, len(truth)), abs=0.01)


def test_a_perfect_score_has_an_interval_by_groups() -> None:
    """All right on five patients is no proof: the lower end is Wilson's of five."""
    truth = np.repeat([0, 1, 0, 1, 0], 10).astype(np.intp)
    assert ends_of(metrics.accuracy, truth, truth, np.repeat(range(5), 10)) == wilson(1.0, 5)
    assert ends_of(metrics.accuracy, truth, truth, ["one"] * 50) is None


def test_an_interval_stays_where_its_score_can_be() -> None:
    """Signed scores in [-1, 1], positive ones above 0, distances in [0, 1]."""
    truth, predicted, numbers = grouped(np.random.default_rng(5), 12, 0.9)
    clusters, everyone = Clusters.of(list(numbers)), np.ones(len(truth))
    value = float(metrics.mcc(metrics.confusion_matrix(truth, predicted, 2)))
    left = metrics.mcc(clusters.confusions(truth, predicted, 2))
    signed = interval(value, left, clusters, everyone, "signed")
    assert signed is not None
    assert -1 <= signed[0] < value < signed[1] <= 1
    loss = (truth != predicted).astype(float)
    positive = interval(float(loss.mean()), clusters.means(loss), clusters, everyone, "positive")
    assert positive is not None
    assert 0 < positive[0] < loss.mean() < positive[1]
    gap = interval(0.01, np.full(clusters.count, 0.01), clusters, everyone, "gap")
    assert gap == pytest.approx((0.01, 0.01))
    assert interval(float("nan"), left, clusters, everyone) is None


def test_wilson_is_scipys() -> None:
    """The interval of a plain share agrees with an independent implementation."""
    for right, count in ((35, 38), (0, 7), (9, 9)):
        other = stats.binomtest(right, count).proportion_ci(method="wilson")
        assert wilson(right / count, count) == pytest.approx((other.low, other.high), abs=1e-12)


def test_a_paired_test_of_single_images_is_mcnemars() -> None:
    """Images that both get right or wrong say nothing."""
    first = np.array([True] * 50 + [True] * 3 + [False] * 12)
    second = np.array([True] * 50 + [False] * 3 + [True] * 12)
    images = range(len(first))
    assert sign_flip_test(first, second, images) == pytest.approx(stats.binomtest(3, 15).pvalue)
    assert sign_flip_test(first, first, images) == 1


@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 7)), min_size=1, max_size=40)
)
def test_a_paired_test_flips_whole_groups(cases: list[tuple[bool, bool, int]]) -> None:
    """The p-value is that of counting every way to hand the groups' gains to the two models."""
    first, second, groups = (np.array(column) for column in zip(*cases, strict=True))
    gains = [int((second[groups == g].astype(int) - first[groups == g]).sum()) for g in range(8)]
    ways = [np.dot(signs, gains) for signs in product((-1, 1), repeat=8)]
    extreme = np.mean(np.abs(ways) >= abs(sum(gains)))
    assert sign_flip_test(first, second, list(groups)) == pytest.approx(extreme)


def test_paired_gains_hold_their_level() -> None:
    """In 400 simulated pairs of models on 25 patients, intervals hold the truth in 91 to 98 %."""
    generator, held = np.random.default_rng(6), 0
    for _ in range(400):
        sizes = generator.integers(1, 15, 25)
        numbers = np.repeat(np.arange(25), sizes)
        hard = generator.beta(2, 1, 25)[numbers]
        first = generator.random(len(numbers)) < 0.9 * hard
        second = generator.random(len(numbers)) < 0.9 * hard + 0.1
        ends = paired_gain(first, second, list(numbers))[1]
        assert ends is not None
        held += ends[0] <= 0.1 <= ends[1]
    assert 0.91 <= held / 400 <= 0.98


def test_a_paired_gain_without_groups_is_nearly_a_paired_t_test() -> None:
    """With one image a group the bootstrap-t comes close to the t interval of the differences."""
    generator = np.random.default_rng(2)
    first, second = generator.random(300) < 0.7, generator.random(300) < 0.9
    gain, ends = paired_gain(first, second, list(range(300)))
    other = stats.ttest_rel(second.astype(float), first.astype(float)).confidence_interval(0.95)
    assert ends == pytest.approx((other.low, other.high), abs=0.01)
    assert gain == pytest.approx(second.mean() - first.mean())
    assert paired_gain(first, second, list(range(300))) == (gain, ends)


def test_a_gain_on_one_group_only_has_students_interval() -> None:
    """Where most draws miss the group that differs, the bootstrap has nothing to measure in."""
    first = np.array([True] * 30 + [False])
    gain, ends = paired_gain(first, np.ones(31, bool), list(range(31)))
    assert ends is not None
    assert ends[0] < gain < ends[1] < 0.2
    assert paired_gain(first, first, ["one"] * 31) == (0, None)


def test_a_gain_that_is_the_same_in_every_group_has_an_exact_interval() -> None:
    """No spread is no certainty: so few groups may hide a share that differs."""
    right = np.array([True] * 30 + [False])
    gain, ends = paired_gain(right, right, list(range(31)))
    unseen = 1 - 0.025 ** (1 / 31)  # Clopper and Pearson's upper end of 0 in 31
    assert gain == 0
    assert ends == pytest.approx((-unseen, unseen))
    gain, ends = paired_gain(np.zeros(31, bool), np.ones(31, bool), list(range(31)))
    assert gain == 1
    assert ends == pytest.approx((1 - 2 * unseen, 1))


def test_a_spread_over_seeds_is_a_t_interval() -> None:
    """Mean, sample deviation and interval agree with SciPy's, whose ends are put on the logit."""
    values = [0.8, 0.9, 0.85, 0.7]
    found = seed_spread(values)
    plain = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    slope = found.mean * (1 - found.mean)
    ends = [special.logit(found.mean) + (end - found.mean) / slope for end in plain]
    assert (found.low, found.high) == pytest.approx(tuple(special.expit(ends)))
    above_one = seed_spread([0.86, 0.91, 0.99])
    assert above_one.high is not None
    assert above_one.high < 1
    assert seed_spread([0.7, 0.9]).low is None
    assert found.standard_deviation == pytest.approx(float(np.std(values, ddof=1)))


@given(st.lists(st.floats(0, 1), max_size=9))
def test_the_interval_of_a_mean_stays_among_shares(shares: list[float]) -> None:
    """It holds the mean and ends at 0 and 1; two runs, or equal ones, give none."""
    ends = mean_interval(shares)
    assert (ends is None) == (len(shares) < 3 or len(set(shares)) == 1)
    if ends:
        assert 0 <= ends[0] <= np.mean(shares) <= ends[1] <= 1
