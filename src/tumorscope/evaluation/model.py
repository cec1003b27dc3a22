"""What an evaluation needs of a model, and nothing more."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tumorscope.schema.card import Card


class ScoredModel(Protocol):
    """Anything that has a card and gives probabilities, as a `Predictor` does."""

    card: Card

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probability of each class of the card.

        Args:
            pixels: uint8, shape (n, side, side), at the model's size.

        Returns:
            float32, shape (n, classes), rows summing to 1.
        """
