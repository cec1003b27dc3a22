"""The documented schema of a bundle's `card.json`."""

from typing import Annotated, Literal

from pydantic import Field

from tumorscope.schema.base import Strict
from tumorscope.schema.labels import healthy_class
from tumorscope.schema.recipe import Normalize, Recipe
from tumorscope.schema.scores import Score

FORMAT: Literal[3] = 3


Precision = Literal["fp32", "fp16", "int8"]


INTENDED_USE = (
    "Research on the classification of brain MRI slices. Not a medical device: "
    "not for diagnosis, treatment or any decision about a patient."
)


UNSTATED = "Not stated: ask whoever trained it; the images' own terms may bind the model too."


class Preprocessing(Strict):
    """What happens to a decoded grey slice before the network.

    Attributes:
        image_size: the side of the square it is resized to, in pixels.
        resize: how: an antialiasing triangle filter, rounded to whole grey levels.
        normalize: mean and standard deviation a channel; part of the graph.
    """

    image_size: Annotated[int, Field(ge=1)]
    resize: Literal["triangle, rounded"] = "triangle, rounded"
    normalize: Normalize


class Provenance(Strict):
    """Where a model comes from.

    Attributes:
        tumorscope: the version that trained it.
        data: the name of the data set's folder or table.
        data_digest: SHA-256 over paths, labels, splits, patients and contents.
        partition_digest: SHA-256 over which image went where.
        partition: how the parts came about, in a sentence.
        images: how many images each part had.
        kept_epoch: the epoch whose weights these are; of several networks, the first one's.
        weights: what training started from; None from scratch.
        weights_source, weights_licence: where these weights come from and under what licence, as
            their file says; None where it does not.
        created: when, ISO 8601, UTC.
    """

    tumorscope: str
    data: str
    data_digest: str
    partition_digest: str
    partition: str
    images: dict[str, int]
    kept_epoch: int
    weights: str | None = None
    weights_source: str | None = None
    weights_licence: str | None = None
    created: str


class ModelCalibration(Strict):
    """Calibration learned from the validation images.

    Attributes:
        temperature: what the logarithms of the probabilities are divided by; part of the graph.
        note: how it was found, or why it is 1.
        error_rate: how often a conformal set may miss.
        thresholds: the probability from which on each class is in an image's set; None for a class
            with too few validation images. Empty where there are none at all.
        images: validation images of each class.
    """

    temperature: Annotated[float, Field(gt=0)] = 1.0
    note: str = "This model was not calibrated."
    error_rate: Annotated[float, Field(gt=0, lt=1)] = 0.1
    thresholds: tuple[float | None, ...] = ()
    images: tuple[int, ...] = ()


class SeriesRule(Strict):
    """How the answers to the slices of a series become one.

    Attributes:
        slices: how many of the most suspicious slices are averaged.
        series: validation series that this was fitted on.
        note: how it was found, or why it is 1.
    """

    slices: Annotated[int, Field(ge=1)] = 1
    series: int = 0
    note: str = "Not fitted: no validation series."


class GateSummary(Strict):
    """What the gate was made from; the gate itself is part of the graph.

    Attributes:
        images: training images that say where slices lie.
        held: images that the model was not trained on; they set the limit, which is 1.
        false_alarms: the share of slices like those that is expected to be refused.
        limit: the strangeness above which an input is refused.
    """

    images: Annotated[int, Field(ge=1)]
    held: Annotated[int, Field(ge=1)]
    false_alarms: Annotated[float, Field(ge=0, le=1)]
    limit: float = 1.0


class Conversion(Strict):
    """How an exported graph differs from the one it was made from, on the machine that made it.

    Attributes:
        images: validation images that both answered.
        largest: the largest difference between two probabilities.
        changed: images of another class.
        loss: accuracy lost, with its 95 % interval over groups, in [-1, 1].
        accuracy: on the test images, which decided nothing.
        accuracy_before: the original's on the same.
        bytes, bytes_before: of the graph.
        speed, speed_before: images per second, from slices of the model's size to answers.
        forced: why the export would not have been kept had it not been forced; empty otherwise.
    """

    images: int
    largest: float
    changed: int
    loss: Score
    accuracy: Score
    accuracy_before: Score
    bytes: int
    bytes_before: int
    speed: float
    speed_before: float
    forced: str = ""


class Card(Strict):
    """Everything one must know to use a model.

    Attributes:
        format: the version of this schema.
        classes: class names as the user wrote them, in the order of the outputs.
        canonical: the canonical class of each, None where it is not known.
        embedding: how many features the second output has.
        precision: of the graph: fp32; fp16, where weights are held in half precision; int8, where
            it computes in eight bits.
        conversion: how its answers compare with the original graph's; None in a run's bundle.
        preprocessing: what happens before the network.
        recipe: how it was trained.
        calibration: how sure it may be.
        series: how it answers for a series.
        gate: what inputs it answers.
        provenance: where it comes from.
        summary: what its evaluation came to, in a sentence or two; empty before it.
        scores: what it scored on its test images, by name; empty before the evaluation.
        elsewhere: its accuracy on other data sets, by their names, as far as it was measured.
        scope: what it can tell and what it cannot, in a sentence; empty where nobody has said.
        files: SHA-256 of each other file of the bundle.
        versions: of the packages that made it.
        licence: under which the model may be used, as far as its authors have said.
        intended_use: what it is for, and what not.
    """

    format: Literal[3] = FORMAT
    classes: Annotated[tuple[str, ...], Field(min_length=2)]
    canonical: tuple[str | None, ...]
    embedding: Annotated[int, Field(ge=1)]
    precision: Precision = "fp32"
    conversion: Conversion | None = None
    preprocessing: Preprocessing
    recipe: Recipe
    calibration: ModelCalibration = ModelCalibration()
    series: SeriesRule = SeriesRule()
    gate: GateSummary
    provenance: Provenance
    summary: str = ""
    scores: dict[str, Score] = Field(default_factory=dict)
    elsewhere: dict[str, Score] = Field(default_factory=dict)
    scope: str = ""
    files: dict[str, str]
    versions: dict[str, str] = Field(default_factory=dict)
    licence: str = UNSTATED
    intended_use: str = INTENDED_USE

    @property
    def healthy(self) -> int | None:
        """The number of the class that stands for no tumour, None where there is none."""
        return healthy_class(self.classes)
