"""Temperature and calibration errors against simulated answers whose truth is known."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torchmetrics.functional.classification import multiclass_calibration_error

from tumorscope.metrics.calibration import calibration_gaps, fit_temperature, gaps_of, tempered
from tumorscope.metrics.intervals import Clusters
from tumorscope.metrics.scores import log_losses


def answers(
    seed: int, count: int, sharper: float = 1.0
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Truth drawn from probabilities, and the same probabilities too sure by a factor of logits."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 1.5, (count, 4))
    chances = tempered(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), 1.0)
    truth = np.array([generator.choice(4, p=row) for row in chances])
    return truth, tempered(chances, 1 / sharper)


@settings(max_examples=50, deadline=None)
@given(temperature=st.floats(0.05, 20), seed=st.integers(0, 100))
def test_a_temperature_divides_logits_and_keeps_the_class(temperature: float, seed: int) -> None:
    """The same as softmax of divided logits; undone by its inverse."""
    logits = torch.from_numpy(np.random.default_rng(seed).normal(0, 2, (20, 4)))
    chances = logits.softmax(1).numpy()
    expected = (logits / temperature).softmax(1).numpy()
    found = tempered(chances, temperature)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    np.testing.assert_array_equal(found.argmax(1), chances.argmax(1))
    if temperature >= 0.5:  # sharper than that, small probabilities are rounded to nothing
        np.testing.assert_allclose(tempered(found, 1 / temperature), chances, atol=1e-6)


def test_the_temperature_of_answers_that_are_too_sure_is_found() -> None:
    """Logits that are twice too large are cooled by two, and the likelihood grows."""
    truth, chances = answers(0, 4000, sharper=2.0)
    temperature, note = fit_temperature(truth, chances)
    assert temperature == pytest.approx(2.0, rel=0.06)
    assert "4000 validation images" in note
    before, after = log_losses(truth, chances), log_losses(truth, tempered(chances, temperature))
    assert after.mean() < before.mean()


def test_answers_without_a_mistake_teach_no_temperature() -> None:
    """Else the model would be made surer without end."""
    truth = np.array([0, 1, 1])
    assert fit_temperature(truth, np.array([[0.8, 0.2], [0.4, 0.6], [0.1, 0.9]]))[0] == 1.0


def test_the_debiased_error_of_honest_answers_is_zero_on_average() -> None:
    """Over 200 sets of 300 honest answers the plain error is 6 points, the debiased square none."""
    plain, squared = [], []
    for seed in range(200):
        truth, chances = answers(seed, 300)
        sure, right = chances.max(axis=1), chances.argmax(axis=1) == truth
        found = calibration_gaps(sure, right, Clusters.of(range(300)))
        plain.append(found.plain)
        squared.append(found.squared)
        assert found.counts.sum() == 300
        assert found.maximum >= found.plain
        assert found.expected == max(0.0, found.squared) ** 0.5
    assert np.mean(plain) > 0.05
    assert abs(np.mean(squared)) < 3 * np.std(squared) / 200**0.5
    assert abs(np.mean(squared)) < 0.1 * np.mean(plain) ** 2


def test_the_error_of_answers_that_are_too_sure_is_found() -> None:
    """Answers that promise 10 points more than they keep are 10 points off."""
    generator = np.random.default_rng(3)
    sure = generator.uniform(0.6, 0.95, 6000)
    right = generator.random(6000) < sure - 0.1
    found = calibration_gaps(sure, right, Clusters.of(range(6000)))
    assert found.expected == pytest.approx(0.1, abs=0.012)
    np.testing.assert_allclose(gaps_of(found, sure, right, np.ones(6000)), found.gaps)


def test_plain_errors_are_those_of_torchmetrics_in_one_bin() -> None:
    """With fewer than forty images there is one bin, where equal mass and equal width agree."""
    truth, chances = answers(5, 39)
    sure, right = chances.max(axis=1), chances.argmax(axis=1) == truth
    found = calibration_gaps(sure, right, Clusters.of(range(39)))
    theirs = multiclass_calibration_error(
        torch.from_numpy(chances), torch.from_numpy(truth), 4, n_bins=1
    )
    assert found.plain == pytest.approx(float(theirs), abs=1e-6)


def test_patients_count_and_not_slices() -> None:
    """On average over sets nothing is left either where slices of one patient share their fate."""
    squared, by_slices = [], []
    for seed in range(200):
        generator = np.random.default_rng(seed)
        numbers = np.repeat(np.arange(60), 10)
        sure = 0.8 + generator.uniform(-0.1, 0.1, 60)[numbers]  # a patient is in one bin
        right = (generator.random(60) < sure[::10])[numbers]
        squared.append(calibration_gaps(sure, right, Clusters.of(list(numbers))).squared)
        by_slices.append(calibration_gaps(sure, right, Clusters.of(range(600))).squared)
    assert abs(np.mean(squared)) < 0.2 * np.mean(by_slices)
