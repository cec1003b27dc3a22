"""The gate: tells inputs that are no slice like those a model was taught with.

A slice is looked at twice: as a small picture and as the features that the model sees in it. In
either view, probabilistic principal components of training images say how far an input lies from
them, and the distances of images that were held back say how far is too far. Source: Tipping and
Bishop (1999), Probabilistic Principal Component Analysis, equation 7 for the covariance.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FALSE_ALARMS = 0.01  # the share of slices like the training images that may be refused
COMPONENTS = 64
IMAGES_A_COMPONENT = 4  # fewer would make directions of single images
SMALL = 16  # the side of the small picture
FLOOR = 1e-6  # of the spread; features that never vary must not divide by zero


@dataclass(frozen=True)
class Familiar:
    """Where training images lie in one view.

    Attributes:
        mean: float32, shape (features,).
        directions: principal components, float32, shape (features, components).
        gains: what the square of each component adds beyond its share of the residual, float32,
            shape (components,); below zero, as components vary more than the rest.
        spread: the variance of all other directions.
        limit: the distance from which on an input is refused.
    """

    mean: NDArray[np.float32]
    directions: NDArray[np.float32]
    gains: NDArray[np.float32]
    spread: float
    limit: float

    def distances(self, seen: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return Mahalanobis distances, shape (n,), of rows of features, shape (n, features)."""
        centred = seen.astype(np.float64) - self.mean
        inside = centred @ self.directions.astype(np.float64)
        squares = (centred**2).sum(axis=1) / self.spread + (inside**2) @ self.gains
        return np.asarray(np.sqrt(np.maximum(squares, 0)))


@dataclass(frozen=True)
class Gate:
    """What an input must be like to be answered.

    Attributes:
        picture: how slices look, at 16 × 16, in grey levels from 0 to 1.
        features: how the model sees them.
        images: training images it was made from.
        held: images that set the limits.
        false_alarms: the share of slices like those that is expected to be refused.
    """

    picture: Familiar
    features: Familiar
    images: int
    held: int
    false_alarms: float

    def strangeness(
        self, small: NDArray[np.float32], embedding: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Return how far inputs lie, in limits, shape (n,): above 1 they are refused."""
        looks = self.picture.distances(small) / self.picture.limit
        sees = self.features.distances(embedding) / self.features.limit
        return np.asarray(np.maximum(looks, sees))


def fit_gate(
    pictures: NDArray[np.float32],
    embeddings: NDArray[np.float32],
    held_pictures: NDArray[np.float32],
    held_embeddings: NDArray[np.float32],
) -> Gate:
    """Learn what inputs must be like.

    Args:
        pictures: small pictures of training images, shape (n, 256), grey levels from 0 to 1.
        embeddings: features of the same, shape (n, features).
        held_pictures: small pictures of images that the model was not taught with.
        held_embeddings: features of those.
    """
    count = len(held_pictures)
    rank = min(math.ceil((count + 1) * (1 - FALSE_ALARMS / 2)), count)  # two views, half each
    return Gate(
        picture=_fit(pictures, held_pictures, rank),
        features=_fit(embeddings, held_embeddings, rank),
        images=len(pictures),
        held=count,
        false_alarms=min(1.0, 2 * (count + 1 - rank) / (count + 1)),
    )


def _fit(seen: NDArray[np.float32], held: NDArray[np.float32], rank: int) -> Familiar:
    """Fit one view; the `rank`-th smallest distance of the held images is the limit."""
    mean = seen.mean(axis=0, dtype=np.float64)
    centred = seen - mean
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    variances = sizes**2 / len(seen)
    kept = min(COMPONENTS, max(1, len(seen) // IMAGES_A_COMPONENT), seen.shape[1] - 1)
    spread = variances[kept:].sum() / (seen.shape[1] - kept)
    spread = float(max(spread, FLOOR * variances.sum(), np.finfo(np.float32).tiny))
    gains = 1 / np.maximum(variances[:kept], spread) - 1 / spread
    found = Familiar(
        mean=mean.astype(np.float32),
        directions=np.ascontiguousarray(directions[:kept].T, np.float32),
        gains=gains.astype(np.float32),
        spread=spread,
        limit=1.0,
    )
    limit = float(np.sort(found.distances(held))[rank - 1])
    return Familiar(found.mean, found.directions, found.gains, spread, max(limit, FLOOR))
