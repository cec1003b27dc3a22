"""Series of a scanner to answers: one to each slice, and one to the series."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from tumorscope.data.layouts import refuse_missing
from tumorscope.data.layouts.tree import walk
from tumorscope.data.read.dicom import is_dicom
from tumorscope.data.read.nifti import ENDINGS
from tumorscope.data.scans.stacks import AS_EVER, ScanOptions, Stack, open_stacks
from tumorscope.inference.predict import Deferred, Predictor
from tumorscope.metrics.series import deciding_slices, series_chances
from tumorscope.records import LeftOut, Prediction, SeriesPrediction, Slice
from tumorscope.schema.card import Card
from tumorscope.support.files import shown_name

Look = Callable[[str, int, Slice], None]


def holds_series(place: Path) -> bool:
    """Say whether a folder has files of a scanner, or a file is one."""
    if place.is_dir():
        return bool(walk(place).scans)
    if place.name.lower().endswith(ENDINGS):
        return True
    try:
        with place.open("rb") as file:
            return is_dicom(file.read(160))
    except OSError:
        return False


def predict_series(
    predictor: Predictor,
    place: str | Path,
    *,
    options: ScanOptions = AS_EVER,
    workers: int | None = None,
    look: Look | None = None,
) -> Iterator[SeriesPrediction]:
    """Answer for every series of a folder or file.

    A file that is of no use yields an answer whose `error` or `reason` says why. Slices are read
    and answered on all cores; however many there are, only a few batches of them are in memory.

    Args:
        predictor: the model.
        place: a folder with DICOM objects or NIfTI volumes, or one such file.
        options: how the files are read.
        workers: how many batches are worked on at once; as many as the predictor's threads unless
            given.
        look: called with the name of a series, the number of a slice, and the slice, when it is
            read; from several threads.

    Raises:
        MissingExtra: what reads them is not installed.
        DataError: there is no such place.
    """
    for _, answer in answered_stacks(predictor, place, options=options, workers=workers, look=look):
        yield answer


def answered_stacks(
    predictor: Predictor,
    place: str | Path,
    *,
    options: ScanOptions = AS_EVER,
    workers: int | None = None,
    look: Look | None = None,
) -> Iterator[tuple[Stack | None, SeriesPrediction]]:
    """As `predict_series`, each answer with its stack; None for a file that is of no use."""
    top = Path(place)
    refuse_missing(top)
    root, files = (top, walk(top).scans) if top.is_dir() else (top.parent, [top.name])
    for stack in open_stacks(root, files, options):
        if isinstance(stack, LeftOut):
            yield None, _without_slices(shown_name(str(root / stack.image)), stack)
        else:
            yield stack, _predict_stack(predictor, stack, workers, look)


def _without_slices(name: str, file: LeftOut) -> SeriesPrediction:
    if file.refused:
        return SeriesPrediction(name, reason=file.reason)
    return SeriesPrediction(name, error=file.reason)


def _predict_stack(
    predictor: Predictor, stack: Stack, workers: int | None, look: Look | None
) -> SeriesPrediction:
    def read(number: int) -> Slice:
        """Return a slice after showing it to whoever looks."""
        found = stack.read(number)
        if look is not None:
            look(stack.name, number, found)
        return found

    pictures = [
        Deferred(str(stack.root / stack.slice_name(number)), partial(read, number))
        for number in range(len(stack))
    ]
    slices = tuple(predictor.predict(pictures, workers=workers))
    one_file = len(set(stack.files)) == 1
    answer = SeriesPrediction(
        input=shown_name(str(stack.root / (stack.files[0] if one_file else stack.folder))),
        series=stack.name,
        patient=stack.patient,
        plane=stack.plane,
        slices=slices,
        positions=stack.positions,
        note=f"the first of {stack.volumes} volumes" if stack.volumes > 1 else "",
    )
    return with_answer(predictor.card, answer)


def with_answer(card: Card, answer: SeriesPrediction) -> SeriesPrediction:
    """Return what is known of a series with what the answers to its slices come to.

    Args:
        card: of the model that answered.
        answer: with its slices.
    """
    usable = [number for number, own in enumerate(answer.slices) if own.accepted]
    if not usable:
        return _without_answer(answer)
    chances = np.array([list(answer.slices[n].probabilities.values()) for n in usable])
    deciding = [usable[n] for n in deciding_slices(chances, card.healthy, card.series.slices)]
    means = series_chances(chances, card.healthy, card.series.slices)
    return replace(
        answer,
        label=card.classes[int(means.argmax())],
        probabilities=dict(zip(card.classes, map(float, means), strict=True)),
        set=_joint_set(card.classes, [answer.slices[n] for n in deciding]),
        accepted=True,
        deciding=tuple(deciding),
    )


def _without_answer(answer: SeriesPrediction) -> SeriesPrediction:
    """Say why no slice of a series can decide."""
    errors = {own.error for own in answer.slices if own.error is not None}
    if len(errors) == 1 and all(own.error is not None for own in answer.slices):
        return replace(answer, error=errors.pop())
    if len(answer.slices) == 1:
        return replace(answer, reason=answer.slices[0].reason)
    reason = f"none of its {len(answer.slices)} slices looks like the training slices"
    return replace(answer, reason=reason)


def _joint_set(classes: Sequence[str], slices: Sequence[Prediction]) -> tuple[str, ...] | None:
    """Return the classes that are in the set of any slice, None where there are no sets."""
    if any(own.set is None for own in slices):
        return None
    held = {label for own in slices for label in own.set or ()}
    return tuple(label for label in classes if label in held)
