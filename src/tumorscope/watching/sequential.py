"""What may be said while data still come in: bounds that hold however often one looks.

All rest on Ville's inequality: a process that is not expected to grow passes 1/α with probability α
at most, over all time. Sources: Robbins (1970), Statistical methods related to the law of the
iterated logarithm; Waudby-Smith and Ramdas (2024), Estimating means of bounded random variables by
betting; Shin, Ramdas and Rinaldo (2024), E-detectors.

Values are means over what belongs together (a patient's images), each in [0, 1].
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

ALPHA = 0.05
# Of what may be lost at most on one value. The best stake on a fall is the fall itself, by what was
# expected; on a gain, the gain by what was left to gain.
ON_FALLS = (0.03, 0.06, 0.12, 0.25)
ON_GAINS = (0.1, 0.25, 0.5, 0.8)
ENOUGH = 1e100  # evidence past which nobody doubts; more would overflow
GRID = np.linspace(0.0005, 0.9995, 1000)

Values = NDArray[np.float64]


def confidence_sequence(values: Values, alpha: float = ALPHA) -> tuple[Values, Values]:
    """Return bounds of the mean after each value that hold for all of them together.

    As long as the mean does not change, it lies between both at every moment with probability
    1 - alpha; where it has changed, they are about the mean of all values so far. By a mixture of
    likelihood ratios over a Beta(1/2, 1/2); what bounds coins bounds every value in [0, 1] of the
    same mean, since the ratios are convex.

    Args:
        values: in the order in which they came, in [0, 1], shape (n,).
        alpha: how often they may fail, over all time.

    Returns:
        The lower and the upper bounds, shape (n,) each.

    >>> low, high = confidence_sequence(np.ones(50))
    >>> bool(low[-1] > 0.85), float(high[-1])
    (True, 1.0)
    """
    counts = np.arange(1, len(values) + 1)
    sums = np.cumsum(values)
    mixture = special.betaln(0.5 + sums, 0.5 + counts - sums) - special.betaln(0.5, 0.5)
    low, high = np.zeros(len(values)), np.ones(len(values))
    for n, (total, count, own) in enumerate(zip(sums, counts, mixture, strict=True)):
        evidence = own - total * np.log(GRID) - (count - total) * np.log1p(-GRID)
        kept = np.flatnonzero(evidence < math.log(1 / alpha))
        if len(kept):
            low[n] = 0.0 if kept[0] == 0 else GRID[kept[0] - 1]
            high[n] = 1.0 if kept[-1] == len(GRID) - 1 else GRID[kept[-1] + 1]
        else:  # between two points of the grid
            low[n] = high[n] = total / count
    return low, high


def drop_evidence(values: Values, expected: float, horizon: int) -> Values:
    """Return the evidence, after each value, that the mean has fallen below what was expected.

    A bet against each value from each moment on, all of equal weight, so that a fall at any time is
    found; as long as no value's mean is below `expected`, the evidence passes 1/α with probability
    α at most over the whole horizon.

    Args:
        values: in the order in which they came, in [0, 1], shape (n,).
        expected: the mean that was promised, in (0, 1).
        horizon: how many values there may be in all; later ones start no new bet.

    Returns:
        At least 0, shape (n,).
    """
    stakes = np.array(ON_FALLS) / max(1 - expected, 1e-9)
    started, evidence = np.zeros(len(stakes)), np.empty(len(values))
    for n, value in enumerate(values):
        fresh = 1 / horizon if n < horizon else 0.0
        started = np.minimum((started + fresh) * (1 + stakes * (expected - value)), ENOUGH)
        # What has not been staked yet is kept.
        evidence[n] = started.mean() + max(0.0, 1 - (n + 1) / horizon)
    return evidence


def gain_evidence(values: Values, chance: float) -> Values:
    """Return the evidence, after each value, that the mean is above what chance would give.

    Args:
        values: in the order in which they came, in [0, 1], shape (n,).
        chance: the mean of a guess, in (0, 1).

    Returns:
        At least 0, shape (n,); it passes 1/α with probability α at most where there is no gain.
    """
    stakes = np.array(ON_GAINS)[:, None] / chance
    growth = np.log1p(np.maximum(stakes * (values - chance), -1 + 1e-12)).cumsum(axis=1)
    return np.asarray(np.exp(growth.clip(max=700)).mean(axis=0))


def first_passing(evidence: Values, alpha: float = ALPHA) -> int | None:
    """Return the number of the first value after which evidence suffices; None where it never does.

    >>> first_passing(np.array([1.0, 30.0, 2.0])), first_passing(np.array([1.0]))
    (1, None)
    """
    passed = np.flatnonzero(evidence >= 1 / alpha)
    return int(passed[0]) if len(passed) else None


def needed(expected: float, fallen: float, alpha: float = ALPHA) -> int:
    """Return about how many values are needed to tell a fall, by the best test there can be.

    Wald's bound for one that knows both means and when it happened: log(1/α) by the divergence of
    the two coins.

    >>> needed(0.95, 0.90) < needed(0.95, 0.93)
    True
    """
    divergence = fallen * math.log(fallen / expected) + (1 - fallen) * math.log(
        (1 - fallen) / (1 - expected)
    )
    return math.ceil(math.log(1 / alpha) / divergence)
