"""The documented schemas of `seeds.json` and `folds.json`."""

from typing import Literal

from tumorscope.schema.base import Strict
from tumorscope.schema.results import FORMAT
from tumorscope.schema.scores import ImageScores, Score


class SeedSpread(Strict):
    """One score over several seeds.

    Attributes:
        mean: over the seeds.
        standard_deviation: of one seed, from the sample.
        low, high: ends of the 95 % interval of the mean over seeds (Student's t on the logit
            scale, within [0, 1]); it covers the randomness of training alone, on these test images,
            not the choice of patients tested. None of fewer than three seeds, and where all score
            the same.
        values: one per seed.
    """

    mean: float
    standard_deviation: float
    low: float | None
    high: float | None
    values: tuple[float, ...]


class SeedSummary(Strict):
    """What trainings that differ in the seed alone came to, as in `seeds.json`.

    Attributes:
        format: the version of this schema.
        summary: the answer in one sentence.
        seeds: the seeds.
        images: test images that count, the same for all: where enough are new to the models, these.
        scores: accuracy, balanced accuracy and macro F1 on these images.
        alike: the share of all test images to which all seeds give the same class, in [0, 1].
        majority: accuracy of always answering the most frequent class.
    """

    format: Literal[4] = FORMAT
    summary: str
    seeds: tuple[int, ...]
    images: int
    scores: dict[str, SeedSpread]
    alike: float
    majority: Score


class FoldSummary(Strict):
    """What trainings on all folds came to, as in `folds.json`; every image is tested once.

    Attributes:
        format: the version of this schema.
        summary: the answer in one sentence.
        classes: class names; the order of `confusion`.
        leaks: images of which a copy, or another slice of the patient, is in another fold.
        pooled: scores of all images, each by the model that did not train on its fold.
        clean: of those that do not leak; None where none leaks, or all.
        folds: accuracy on each fold, by its number.
    """

    format: Literal[4] = FORMAT
    summary: str
    classes: tuple[str, ...]
    leaks: int
    pooled: ImageScores
    clean: ImageScores | None
    folds: dict[int, Score]
