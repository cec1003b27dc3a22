"""The test images that a model is looked at on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorscope.evaluation.scores import mean_score
from tumorscope.metrics.intervals import Clusters, Range
from tumorscope.records import Box
from tumorscope.schema.scores import Score

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Pictures:
    """Test images, with what the data say of them.

    Attributes:
        pixels: uint8, shape (n, side, side), as the model sees them.
        labels: the class of each, str, shape (n,).
        groups: what belongs together, str, shape (n,).
        boxes: the lesions marked on each.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.str_]
    groups: NDArray[np.str_]
    boxes: Sequence[Sequence[Box]]

    def __len__(self) -> int:
        return len(self.pixels)

    def some(self, rows: Rows) -> "Pictures":
        """Return some of them."""
        boxes = [self.boxes[row] for row in rows.tolist()]
        return Pictures(self.pixels[rows], self.labels[rows], self.groups[rows], boxes)

    @classmethod
    def joined(cls, several: Sequence["Pictures"]) -> "Pictures":
        """Return those of several models' test images, one after the other."""
        return cls(
            np.concatenate([own.pixels for own in several]),
            np.concatenate([own.labels for own in several]),
            np.concatenate([own.groups for own in several]),
            [boxes for own in several for boxes in own.boxes],
        )

    @property
    def marked(self) -> Rows:
        """The numbers of those on which a lesion is marked."""
        return np.array([n for n, own in enumerate(self.boxes) if own], np.intp)

    def mean(self, values: NDArray[np.float64], within: Range = "share") -> Score:
        """Return the mean of a value an image, shape (n,), with its interval over groups."""
        return mean_score(values, Clusters.of(self.groups.tolist()), within)

    def mean_where(self, values: NDArray[np.float64], chosen: NDArray[np.bool_]) -> Score:
        """Return the mean of a value in [0, 1] over some of the images."""
        return mean_score(values[chosen], Clusters.of(self.groups[chosen].tolist()))
