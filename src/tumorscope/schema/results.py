"""The documented schema of `results.json`."""

from typing import Literal

from pydantic import Field, FiniteFloat

from tumorscope.records import Part
from tumorscope.schema.base import Strict
from tumorscope.schema.explained import Explained
from tumorscope.schema.scores import ImageScores, PatientScores, Score, SeriesScores
from tumorscope.schema.wording import CONTROL_LABELS, points, with_interval
from tumorscope.support.notebook import html_table

FORMAT: Literal[4] = 4
FEW_GROUPS = 12  # with fewer, intervals are rough and a clean part is too small to judge by


class Bin(Strict):
    """One bin of a reliability diagram.

    Attributes:
        confidence: mean probability of the answers in it.
        accuracy: share of them that is right.
        low, high: the ends of its 95 % interval; None where none can be given.
        n: how many they are.
    """

    confidence: FiniteFloat
    accuracy: FiniteFloat
    low: FiniteFloat | None = None
    high: FiniteFloat | None = None
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


class Curve(Strict):
    """A curve over the thresholds of a class's probability, thinned to what a figure shows.

    Attributes:
        x, y: what is drawn against each other, in [0, 1].
        low, high: the ends of the 95 % interval of y at the same threshold; None where none can be
            given.
    """

    x: tuple[FiniteFloat, ...]
    y: tuple[FiniteFloat, ...]
    low: tuple[FiniteFloat | None, ...]
    high: tuple[FiniteFloat | None, ...]


class ClassCurves(Strict):
    """What each threshold of a class's probability gives, one class against the rest.

    Attributes:
        roc: sensitivity (y) against 1 - specificity (x).
        precision_recall: PPV (y) against sensitivity (x), at the prevalence of the test images.
    """

    roc: Curve
    precision_recall: Curve


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
    """How many images each part has, and which were left out.

    Attributes:
        train, validation, test: of each part.
        left_out: files that cannot be read.
        other_classes: images of another set that are not scored, by the class that the model does
            not have.
    """

    train: int
    validation: int
    test: int
    left_out: int
    other_classes: dict[str, int] = Field(default_factory=dict)


class PartScores(Strict):
    """Scores of the kept model on one part, without augmentation.

    Attributes:
        loss: mean negative log-likelihood of the answers as the model gives them, after the
            temperature; `metrics.csv` has the loss before it.
        accuracy: share of images whose class is right.
    """

    loss: Score
    accuracy: Score


class StageScores(Strict):
    """What the best weights of one stage of a training score on the test images.

    Attributes:
        stage: its number, from 1.
        epoch: the epoch they are of, counted over all stages.
        accuracy: on all test images.
        gain: accuracy less that of the stage before, in [-1, 1], paired; None for the first.
        kept: whether these are the weights that the run kept.
    """

    stage: int
    epoch: int
    kept: bool
    accuracy: Score
    gain: Score | None


class SplitNote(Strict):
    """How the parts came about, in a word and in a sentence."""

    method: str
    note: str


class Results(Strict):
    """Results of an evaluation: scores of the test part and what is needed to judge them.

    Attributes:
        format: the version of this schema.
        tumorscope: the version that evaluated.
        summary: the answer in a few sentences; the first line of the report.
        warnings: what makes the numbers weaker than they look, one sentence each.
        classes: class names; the order of every `confusion`.
        images: how many images there were.
        split: how the parts came about.
        leaks: test images of which a copy, or another slice of the patient, is in training or
            validation, as far as known.
        all: scores of all test images.
        clean: scores of the test images that do not leak; None where none leaks, or all.
        patients: scores of patients; None where none is known.
        series: scores of series; None where none is known.
        accuracy_over_images: accuracy with the interval that takes each slice for a patient of its
            own, which is too short; to show how much.
        parts: loss and accuracy of every part.
        stages: the best weights of each stage on the test images; empty where there is one stage.
        calibration: whether probabilities mean what they say.
        sets: conformal sets.
        selection: knowing when not to answer.
        curves: of each class that some test images have and others have not, by name.
        subgroups: where it fails, by what images share.
        confused: where it fails, by pairs of classes among the images that count, worst first.
        robustness: accuracy under changes of the images; None unless asked for.
        explained: where the model looks; None where that was not looked at.
    """

    format: Literal[4] = FORMAT
    tumorscope: str
    summary: str
    warnings: tuple[str, ...]
    classes: tuple[str, ...]
    images: ImageCounts
    split: SplitNote
    leaks: int
    all: ImageScores
    clean: ImageScores | None
    patients: PatientScores | None
    series: SeriesScores | None = None
    accuracy_over_images: Score
    parts: dict[Part, PartScores]
    stages: tuple[StageScores, ...] = ()
    calibration: Calibration
    sets: Sets
    selection: Selection
    curves: dict[str, ClassCurves] = Field(default_factory=dict)
    subgroups: tuple[Subgroup, ...]
    confused: tuple[ConfusedPair, ...]
    robustness: tuple[RobustnessCurve, ...] | None = None
    explained: Explained | None = None

    @property
    def judged(self) -> ImageScores:
        """The scores that count: those of new images, where these are in a dozen groups."""
        return judged_scores(self.all, self.clean)

    @property
    def headline(self) -> list[tuple[str, str]]:
        """The scores that count with their intervals, as names and words."""
        judged = self.judged
        images = "test images" if judged is self.all else "test images that are new to the model"
        best = CONTROL_LABELS[judged.controls.best]
        return [
            (images, str(judged.n)),
            ("accuracy", with_interval(judged.accuracy)),
            ("balanced accuracy", with_interval(judged.balanced_accuracy)),
            ("macro F1", with_interval(judged.macro_f1)),
            (f"gain over the best control ({best})", points(judged.controls.gain)),
        ]

    def _repr_html_(self) -> str:
        """Show the headline in a notebook."""
        return html_table("Results", self.headline, self.summary)


def judged_scores(everything: ImageScores, clean: ImageScores | None) -> ImageScores:
    """Return the scores that count: those of new images, where these are in a dozen groups."""
    return clean if clean and clean.groups >= FEW_GROUPS else everything
