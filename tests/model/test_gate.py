"""The gate: distances against an independent implementation, its limit, the layer in the graph."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import chi2

from tumorscope.model.deployed import GateLayer, GateViews, shares
from tumorscope.model.gate import LEVEL_STEPS, Subspace, Views, _fit, fit_gate


def drawn(count: int, features: int, seed: int, scale: float = 1.0) -> NDArray[np.float32]:
    """Correlated Gaussian rows."""
    generator = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(features, features)) / np.sqrt(features)
    values = scale * generator.normal(size=(count, features)) @ (mixing + np.eye(features))
    return np.asarray(values, np.float32)


def views(count: int, seed: int, scale: float = 1.0) -> Views:
    """Three views of some images."""
    return Views(*(drawn(count, width, seed + width, scale) for width in (256, 32, 40)))


def test_distances_are_those_of_the_full_covariance() -> None:
    """With all components kept the distance is Mahalanobis', by SciPy's own inverse."""
    seen = drawn(5000, 12, 0)
    first, last = seen[:4000], seen[4000:]
    centred = last - first.mean(axis=0)
    inverse = np.linalg.inv(np.cov(first.T, bias=True))
    squares = np.einsum("ni,ij,nj->n", centred, inverse, centred)
    logarithms = 0.5 * np.log(squares)
    expected = (logarithms - logarithms.mean()) / logarithms.std()
    np.testing.assert_allclose(_fit(seen).oddness(last), expected, atol=0.05)
    assert np.mean(squares < chi2.ppf(0.9, 12)) == pytest.approx(0.9, abs=0.05)


@pytest.mark.parametrize("held", [30, 150, 1000])
def test_few_like_the_held_images_are_refused(held: int) -> None:
    """Over many draws, new images like the held ones are refused at the rate that is promised."""
    rates, promised = [], 0.0
    for seed in range(0, 10_000, 100):
        gate = fit_gate(views(300, seed), views(held, seed + 1))
        promised = gate.false_alarms
        rates.append(np.mean(gate.strangeness(views(200, seed + 2)) > 1))
    assert promised <= max(0.01, 1 / (held + 1))
    assert np.mean(rates) == pytest.approx(promised, abs=0.01)


def test_what_lies_elsewhere_is_refused() -> None:
    """Images three times as far out are strange in every view."""
    gate = fit_gate(views(300, 0), views(200, 1))
    assert (gate.strangeness(views(100, 2, scale=3.0)) > 1).all()


def test_the_layer_is_the_gate() -> None:
    """What is exported gives what NumPy gives."""
    size = 48
    generator = np.random.default_rng(0)
    pixels = torch.from_numpy(generator.integers(0, 256, (60, size, size))).float()
    embedding = torch.from_numpy(drawn(60, 20, 0))
    small, texture = GateViews(size)(pixels)
    seen = Views(small.numpy(), texture.numpy(), embedding.numpy())
    gate = fit_gate(seen.some(slice(30)), seen.some(slice(30, 50)))
    found = GateLayer(gate, size)(pixels, embedding).numpy()
    np.testing.assert_allclose(found, gate.strangeness(seen), rtol=2e-3)


def test_shares_count_values_by_their_nearness() -> None:
    """Each value counts once, split between the two steps beside it; NumPy's interp agrees."""
    values = torch.from_numpy(np.random.default_rng(0).uniform(0, 255, (3, 500))).float()
    steps = torch.tensor(LEVEL_STEPS).float()
    found = shares(values, steps).numpy()
    for number in range(len(LEVEL_STEPS)):
        tent = np.eye(len(LEVEL_STEPS))[number]
        expected = np.interp(values.numpy(), LEVEL_STEPS, tent).mean(axis=1)
        np.testing.assert_allclose(found[:, number], expected, atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


def test_features_that_never_vary() -> None:
    """Constant features and equal images give finite answers."""
    same = np.ones((20, 32), np.float32)
    found: Subspace = _fit(same)
    assert np.isfinite(found.oddness(same)).all()
    assert found.oddness(same + 1).min() > 1
