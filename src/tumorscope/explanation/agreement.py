"""Maps held against the boxes around lesions, and against two maps that know nothing."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from tumorscope.explanation.class_maps import ATTENTION, class_maps
from tumorscope.explanation.explain import enlarged
from tumorscope.explanation.measures import (
    centred_gaussian,
    energy_inside,
    hot_box,
    overlap,
    points_inside,
    recall,
)
from tumorscope.explanation.pictures import Pictures
from tumorscope.model import Classifier, build_classifier
from tumorscope.model.changes import box_mask
from tumorscope.records import Box
from tumorscope.schema.explained import MapScores
from tumorscope.schema.recipe import Recipe
from tumorscope.support.progress import Task

UNTRAINED, GAUSSIAN = "untrained network", "Gaussian in the middle"
REFERENCES = (UNTRAINED, GAUSSIAN)
SIZES = ("small", "middle", "large")  # thirds of the lesions, by the area of their boxes
CHUNK = 16

Measured = tuple[float, float, float, float]  # pointing, energy, overlap, recall


def measure_maps(
    network: Classifier, recipe: Recipe, marked: Pictures, methods: Sequence[str], task: Task
) -> dict[str, list[Measured]]:
    """Hold maps of the class that is answered against the boxes, with two references.

    Args:
        network: in evaluation mode.
        recipe: of the network; the untrained reference is built from it.
        marked: test images, each with a box.
        methods: names in `CLASS_MAPS`, or `attention`.
        task: advanced by each image.

    Returns:
        The measures of each image, by method.
    """
    untrained = untrained_network(network, recipe)
    found: dict[str, list[Measured]] = {}
    for start in range(0, len(marked), CHUNK):
        pixels = marked.pixels[start : start + CHUNK]
        for name, maps in _looked(network, untrained, pixels, methods).items():
            own = [
                measure(enlarged(one, len(image)), boxes)
                for one, image, boxes in zip(
                    maps, pixels, marked.boxes[start : start + CHUNK], strict=True
                )
            ]
            found.setdefault(name, []).extend(own)
        task.advance(len(pixels))
    return found


def untrained_network(network: Classifier, recipe: Recipe) -> Classifier:
    """Return the same network before training, in evaluation mode."""
    blank = recipe.model_copy(update={"pretrained": False, "weights": None})
    return build_classifier(blank, network.classes).eval()


def measure(found: NDArray[np.float32], boxes: Sequence[Box]) -> Measured:
    """Return pointing, energy, overlap and recall of a map at the size of its image.

    An empty map points nowhere.
    """
    mask = box_mask(boxes, len(found))
    if not found.max() > 0:
        return 0.0, 0.0, 0.0, 0.0
    hot = hot_box(found)
    own = float(points_inside(found, mask)), energy_inside(found, mask)
    return (*own, overlap(hot, mask), recall(hot, mask))


def _looked(
    network: Classifier, untrained: Classifier, pixels: NDArray[np.uint8], methods: Sequence[str]
) -> Mapping[str, NDArray[np.float32]]:
    """Return the maps of some images by method, for the class that the model answers."""
    images = torch.from_numpy(pixels).float().unsqueeze(1)
    with torch.no_grad():
        answers = network.probabilities(images).argmax(dim=1)
    maps = class_maps(network, images, answers, tuple(methods))
    own = next((name for name in methods if name != ATTENTION), "gradcam")
    blind = class_maps(untrained, images, answers, (own,))[own]
    bell = centred_gaussian(pixels.shape[1])
    return {**maps, UNTRAINED: blind, GAUSSIAN: np.stack([bell] * len(pixels))}


def score_maps(
    found: Mapping[str, Sequence[Measured]], pictures: Pictures
) -> tuple[MapScores, ...]:
    """Return the scores of each method from its measures on each image.

    Args:
        found: the measures of all images, by method.
        pictures: the same images, each with a box.
    """
    sizes = np.array([float(box_mask(own, 100).mean()) for own in pictures.boxes])
    thirds = np.searchsorted(np.quantile(sizes, [1 / 3, 2 / 3]), sizes)
    scores = []
    for name, own in found.items():
        values = np.array(own, np.float64)
        pointing, energy, overlapping, covered = (pictures.mean(column) for column in values.T)
        scores.append(
            MapScores(
                method=name,
                reference=name in REFERENCES,
                pointing=pointing,
                energy=energy,
                overlap=overlapping,
                recall=covered,
                pointing_per_class={
                    label: pictures.mean_where(values[:, 0], pictures.labels == label)
                    for label in sorted(set(pictures.labels.tolist()))
                },
                pointing_per_size={
                    size: pictures.mean_where(values[:, 0], thirds == n)
                    for n, size in enumerate(SIZES)
                },
            )
        )
    return tuple(scores)
