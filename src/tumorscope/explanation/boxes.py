"""The boxes that a model gives held against those around lesions."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tumorscope.evaluation.scores import make_score
from tumorscope.explanation.pictures import Pictures
from tumorscope.metrics.intervals import Clusters, interval
from tumorscope.metrics.scores import Ranking
from tumorscope.records import Box
from tumorscope.schema.explained import Localisation
from tumorscope.schema.scores import Score

HALF = 0.5  # overlap from which on a box counts as right


def score_boxes(told: NDArray[np.float32], pictures: Pictures) -> Localisation:
    """Score boxes.

    Args:
        told: centre, sides and score of each image's box, float32, shape (n, 5).
        pictures: the same images, each with a box; of several the best one counts.
    """
    pairs = list(zip(told, pictures.boxes, strict=True))
    overlaps = np.array([max(_overlap(own, box) for box in boxes) for own, boxes in pairs])
    inside = np.array([_holds(own, boxes) for own, boxes in pairs])
    right = overlaps >= HALF
    return Localisation(
        overlap=pictures.mean(overlaps),
        half=pictures.mean(right.astype(np.float64)),
        average_precision=_average_precision(right, told[:, 4], pictures),
        pointing=pictures.mean(inside.astype(np.float64)),
        overlap_per_class={
            label: pictures.mean_where(overlaps, pictures.labels == label)
            for label in sorted(set(pictures.labels.tolist()))
        },
    )


def _average_precision(
    right: NDArray[np.bool_], scores: NDArray[np.float32], pictures: Pictures
) -> Score:
    """Return the mean precision over the recalls that are reached; lesions not found count as 0."""
    ranking = Ranking(right, scores)

    def weighted(weights: NDArray[np.float64]) -> float:
        """Return it for images that count so often."""
        found = float(weights @ right)
        return ranking.average_precision(weights) * found / float(weights.sum()) if found else 0.0

    everyone, clusters = np.ones(len(right)), Clusters.of(pictures.groups.tolist())
    value = weighted(everyone)
    return make_score(
        value, interval(value, clusters.scores(weighted), clusters, everyone), len(right)
    )


def _overlap(own: NDArray[np.float32], box: Box) -> float:
    x, y, width, height = map(float, own[:4])
    across = _common(x, width, box.x_center, box.width)
    down = _common(y, height, box.y_center, box.height)
    shared = across * down
    union = width * height + box.width * box.height - shared
    return shared / union if union > 0 else 0.0


def _common(first: float, length: float, second: float, other: float) -> float:
    """Return how much two spans have in common, from their centres and lengths."""
    low = max(first - length / 2, second - other / 2)
    return max(0.0, min(first + length / 2, second + other / 2) - low)


def _holds(own: NDArray[np.float32], boxes: Sequence[Box]) -> bool:
    x, y = float(own[0]), float(own[1])
    return any(
        abs(x - box.x_center) <= box.width / 2 and abs(y - box.y_center) <= box.height / 2
        for box in boxes
    )
