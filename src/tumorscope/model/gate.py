"""The gate: recognises inputs that do not look like the slices a model was trained on.

An input is looked at in three ways: as a small picture, by how often grey levels and steps between
neighbours occur in it, and as the features that the model sees in it. In each view, probabilistic
principal components of training images say how far an input lies from them. Distances count in
what is usual in their view, and the view in which an input is oddest decides. Images that were held
back say how odd is too odd: the promise holds as that of conformal prediction does.
Source: Tipping and Bishop (1999), Probabilistic Principal Component Analysis, equation 7.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

FALSE_ALARMS = 0.01  # the share of slices like the training images that may be refused
COMPONENTS = 64
IMAGES_A_COMPONENT = 4  # fewer would make directions of single images
SMALL = 16  # the side of the small picture
LEVEL_STEPS = (0, 4, 16, 32, 64, 96, 128, 160, 192, 224, 240, 255)  # ends of bins; most is black
NEIGHBOUR_STEPS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 255)
FLOOR = 1e-6  # of spreads and distances; features that never vary must not divide by zero
LEAST_SCALE = 0.05  # of the logarithms of distances, where few images tell it
SHARE_APART = 5  # every fifth training image tells what distances are usual, not what is near


@dataclass(frozen=True)
class Views:
    """Some images as the gate sees them.

    Attributes:
        picture: small pictures, float32, shape (n, 256), grey levels from 0 to 1.
        texture: square roots of the shares of grey levels and of steps between neighbours,
            float32, shape (n, bins).
        features: what the network sees, float32, shape (n, features).
    """

    picture: NDArray[np.float32]
    texture: NDArray[np.float32]
    features: NDArray[np.float32]

    def some(self, rows: slice) -> "Views":
        """Return the views of some of the images."""
        return Views(self.picture[rows], self.texture[rows], self.features[rows])


@dataclass(frozen=True)
class Subspace:
    """Where training images lie in one view.

    Attributes:
        mean: float32, shape (features,).
        directions: principal components, float32, shape (features, components).
        gains: what the square of each component adds beyond its share of the residual, float32,
            shape (components,); below zero, as components vary more than the rest.
        spread: the variance of all other directions.
        middle, scale: mean and standard deviation of the logarithms of usual distances.
    """

    mean: NDArray[np.float32]
    directions: NDArray[np.float32]
    gains: NDArray[np.float32]
    spread: float
    middle: float = 0.0
    scale: float = 1.0

    def oddness(self, seen: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return how odd rows of features are, shape (n,), in usual deviations."""
        centred = seen.astype(np.float64) - self.mean
        inside = centred @ self.directions.astype(np.float64)
        squares = (centred**2).sum(axis=1) / self.spread + (inside**2) @ self.gains
        logarithms = 0.5 * np.log(np.maximum(squares, FLOOR))
        return np.asarray((logarithms - self.middle) / self.scale)


@dataclass(frozen=True)
class Gate:
    """What an input must look like to be answered.

    Attributes:
        picture, texture, features: where training images lie in each view.
        limit: the oddness from which on an input is refused.
        images: training images it was made from.
        held: images that set the limit.
        false_alarms: the share of slices like those that is expected to be refused.
    """

    picture: Subspace
    texture: Subspace
    features: Subspace
    limit: float
    images: int
    held: int
    false_alarms: float

    def strangeness(self, seen: Views) -> NDArray[np.float64]:
        """Return how strange inputs are, above 0, shape (n,): above 1 they are refused."""
        familiar = (self.picture, self.texture, self.features)
        return np.asarray(np.exp(_oddest(familiar, seen) - self.limit))


def fit_gate(seen: Views, held: Views) -> Gate:
    """Learn from training images what inputs must look like.

    Args:
        seen: training images.
        held: images that the model was not trained on.
    """
    familiar = (_fit(seen.picture), _fit(seen.texture), _fit(seen.features))
    count = len(held.picture)
    rank = min(math.ceil((count + 1) * (1 - FALSE_ALARMS)), count)
    return Gate(
        *familiar,
        limit=float(np.sort(_oddest(familiar, held))[rank - 1]),
        images=len(seen.picture),
        held=count,
        false_alarms=(count + 1 - rank) / (count + 1),
    )


def _oddest(familiar: Sequence[Subspace], seen: Views) -> NDArray[np.float64]:
    """Return how odd images are in the view in which they are oddest, shape (n,)."""
    views = (seen.picture, seen.texture, seen.features)
    odd = [own.oddness(view) for own, view in zip(familiar, views, strict=True)]
    return np.asarray(np.max(odd, axis=0))


def _fit(seen: NDArray[np.float32]) -> Subspace:
    """Fit one view; the last of the images tell what distances are usual."""
    apart = max(1, len(seen) // SHARE_APART)
    first, last = seen[:-apart], seen[-apart:]
    mean = first.mean(axis=0, dtype=np.float64)
    _, sizes, directions = np.linalg.svd(first - mean, full_matrices=False)
    variances = sizes**2 / len(first)
    kept = min(COMPONENTS, max(1, len(first) // IMAGES_A_COMPONENT), seen.shape[1] - 1)
    spread = variances[kept:].sum() / (seen.shape[1] - kept)
    spread = float(max(spread, FLOOR * variances.sum(), np.finfo(np.float32).tiny))
    gains = 1 / np.maximum(variances[:kept], spread) - 1 / spread
    rough = Subspace(
        mean=mean.astype(np.float32),
        directions=np.ascontiguousarray(directions[:kept].T, np.float32),
        gains=gains.astype(np.float32),
        spread=spread,
    )
    odd = rough.oddness(last)
    return replace(rough, middle=float(odd.mean()), scale=float(max(odd.std(), LEAST_SCALE)))
