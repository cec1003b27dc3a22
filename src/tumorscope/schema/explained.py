"""The documented schema of what an evaluation says of where a model looks."""

from pydantic import FiniteFloat

from tumorscope.schema.base import Strict
from tumorscope.schema.scores import Score


class Reliance(Strict):
    """What one change of the images does to the answers.

    Attributes:
        change: what was changed, such as `lesion filled`.
        changed: share of images whose most probable class becomes another.
        fall: mean fall of the probability of the class that was answered, in [-1, 1].
        per_class: `changed` of the images of each class.
    """

    change: str
    changed: Score
    fall: Score
    per_class: dict[str, Score]


class MapScores(Strict):
    """How well the maps of a method agree with the boxes around lesions.

    Attributes:
        method: its name, or that of a reference.
        reference: whether it knows nothing of the model that is explained.
        pointing: share of images whose highest place lies in a box.
        energy: share of a map that lies in the boxes, mean.
        overlap: of the boxes and the one around the map's hottest region (IoU), mean.
        recall: share of the boxes that this region covers, mean.
        pointing_per_class: of the images of each class.
        pointing_per_size: of the small, middle and large third of lesions.
    """

    method: str
    reference: bool
    pointing: Score
    energy: Score
    overlap: Score
    recall: Score
    pointing_per_class: dict[str, Score]
    pointing_per_size: dict[str, Score]


class Sanity(Strict):
    """What becomes of maps as the network's weights are drawn anew, from the answer backwards.

    Attributes:
        method: of the maps.
        blocks: what was drawn anew last, in the network's words.
        likeness: rank correlation with the maps of the trained network, mean over images, after
            each block, in [-1, 1].
        trusted: whether the maps are unlike once everything is drawn anew.
        deletion, insertion: area under the probability of the answer as places are taken away, and
            put in, the most important first, in [0, 1]; a good map has a small and a large one.
        random_deletion, random_insertion: the same in random order.
        images: how many were looked at.
    """

    method: str
    blocks: tuple[str, ...]
    likeness: tuple[FiniteFloat, ...]
    trusted: bool
    deletion: Score
    insertion: Score
    random_deletion: Score
    random_insertion: Score
    images: int


class EmbeddingProbe(Strict):
    """How well something can be told from what the network makes of an image.

    Attributes:
        told: what, such as `class`, `file format`, `plane`.
        accuracy: of a linear classifier on the embedding, cross-validated, groups kept whole.
        majority: share of the most frequent value.
        values: how many values there are.
        images: how many it was tried on.
        right_with: accuracy of the model on images of the class that is the most frequent one for
            their value; None where that is the same class for every value.
        right_against: accuracy on the other images. Far below the former, the model goes by what
            was told rather than by the lesion.
    """

    told: str
    accuracy: FiniteFloat
    majority: FiniteFloat
    values: int
    images: int
    right_with: Score | None = None
    right_against: Score | None = None


class Localisation(Strict):
    """How well the boxes that a model gives agree with those around lesions.

    Attributes:
        overlap: of a box and the true one (IoU), mean.
        half: share of images where this is at least 0.5.
        average_precision: of boxes ranked by their score, right where the overlap is at least 0.5.
        pointing: share of images where the box's centre lies in the true one.
        overlap_per_class: of the images of each class.
    """

    overlap: Score
    half: Score
    average_precision: Score
    pointing: Score
    overlap_per_class: dict[str, Score]


class Explained(Strict):
    """Where a model looks, and whether it would answer the same without that.

    Attributes:
        images: test images that were looked at; drawn at random where there are more.
        warnings: what makes the answers weaker than they look, one sentence each; they stand on the
            first screen of the report.
        sentences: what else this comes to.
        reliance: of each change.
        maps: of each method and reference; empty where no lesion is marked.
        sanity: of the method that the report shows; None without PyTorch.
        probes: of each thing that the data say of images.
        localisation: None where the model gives no boxes, or no lesion is marked.
    """

    images: int
    warnings: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()
    reliance: tuple[Reliance, ...] = ()
    maps: tuple[MapScores, ...] = ()
    sanity: Sanity | None = None
    probes: tuple[EmbeddingProbe, ...] = ()
    localisation: Localisation | None = None
