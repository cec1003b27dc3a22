"""The answer in one sentence, and what makes it weaker than it looks."""

import numpy as np

from tumorscope.evaluation.scores import Cases
from tumorscope.schema.results import FEW_GROUPS, Calibration, Sets, judged_scores
from tumorscope.schema.scores import Controls, ImageScores, Score, Scores
from tumorscope.schema.wording import CONTROL_LABELS, better_or_worse, number, with_interval

MOST_HARM = 0.005  # of a temperature to the expected calibration error, before it is mentioned
FEW_WRONG = 10  # groups with a mistake; with fewer, 95 % intervals under-cover


def summarize_results(everything: ImageScores, clean: ImageScores | None, leaks: int) -> str:
    """Say what the test part showed, beginning with whether the best control is beaten.

    Args:
        everything: scores of all test images.
        clean: of those that do not leak, where there are both.
        leaks: how many leak.
    """
    judged = judged_scores(everything, clean)
    new = "test" if judged is everything else "new test"
    text = (
        f"{_against_best_control(judged.controls)} The model is right on "
        f"{with_interval(judged.accuracy)} of {judged.n} {new} images, the control on "
        f"{with_interval(best_control_accuracy(judged.controls))}."
    )
    if judged is not everything:
        whole = with_interval(everything.accuracy)
        text += f" With the {leaks} that leak this would read {whole}."
    elif leaks:
        text += f" {leaks} of these are not new to the model, so the score is too high."
        if clean:
            text += f" Only {_counted(clean)} new: too few to judge."
    return text


def _counted(scores: ImageScores) -> str:
    """Return how many images there are, in how many groups, and the verb that follows."""
    groups = f"{scores.groups} group{'' if scores.groups == 1 else 's'}"
    return f"{scores.n}, in {groups}, {'is' if scores.n == 1 else 'are'}"


def best_control_accuracy(controls: Controls) -> Score:
    """Return the accuracy of the best control."""
    score: Score = getattr(controls, controls.best)
    return score


def _against_best_control(controls: Controls) -> str:
    """Say whether the best control is beaten, in magnitudes without a sign."""
    gain, name = controls.gain, f"the best control ({CONTROL_LABELS[controls.best]})"
    if gain.value is None or gain.low is None or gain.high is None:
        size = "" if gain.value is None else f": it is {better_or_worse(gain.value)}"
        return f"The model is not shown to beat {name}{size}, and no interval can be given."
    size, low, high = (f"{abs(100 * end):.1f}" for end in (gain.value, gain.low, gain.high))
    if controls.verdict == "beaten":
        return f"The model beats {name} by {size} points (95 % interval {low} to {high})."
    if controls.verdict == "worse":
        return f"The model is worse than {name} by {size} points (95 % interval {high} to {low})."
    return (
        f"The model is not shown to beat {name}: it is {better_or_worse(gain.value)}, and the 95 % "
        f"interval runs from {better_or_worse(gain.low)} to {better_or_worse(gain.high)}."
    )


def weaknesses(whole: Scores, cases: Cases, *, leaks: int, patients_unknown: int) -> list[str]:
    """Return what makes the numbers weaker than they look, one sentence each.

    Args:
        whole: scores of all test images.
        cases: the same images.
        leaks: how many are not new to the model.
        patients_unknown: how many of them have no known patient.
    """
    sentences = []
    if leaks:
        sentences.append(
            f"{leaks} of {whole.n} test images are not new to the model: a copy of them, or "
            "another slice of their patient, was in training or validation."
        )
    missing = [name for name, scores in whole.per_class.items() if not scores.support]
    if missing:
        sentences.append(
            f"No test image is of {' or '.join(missing)}: its scores are not applicable, and means "
            "over classes leave it out."
        )
    if whole.groups == 1:
        sentences.append("All test images belong to one group, so no interval can be given.")
    elif whole.groups < FEW_GROUPS:
        sentences.append(f"{whole.groups} groups are few: the intervals are rough.")
    wrong = np.unique(cases.clusters.numbers[~cases.right])
    if whole.groups > 1 and len(wrong) < FEW_WRONG:
        sentences.append(
            f"Mistakes are in {len(wrong)} of {whole.groups} groups: where so few differ, 95 % "
            "intervals are known to cover the truth less often than 95 times in 100."
        )
    if patients_unknown:
        sentences.append(
            f"The patient is unknown for {patients_unknown} of {whole.n} test images: slices of "
            "one patient then count as independent, which makes intervals too narrow, and may be "
            "on both sides of the split."
        )
    return sentences


def broken_promises(calibration: Calibration, sets: Sets) -> list[str]:
    """Return what the model promises and its test images contradict, one sentence each.

    Args:
        calibration: on the test images, without the temperature and with it.
        sets: conformal sets of the same images.
    """
    sentences = []
    before, after = calibration.before.expected_error, calibration.after.expected_error
    error_before, error_after = before.value, after.value
    if (
        error_before is not None
        and error_after is not None
        and error_after - error_before > MOST_HARM
    ):
        sentences.append(
            f"The temperature, {calibration.temperature:.2f}, made calibration worse on the test "
            f"images: the error is {number(before)} without it and {number(after)} with it."
        )
    promise = 1 - sets.error_rate
    for name, own in sets.per_class.items():
        most = own.coverage.high
        if own.threshold is not None and most is not None and most < promise:
            sentences.append(
                f"Sets of labels should hold the true class for {promise:.0%} of the images of "
                f"{name}, and hold it for {with_interval(own.coverage)}."
            )
    return sentences


def explanations(judged: Scores, validation: Score | None, doubtful: int) -> list[str]:
    """Return what in the data explains a low score, one sentence each.

    Args:
        judged: scores of the test images that count.
        validation: accuracy on validation images, where there are any.
        doubtful: test images that a known set has under another class.
    """
    sentences = []
    accuracy = judged.accuracy
    if (
        validation is not None
        and validation.low is not None
        and accuracy.high is not None
        and validation.low > accuracy.high
    ):
        sentences.append(
            "The test part may not be like the training part: the model is right on "
            f"{with_interval(validation)} of the validation images, by which its weights were "
            f"chosen, and on {with_interval(accuracy)} of these test images. Neither number says "
            "what it would score elsewhere."
        )
    least_mean = judged.balanced_accuracy.low
    for name, scores in judged.per_class.items():
        most = scores.sensitivity.high
        if least_mean is not None and most is not None and most < least_mean:
            sentences.append(
                f"{name} is recognised less often than the average class: "
                f"{with_interval(scores.sensitivity)} of its {scores.support} test images."
            )
    if doubtful:
        what = "test image is" if doubtful == 1 else "test images are"
        sentences.append(
            f"{doubtful} {what} known from a public set under another class than here, so the "
            "label may be wrong: 'tumorscope audit' lists them."
        )
    return sentences
