"""What about patients and folds makes a partition weaker than it looks."""

from collections import defaultdict
from collections.abc import Sequence

from tumorscope.grouping.survey import Survey


def cautions(survey: Survey, folds: Sequence[int | None] = ()) -> list[str]:
    """Say what about patients and folds makes a partition weaker than it looks.

    Args:
        survey: the data set.
        folds: the fold of each row, where there are folds.

    Returns:
        A sentence for each: images whose patient is not known, patients with images of
        two classes, folds without a class.
    """
    sentences = []
    rows = survey.rows
    unknown = survey.patients.count(None)
    if unknown:
        sentences.append(
            f"{unknown} of {len(rows)} images have no patient, neither given nor recovered: only "
            "copies and file names hold them together, slices of one patient may lie in several "
            "parts, and scores may be too high and their intervals too narrow."
        )
    classes: dict[str, set[str]] = defaultdict(set)
    for row, patient in zip(rows, survey.patients, strict=True):
        if patient is not None:
            classes[patient].add(row.label)
    mixed = sorted(patient for patient, labels in classes.items() if len(labels) > 1)
    if mixed:
        sentences.append(
            f"Images of more than one class: {len(mixed)} of {len(classes)} patients (first: "
            f"{mixed[0]}); look at their labels with 'tumorscope audit'."
        )
    for fold in sorted({fold for fold in folds if fold is not None}):
        present = {row.label for row, own in zip(rows, folds, strict=True) if own == fold}
        missing = [name for name in survey.classes if name not in present]
        if missing:
            sentences.append(
                f"Fold {fold} has no image of {', '.join(missing)}: scores of that class are not "
                "defined there."
            )
    return sentences
