"""The answer in one sentence, and what makes it weaker than it looks."""

import numpy as np

from tumorscope.evaluation.headline import CONTROL_NAMES
from tumorscope.evaluation.scores import Cases
from tumorscope.schema.results import ImageScores, Score, Scores

FEW_GROUPS = 12
FEW_WRONG = 10  # groups with a mistake; with fewer, 95 % intervals cover the truth too seldom
LIKE_ONE = 1.05  # images a group from which on groups say that images belong together


def percent(score: Score) -> str:
    """Return a share as people read it, with its interval in brackets."""
    if score.value is None:
        return "not applicable"
    if score.low is None or score.high is None:
        return f"{score.value:.1%}"
    return f"{score.value:.1%} ({score.low:.1%} to {score.high:.1%})"


def points(score: Score) -> str:
    """Return a difference of shares in points, with its interval in brackets."""
    if score.value is None:
        return "not applicable"
    if score.low is None or score.high is None:
        return f"{100 * score.value:+.1f} points"
    return f"{100 * score.value:+.1f} points ({100 * score.low:+.1f} to {100 * score.high:+.1f})"


def summarize_results(whole: ImageScores, clean: ImageScores | None, leaks: int) -> str:
    """Say what the test part showed, beginning with a control that is not beaten.

    Args:
        whole: scores of all test images.
        clean: of those that do not leak, where there are both.
        leaks: how many leak.
    """
    judged = judged_by(whole, clean)
    control = CONTROL_NAMES[judged.controls.best]
    best = getattr(judged.controls, judged.controls.best)
    gain, new = points(judged.controls.gain), "test" if judged is whole else "new test"
    lead = {
        "beaten": "The model beats what needs no learning",
        "not shown": "The model is not shown to beat what needs no learning",
        "worse": "The model is worse than what needs no learning",
    }[judged.controls.verdict]
    text = (
        f"{lead}, by {gain}: it is right on {percent(judged.accuracy)} of {judged.n} {new} "
        f"images, {control} on {percent(best)}."
    )
    if judged is not whole:
        text += f" With the {leaks} that leak this would read {percent(whole.accuracy)}."
    elif leaks:
        text += f" {leaks} of these are not new to the model, so the score is too high."
        if clean:
            text += f" Only {clean.n} {'is' if clean.n == 1 else 'are'} new: too few to judge by."
    return text


def judged_by(whole: ImageScores, clean: ImageScores | None) -> ImageScores:
    """Return the scores that count: those of new images, where these are in a dozen groups."""
    return clean if clean and clean.groups >= FEW_GROUPS else whole


def weaknesses(whole: Scores, cases: Cases, *, leaks: int, patients_known: float) -> list[str]:
    """Return what makes the numbers weaker than they look, a sentence each.

    Args:
        whole: scores of all test images.
        cases: the same images.
        leaks: how many are not new to the model.
        patients_known: the share of them whose patient is known.
    """
    found = []
    if leaks:
        found.append(
            f"{leaks} of {whole.n} test images are not new to the model: a copy of them, or "
            "another slice of their patient, was in training or validation."
        )
    missing = [name for name, scores in whole.per_class.items() if not scores.support]
    if missing:
        found.append(
            f"No test image is of {' or '.join(missing)}: its scores are not applicable, and means "
            "over classes leave it out."
        )
    if whole.groups == 1:
        found.append("All test images belong together, so that no interval can be given.")
    elif whole.groups < FEW_GROUPS:
        found.append(f"{whole.groups} groups are few: take the intervals for rough.")
    wrong = np.unique(cases.clusters.numbers[~cases.right])
    if whole.groups > 1 and len(wrong) < FEW_WRONG:
        found.append(
            f"Mistakes are in {len(wrong)} of {whole.groups} groups: where so few differ, 95 % "
            "intervals are known to cover the truth less often than 95 times in 100."
        )
    if patients_known < 1:
        known = "no test image" if patients_known == 0 else f"{patients_known:.0%} of test images"
        found.append(
            f"The patient is known for {known}: other slices of one patient count as independent, "
            "which makes intervals too short, and may be on both sides of the split."
        )
    return found


def explanations(judged: Scores, validation: Score | None, doubtful: int) -> list[str]:
    """Return what in the data explains a low score, a sentence each.

    Args:
        judged: scores of the test images that count.
        validation: accuracy on validation images, where there are any.
        doubtful: test images that a known set has under another class.
    """
    found = []
    accuracy = judged.accuracy
    if (
        validation is not None
        and validation.low is not None
        and accuracy.high is not None
        and validation.low > accuracy.high
    ):
        found.append(
            f"The test part is not like the training part: of validation images, which were cut "
            f"from that by group, {percent(validation)} are right, of these test images "
            f"{percent(accuracy)}. What the model would score elsewhere, neither number tells."
        )
    mean = judged.balanced_accuracy.low
    for name, scores in judged.per_class.items():
        reach = scores.sensitivity.high
        if mean is not None and reach is not None and reach < mean:
            found.append(
                f"{name} is found least: {percent(scores.sensitivity)} of its {scores.support} "
                "test images."
            )
    if doubtful:
        what = "test image is" if doubtful == 1 else "test images are"
        found.append(
            f"{doubtful} {what} known from a public set under another class than here, so the "
            "label may be wrong: 'tumorscope audit' lists them."
        )
    return found
