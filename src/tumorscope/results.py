"""The documented schema of `results.json`."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from tumorscope.records import Part

FORMAT: Literal[1] = 1


class Strict(BaseModel):
    """A frozen part of the results that knows its fields and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Score(Strict):
    """One score.

    Attributes:
        value: the score; None where it is not defined for these images.
        low, high: ends of its 95 % interval; None where none was computed.
        n: how many images it was computed from.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int


class ClassScores(Strict):
    """Scores of one class on the test part.

    Attributes:
        canonical: the canonical name of the class; None where it is not known.
        precision, recall, f1, auroc: see `tumorscope.metrics`.
        support: how many test images are of the class.
    """

    canonical: str | None
    precision: Score
    recall: Score
    f1: Score
    auroc: Score
    support: int


class ImageCounts(Strict):
    """How many images each part has, and how many files were left out."""

    train: int
    validation: int
    test: int
    left_out: int


class PartScores(Strict):
    """Scores of the kept model on one part, without augmentation.

    Attributes:
        loss: mean negative log-likelihood.
        accuracy: share of images whose class is right.
    """

    loss: Score
    accuracy: Score


class SplitNote(Strict):
    """How the parts came about, in a word and in a sentence."""

    method: str
    note: str


class Controls(Strict):
    """Scores that need no learning and that a model must beat to mean anything.

    Attributes:
        majority: accuracy on the test part of always answering the class that is most frequent in
            training.
    """

    majority: Score


class Results(Strict):
    """What an evaluation found.

    Attributes:
        format: the version of this schema.
        tumorscope: the version that evaluated.
        classes: class names; the order of `confusion`.
        images: how many images there were.
        split: how the parts came about.
        leaks: test images of which a copy, or another slice of the patient, is in training or
            validation, as far as known.
        accuracy, balanced_accuracy, macro_f1, macro_auroc: on the test part.
        per_class: scores of each class on the test part.
        confusion: counts on the test part; rows are the truth, columns the prediction.
        parts: loss and accuracy of every part.
        controls: what the model must beat.
    """

    format: Literal[1] = FORMAT
    tumorscope: str
    classes: tuple[str, ...]
    images: ImageCounts
    split: SplitNote
    leaks: int
    accuracy: Score
    balanced_accuracy: Score
    macro_f1: Score
    macro_auroc: Score
    per_class: dict[str, ClassScores]
    confusion: list[list[int]]
    parts: dict[Part, PartScores]
    controls: Controls


class Spread(Strict):
    """One score over several seeds.

    Attributes:
        mean: over the seeds.
        standard_deviation: of one seed, from the sample; None of one seed.
        low, high: ends of the 95 % interval of the mean over seeds (Student's t); it covers chance
            in training alone, on these test images, not chance in which patients were tested.
        values: one a seed.
    """

    mean: float
    standard_deviation: float
    low: float
    high: float
    values: tuple[float, ...]


class SeedSummary(Strict):
    """What trainings that differ in the seed alone came to, as in `seeds.json`.

    Attributes:
        format: the version of this schema.
        seeds: the seeds.
        images: test images, the same for all.
        scores: accuracy, balanced accuracy and macro F1 on the test part.
        majority: accuracy of always answering the most frequent class.
    """

    format: Literal[1] = FORMAT
    seeds: tuple[int, ...]
    images: int
    scores: dict[str, Spread]
    majority: Score
