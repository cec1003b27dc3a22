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
from tumorscope.export.parity import CLEAR, TOLERANCE, agreement, check_half, check_single
from tumorscope.export.precision import SAMPLES
from tumorscope.inference.bundle import (
    GATE,
    GRAPH,
    README,
    WEIGHTS,
    Bundle,
    open_bundle,
    write_bundle,
)
from tumorscope.inference.predict import BATCH, Predictor
from tumorscope.metrics.intervals import paired_gain, unseen_share
from tumorscope.records import Partition
from tumorscope.report.model_card import model_card, usage
from tumorscope.runs.evaluation import run_data
from tumorscope.runs.folder import read_results
from tumorscope.runs.options import ExportOptions
from tumorscope.schema.card import Card, Conversion
from tumorscope.schema.scores import Score
from tumorscope.support.progress import Progress

MOST_LOSS = 0.005  # of accuracy, for eight bits
PAUSE = 0.05  # seconds
ROUNDS = 7  # of timing, original and export in turn


@dataclass(frozen=True)
class ExportImages:
    """The images that an export is fitted to, judged and reported by.

    Attributes:
        store: the run's data.
        partition: of the run.
    """

    store: Store
    partition: Partition

    @cached_property
    def judged(self) -> NDArray[np.intp]:
        """Validation rows, which decide whether the export is kept.

        Quantisation takes the ranges of numbers from some of them, without their labels.
        """
        return self.partition.where("validation")

    @cached_property
    def tested(self) -> NDArray[np.intp]:
        """Test rows, which decide nothing."""
        return self.partition.where("test")

    @property
    def samples(self) -> NDArray[np.uint8]:
        """The images for quantisation, spread over the validation rows."""
        count = len(self.judged)
        chosen = np.linspace(0, count - 1, min(SAMPLES, count)).astype(np.intp)
        return self.store.pixels(self.judged[chosen])

    @property
    def groups(self) -> int:
        """How many groups the validation rows form."""
        return len({self.partition.groups[row] for row in self.judged})

    def cases(self, rows: NDArray[np.intp], answers: NDArray[np.float32]) -> Cases:
        """Return truth, answers and groups of some rows."""
        truth = self.store.manifest.class_numbers()[rows]
        return Cases(truth, answers, [self.partition.groups[row] for row in rows])


def convert_run(run: Path, folder: Path, options: ExportOptions, progress: Progress) -> Card:
    """Write a run's model in another form into a folder, and return its card.

    Args:
        run: the run's folder.
        folder: the bundle's.
        options: the form, and where the run's data is now.
        progress: where to report.

    Raises:
        ExportError: the export does not answer as it must, or is not worth it.
        TumorscopeError: the run or its data cannot be used.
    """
    original, results = open_bundle(run), read_results(run)
    images = ExportImages(*run_data(run, options.data, progress))
    if not len(images.judged):
        raise UsageError(f"{run} has no validation images, which an export is compared on.")
    card = original.card.model_copy(update=options.stated)
    progress.say(f"converting the network to {card.precision} for {options.to}")
    contents = convert_bundle(original, options.to, card.precision, images.samples)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    card = card.model_copy(update={"files": digests})
    export = Bundle(folder, card, contents.__getitem__)
    conversion = _compare(original, export, contents, images, progress)
    if card.precision == "int8" and (doubt := _doubt(conversion, images.groups)):
        if not options.force:
            raise ExportError(
                f"{doubt} It was not kept: use --precision fp16, or keep it with --force."
            )
        conversion = conversion.model_copy(update={"forced": doubt})
    card = card.model_copy(update={"conversion": conversion})
    contents[README] = f"{model_card(results, card)}\n{usage(card)}".encode()
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
    before, after = Predictor(original), Predictor(export)
    judged, tested, precision = images.judged, images.tested, export.card.precision
    rows = np.concatenate([judged, tested])
    answers = [_answers(each, images.store, rows, progress) for each in (before, after)]
    expected, actual = (each[: len(judged)] for each in answers)
    exact = precision == "fp32"
    agreed = agreement(expected, actual, 2 * TOLERANCE if exact else CLEAR)
    if exact:
        check_single("exported", agreed)
    elif precision == "fp16":
        check_half("exported", agreed)
    first, second = (images.cases(judged, each) for each in (expected, actual))
    loss, ends = paired_gain(second.right, first.right, first.groups)
    speeds = _speeds((before, after), images.store.pixels(judged[:BATCH]))
    tests = [images.cases(tested, each[len(judged) :]) for each in answers]
    before_score, after_score = (share_score(each.right, each.clusters) for each in tests)
    low, high = ends or (None, None)
    return Conversion(
        images=agreed.images,
        largest=agreed.largest,
        changed=agreed.changed,
        loss=Score(value=loss, low=low, high=high, n=agreed.images),
        accuracy=after_score,
        accuracy_before=before_score,
        bytes=sum(len(contents[name]) for name in contents if name not in (WEIGHTS, GATE)),
        bytes_before=len(original.read(GRAPH)),
        speed=speeds[1],
        speed_before=speeds[0],
    )


def _doubt(conversion: Conversion, groups: int) -> str:
    """Return why eight bits should not be kept, in a sentence; empty where nothing speaks against.

    Args:
        conversion: the comparison with the original.
        groups: how many groups its images form.
    """
    loss, images = conversion.loss, conversion.images
    assert loss.value is not None
    if loss.value > MOST_LOSS:
        return (
            f"In eight bits the model loses {loss.value:.1%} of accuracy on validation images; at "
            f"most {MOST_LOSS:.1%} is allowed."
        )
    if loss.high is None or loss.high > MOST_LOSS:
        reach = "any share" if loss.high is None else f"up to {loss.high:.1%}"
        return (
            f"In eight bits the model may lose {reach} of accuracy: {images} validation images in "
            f"{groups} {'group' if groups == 1 else 'groups'} cannot exclude a loss of more than "
            f"{MOST_LOSS:.1%}; about {_enough_images(loss, images, groups):,} would be enough."
        )
    if conversion.speed <= conversion.speed_before:
        return (
            f"In eight bits the model is no faster here ({conversion.speed:.0f} against "
            f"{conversion.speed_before:.0f} images per second)."
        )
    return ""


def _enough_images(loss: Score, images: int, groups: int) -> int:
    """Return how many images like these would show that little enough is lost, if it is as here.

    Where nothing differs, so many groups are needed that the share which may still differ is small
    enough; elsewhere intervals shrink with the root of the number of groups.
    """
    assert loss.value is not None
    enough = math.log(1 - unseen_share(1)) / math.log(1 - MOST_LOSS)
    differs = loss.high is not None and not math.isclose(loss.high, unseen_share(groups))
    if loss.high is not None and differs:
        room = max(MOST_LOSS - loss.value, MOST_LOSS / 100)
        enough = max(enough, groups * ((loss.high - loss.value) / room) ** 2)
    return math.ceil(enough * images / groups)


def _answers(
    predictor: Predictor, store: Store, rows: NDArray[np.intp], progress: Progress
) -> NDArray[np.float32]:
    answers = []
    with progress.task("answering", len(rows)) as task:
        for numbers in batches(len(rows), 4 * BATCH):
            answers.append(predictor.probabilities(store.pixels(rows[numbers])))
            task.advance(len(numbers))
    return np.concatenate(answers)


def _speeds(predictors: Sequence[Predictor], pixels: NDArray[np.uint8]) -> list[float]:
    """Return images per second of each, the median of rounds in which they take turns."""
    seconds: list[list[float]] = [[] for _ in predictors]
    for _ in range(ROUNDS):
        for predictor, own in zip(predictors, seconds, strict=True):
            predictor.probabilities(pixels[:1])  # wakes its threads up
            time.sleep(PAUSE)  # and lets those of the other, which wait actively, go to sleep
            started = time.perf_counter()
            predictor.probabilities(pixels)
            own.append(time.perf_counter() - started)
    return [len(pixels) / float(np.median(own)) for own in seconds]
