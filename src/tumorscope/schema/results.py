"""The documented schema of `results.json`."""

from typing import Literal

from pydantic import FiniteFloat

from tumorscope.records import Part
from tumorscope.schema.base import Strict

FORMAT: Literal[2] = 2


class Score(Strict):
    """One score.

    Attributes:
        value: the score; None where it is not defined for these images.
        low, high: ends of its 95 % interval over groups; None where there is none.
        n: how many images it was computed from.
    """

    value: FiniteFloat | None
    low: FiniteFloat | None = None
    high: FiniteFloat | None = None
    n: int


class ClassScores(Strict):
    """Scores of one class against the rest; see `tumorscope.metrics.scores`.

    Attributes:
        canonical: the canonical name of the class; None where it is not known.
        support: how many of the images are of the class.
        prevalence: of the class, as stated for `ppv` and `npv`; its share of the images unless
            another was given.
        sensitivity, specificity, ppv, npv, f1, auroc, average_precision: in [0, 1].
    """

    canonical: str | None
    support: int
    prevalence: FiniteFloat | None
    sensitivity: Score
    specificity: Score
    ppv: Score
    npv: Score
    f1: Score
    auroc: Score
    average_precision: Score


class Scores(Strict):
    """What a model scores on some cases, which are images or patients.

    Attributes:
        n: how many cases.
        groups: how many groups they form, over which the intervals are taken.
        accuracy, balanced_accuracy, macro_f1, macro_auroc, macro_average_precision: in [0, 1].
        kappa, mcc: Cohen's kappa and Matthews' coefficient, in [-1, 1].
        brier: in [0, 2], less is better.
        log_loss: natural logarithm, less is better.
        per_class: scores of each class.
        confusion: counts; rows are the truth, columns the prediction.
    """

    n: int
    groups: int
    accuracy: Score
    balanced_accuracy: Score
    macro_f1: Score
    macro_auroc: Score
    macro_average_precision: Score
    kappa: Score
    mcc: Score
    brier: Score
    log_loss: Score
    per_class: dict[str, ClassScores]
    confusion: list[list[int]]


class Controls(Strict):
    """Accuracies that need no learning of images, and that a model must beat to mean anything.

    Attributes:
        majority: of always answering the class that is most frequent in training.
        look_up: of answering the class of the most similar training thumbnail.
        file_facts: of trees that see the files' sizes, formats and edges, not their middle.
        best: the name of the best of these.
        gain: accuracy of the model less that of the best control, in [-1, 1], paired.
        verdict: `beaten` where all of the gain's interval is above 0, `not shown` where 0 is
            inside it or it has none, `worse` where all of it is below.
    """

    majority: Score
    look_up: Score
    file_facts: Score
    best: str
    gain: Score
    verdict: Literal["beaten", "not shown", "worse"]


class ImageScores(Scores):
    """Scores with the controls on the same images beside them.

    Attributes:
        controls: what needs no learning scores.
    """

    controls: Controls


class PatientScores(Scores):
    """Scores of patients: the mean of the probabilities of their slices.

    Attributes:
        without_patient: test images whose patient is not known.
        of_two_classes: patients left out because their slices have different labels.
    """

    without_patient: int
    of_two_classes: int


class Bin(Strict):
    """One bin of a reliability diagram.

    Attributes:
        confidence: mean probability of the answers in it.
        accuracy: share of them that is right.
        n: how many they are.
    """

    confidence: FiniteFloat
    accuracy: FiniteFloat
    n: int


class Reliability(Strict):
    """How far probabilities are from shares of right answers.

    Attributes:
        expected_error: expected calibration error of the answer's probability: root mean square
            over equal-mass bins, debiased, in [0, 1].
        plain_error: the mean distance over the same bins, not debiased, in [0, 1].
        maximum_error: the largest gap of a bin, in [0, 1].
        brier, log_loss: as in `Scores`.
        bins: the reliability diagram.
    """

    expected_error: Score
    plain_error: Score
    maximum_error: Score
    brier: Score
    log_loss: Score
    bins: tuple[Bin, ...]


class Calibration(Strict):
    """Probabilities before and after the temperature that validation images gave.

    Attributes:
        temperature: what logits are divided by; 1 changes nothing.
        note: how it was found, or why there is none, in a sentence.
        before, after: on the test part.
    """

    temperature: FiniteFloat
    note: str
    before: Reliability
    after: Reliability


class SetCoverage(Strict):
    """Conformal sets of one class.

    Attributes:
        calibration: validation images of the class.
        threshold: the smallest probability with which the class is in a set; None where the class
            has too few validation images for this error rate, and is in every set.
        coverage: share of its test images whose set holds it.
    """

    calibration: int
    threshold: FiniteFloat | None
    coverage: Score


class Sets(Strict):
    """Conformal sets: labels that hold the true one at a stated rate, class by class.

    Attributes:
        error_rate: how often a set may miss.
        coverage: share of test images whose set holds the true class.
        one_label, no_label: share of sets with one label, and with none.
        mean_labels: labels in a set, on average.
        per_class: of each class.
    """

    error_rate: FiniteFloat
    coverage: Score
    one_label: Score
    no_label: Score
    mean_labels: FiniteFloat | None
    per_class: dict[str, SetCoverage]


class Selection(Strict):
    """What leaving the least confident answers to people would give.

    Attributes:
        area: under the risk-coverage curve, in [0, 1]; less is better.
        coverage: shares of images that are answered, in (0, 1].
        risk: share of wrong answers among these.
    """

    area: Score
    coverage: tuple[FiniteFloat, ...]
    risk: tuple[FiniteFloat, ...]


class Subgroup(Strict):
    """Accuracy on the test images that share something.

    Attributes:
        column: what they share, such as `image size`.
        value: which one.
        accuracy: on them.
    """

    column: str
    value: str
    accuracy: Score


class ConfusedPair(Strict):
    """One kind of mistake.

    Attributes:
        actual, predicted: classes.
        images: how many of the actual class were taken for the predicted one.
        share: of the actual class.
    """

    actual: str
    predicted: str
    images: int
    share: FiniteFloat


class RobustnessCurve(Strict):
    """Accuracy under one change of the images at five strengths.

    Attributes:
        change: its name.
        strengths: how strong, in its own unit, weakest first.
        unit: what the strengths mean.
        accuracy: at each strength.
    """

    change: str
    strengths: tuple[FiniteFloat, ...]
    unit: str
    accuracy: tuple[Score, ...]


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


class Results(ImageScores):
    """What an evaluation found: scores on the whole test part, and all that puts them in place.

    Attributes:
        format: the version of this schema.
        tumorscope: the version that evaluated.
        summary: the answer in one sentence; the first line of the report.
        warnings: what makes the numbers weaker than they look, a sentence each.
        classes: class names; the order of `confusion`.
        images: how many images there were.
        split: how the parts came about.
        leaks: test images of which a copy, or another slice of the patient, is in training or
            validation, as far as known.
        clean: the same scores on the test images that do not leak; None where none leaks, or all.
        patients: scores of patients; None where none is known.
        accuracy_over_images: accuracy with the interval that takes each slice for a patient of its
            own, which is too short; to show how much.
        parts: loss and accuracy of every part.
        calibration: whether probabilities mean what they say.
        sets: conformal sets.
        selection: knowing when not to answer.
        subgroups: where it fails, by what images share.
        confused: where it fails, by pairs of classes, worst first.
        robustness: accuracy under changes of the images; None unless asked for.
    """

    format: Literal[2] = FORMAT
    tumorscope: str
    summary: str
    warnings: tuple[str, ...]
    classes: tuple[str, ...]
    images: ImageCounts
    split: SplitNote
    leaks: int
    clean: ImageScores | None
    patients: PatientScores | None
    accuracy_over_images: Score
    parts: dict[Part, PartScores]
    calibration: Calibration
    sets: Sets
    selection: Selection
    subgroups: tuple[Subgroup, ...]
    confused: tuple[ConfusedPair, ...]
    robustness: tuple[RobustnessCurve, ...] | None = None


class SeedSpread(Strict):
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

    format: Literal[2] = FORMAT
    seeds: tuple[int, ...]
    images: int
    scores: dict[str, SeedSpread]
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

    format: Literal[2] = FORMAT
    summary: str
    classes: tuple[str, ...]
    leaks: int
    pooled: ImageScores
    clean: ImageScores | None
    folds: dict[int, Score]
