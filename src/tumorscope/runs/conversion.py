"""A run's model in another form: compared with the original before it is written."""

import hashlib
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.data.store import Store, batches
from tumorscope.errors import UsageError
from tumorscope.evaluation.scores import Cases, share_score
from tumorscope.export import ExportError
from tumorscope.export.convert import convert_bundle
from tumorscope.export.parity import (
    CLEAR,
    TOLERANCE,
    Agreement,
    agreement,
    check_half,
    check_single,
)
from tumorscope.export.precision import SAMPLES
from tumorscope.inference.bundle import (
    EXAMPLES,
    GATE,
    GRAPH,
    README,
    WEIGHTS,
    Bundle,
    open_bundle,
    write_bundle,
)
from tumorscope.inference.predict import READ_BATCH, Predictor
from tumorscope.metrics.intervals import paired_gain, unseen_share
from tumorscope.records import Partition
from tumorscope.report.model_card import bundle_readme
from tumorscope.runs.evaluation import run_data
from tumorscope.runs.folder import read_results
from tumorscope.runs.options import ExportOptions
from tumorscope.schema.card import Card, Conversion
from tumorscope.schema.scores import Score
from tumorscope.support.progress import Progress

MAX_INT8_LOSS = 0.005  # of accuracy
PAUSE = 0.05  # seconds
ROUNDS = 7  # of timing, original and export in turn

BESIDE = (WEIGHTS, GATE, EXAMPLES)  # files that are not the graph


@dataclass(frozen=True)
class ExportImages:
    """The images of a run on which an export is calibrated, judged and reported.

    Attributes:
        store: the run's data.
        partition: of the run.
    """

    store: Store
    partition: Partition

    @cached_property
    def validation_rows(self) -> NDArray[np.intp]:
        """Rows that decide whether the export is kept.

        Quantisation takes the ranges of numbers from some of them, without their labels.
        """
        return self.partition.where("validation")

    @cached_property
    def test_rows(self) -> NDArray[np.intp]:
        """Rows on which it is reported; they decide nothing."""
        return self.partition.where("test")

    @property
    def calibration_images(self) -> NDArray[np.uint8]:
        """The images for quantisation, spread over the validation rows."""
        count = len(self.validation_rows)
        chosen = np.linspace(0, count - 1, min(SAMPLES, count)).astype(np.intp)
        return self.store.pixels(self.validation_rows[chosen])

    @property
    def group_count(self) -> int:
        """How many groups the validation rows form."""
        return len({self.partition.groups[row] for row in self.validation_rows})

    def cases(self, rows: NDArray[np.intp], answers: NDArray[np.float32]) -> Cases:
        """Return truth, answers and groups of some rows."""
        truth = self.store.manifest.class_numbers()[rows]
        return Cases(truth, answers, [self.partition.groups[row] for row in rows])


def convert_run(run: Path, folder: Path, options: ExportOptions, progress: Progress) -> Card:
    """Write a run's model in another form into a folder, and return its card.

    Args:
        run: the run's folder.
        folder: where to write the bundle.
        options: the form, and where the run's data is now.
        progress: where to report.

    Raises:
        ExportError: the export does not answer as it must, or is not worth it.
        TumorscopeError: the run or its data cannot be used.
    """
    original, results = open_bundle(run), read_results(run)
    images = ExportImages(*run_data(run, options.data, progress))
    if not len(images.validation_rows):
        raise UsageError(f"{run} has no validation images, which an export is compared on.")
    card = original.card.model_copy(update=options.stated)
    progress.say(f"converting the network to {card.precision} for {options.to}")
    contents = convert_bundle(original, options.to, card.precision, images.calibration_images)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    card = card.model_copy(update={"files": digests})
    export = Bundle(folder, card, contents.__getitem__)
    conversion = _compare(original, export, contents, images, progress)
    if card.precision == "int8" and (objection := _objection(conversion, images.group_count)):
        if not options.force:
            raise ExportError(
                f"{objection} It was not kept: use --precision fp16, or keep it with --force."
            )
        conversion = conversion.model_copy(update={"forced": objection})
    card = card.model_copy(update={"conversion": conversion})
    contents[README] = bundle_readme(results, card)
    write_bundle(folder, card, contents)
    return card


def _compare(
    original: Bundle,
    export: Bundle,
    contents: Mapping[str, bytes],
    images: ExportImages,
    progress: Progress,
) -> Conversion:
    """Let original and export answer the same images; refuse an export that answers otherwise."""
    predictors = Predictor(original), Predictor(export)
    validation, test = images.validation_rows, images.test_rows
    rows = np.concatenate([validation, test])
    original_answers, export_answers = (
        _probabilities(predictor, images.store, rows, progress) for predictor in predictors
    )
    count = len(validation)
    agreed = _checked_agreement(export.card, original_answers[:count], export_answers[:count])
    speeds = _speeds(predictors, images.store.pixels(validation[:READ_BATCH]))
    return Conversion(
        images=agreed.images,
        largest=agreed.largest,
        changed=agreed.changed,
        loss=_loss(
            images.cases(validation, original_answers[:count]),
            images.cases(validation, export_answers[:count]),
        ),
        accuracy=_accuracy(images.cases(test, export_answers[count:])),
        accuracy_before=_accuracy(images.cases(test, original_answers[count:])),
        bytes=sum(len(own) for name, own in contents.items() if name not in BESIDE),
        bytes_before=len(original.read(GRAPH)),
        speed=speeds[1],
        speed_before=speeds[0],
    )


def _checked_agreement(
    card: Card, original: NDArray[np.float32], export: NDArray[np.float32]
) -> Agreement:
    """Compare the probabilities of both; in eight bits the accuracy decides, not these."""
    exact = card.precision == "fp32"
    agreed = agreement(original, export, 2 * TOLERANCE if exact else CLEAR)
    if exact:
        check_single("exported", agreed)
    elif card.precision == "fp16":
        check_half("exported", agreed)
    return agreed


def _loss(original: Cases, export: Cases) -> Score:
    """Return the accuracy that the export loses: what the original gains over it."""
    loss, ends = paired_gain(export.right, original.right, original.groups)
    low, high = ends or (None, None)
    return Score(value=loss, low=low, high=high, n=len(original.truth))


def _accuracy(cases: Cases) -> Score:
    return share_score(cases.right, cases.clusters)


def _objection(conversion: Conversion, groups: int) -> str:
    """Return why eight bits should not be kept, in a sentence; empty if there is no objection.

    Args:
        conversion: the comparison with the original.
        groups: how many groups its images form.
    """
    loss, images = conversion.loss, conversion.images
    assert loss.value is not None
    if loss.value > MAX_INT8_LOSS:
        return (
            f"In eight bits the model loses {loss.value:.1%} of accuracy on validation images; at "
            f"most {MAX_INT8_LOSS:.1%} is allowed."
        )
    if loss.high is None or loss.high > MAX_INT8_LOSS:
        reach = "any share" if loss.high is None else f"up to {loss.high:.1%}"
        return (
            f"In eight bits the model may lose {reach} of accuracy: {images} validation images in "
            f"{groups} {'group' if groups == 1 else 'groups'} cannot exclude a loss of more than "
            f"{MAX_INT8_LOSS:.1%}; about {_enough_images(loss, images, groups):,} would be enough."
        )
    if conversion.speed <= conversion.speed_before:
        return (
            f"In eight bits the model is no faster here ({conversion.speed:.0f} against "
            f"{conversion.speed_before:.0f} images per second)."
        )
    return ""


def _enough_images(loss: Score, images: int, groups: int) -> int:
    """Estimate how many validation images could exclude a loss that is too large.

    The observed loss is taken to stay as it is. Where no group differs, the bound on the share of
    groups that would (`unseen_share`) has to fall below the limit; where some do, the interval of
    the loss shrinks with the root of the number of groups.
    """
    assert loss.value is not None
    one_tail = 1 - unseen_share(1)  # the chance that is left outside on one side
    enough_groups = math.log(one_tail) / math.log(1 - MAX_INT8_LOSS)
    none_differs = loss.high is None or math.isclose(loss.high, unseen_share(groups))
    if loss.high is not None and not none_differs:
        room = max(MAX_INT8_LOSS - loss.value, MAX_INT8_LOSS / 100)  # a loss at the limit has none
        enough_groups = max(enough_groups, groups * ((loss.high - loss.value) / room) ** 2)
    return math.ceil(enough_groups * images / groups)


def _probabilities(
    predictor: Predictor, store: Store, rows: NDArray[np.intp], progress: Progress
) -> NDArray[np.float32]:
    probabilities = []
    with progress.task("answering", len(rows)) as task:
        for numbers in batches(len(rows), 4 * READ_BATCH):
            probabilities.append(predictor.probabilities(store.pixels(rows[numbers])))
            task.advance(len(numbers))
    return np.concatenate(probabilities)


def _speeds(predictors: Sequence[Predictor], pixels: NDArray[np.uint8]) -> list[float]:
    """Return images per second of each, the median of rounds in which they take turns."""
    seconds: list[list[float]] = [[] for _ in predictors]
    for _ in range(ROUNDS):
        for predictor, own in zip(predictors, seconds, strict=True):
            predictor.probabilities(pixels[:1])  # wakes its threads up
            time.sleep(PAUSE)  # and lets the busy-waiting threads of the other go to sleep
            started = time.perf_counter()
            predictor.probabilities(pixels)
            own.append(time.perf_counter() - started)
    return [len(pixels) / float(np.median(own)) for own in seconds]
