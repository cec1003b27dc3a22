"""Scores as every documented schema holds them."""

from typing import Literal

from pydantic import FiniteFloat

from tumorscope.schema.base import Strict


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
        precision: share of the answers "this class" that are right, among these images; 0 where
            the class is never answered, not defined where it has no images.
        sensitivity, specificity, ppv, npv, f1, auroc, average_precision: in [0, 1]. Sensitivity is
            what machine learning calls recall.
    """

    canonical: str | None
    support: int
    prevalence: FiniteFloat | None
    precision: Score
    sensitivity: Score
    specificity: Score
    ppv: Score
    npv: Score
    f1: Score
    auroc: Score
    average_precision: Score


class Averages(Strict):
    """Averages of the classes' scores; classes without images take no part.

    Attributes:
        precision, recall, f1: in [0, 1].
    """

    precision: Score
    recall: Score
    f1: Score


class Scores(Strict):
    """What a model scores on some cases, which are images or patients.

    Attributes:
        n: how many cases.
        groups: how many groups they form, over which the intervals are taken.
        accuracy, balanced_accuracy, macro_f1, macro_auroc, macro_average_precision: in [0, 1].
            Balanced accuracy and whatever is macro are means over the classes that have images.
        kappa, mcc: Cohen's kappa and Matthews' coefficient, in [-1, 1].
        brier: in [0, 2], less is better.
        log_loss: natural logarithm, less is better.
        macro: means over the classes that have images.
        weighted: the same, each class by the number of its images.
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
    macro: Averages
    weighted: Averages
    per_class: dict[str, ClassScores]
    confusion: list[list[int]]

    @property
    def absent(self) -> list[str]:
        """The classes of which there are no images, so that no average counts them."""
        return [name for name, own in self.per_class.items() if not own.support]

    @property
    def states_prevalence(self) -> bool:
        """Whether PPV and NPV are for another prevalence than that of these images."""
        classes = self.per_class.values()
        shares = [own.support / self.n if self.n else None for own in classes]
        return [own.prevalence for own in classes] != shares


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
    """Scores, and the controls' on the same images.

    Attributes:
        controls: scores of the controls.
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


class SeriesScores(Scores):
    """Scores of series, each answered as `tumorscope predict` answers a series.

    Attributes:
        slices: how many of the most suspicious slices are averaged.
        without_series: test images whose series is not known.
        of_two_classes: series left out because their slices have different labels.
    """

    slices: int
    without_series: int
    of_two_classes: int
