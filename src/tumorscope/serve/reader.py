"""What the page and the interface ask for: cases taken in, answered, shown, reviewed."""

import contextlib
import hashlib
import io
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tumorscope.data.read import read_bytes, read_image
from tumorscope.errors import TumorscopeError, UsageError
from tumorscope.inference.bundle import Bundle, card_digest
from tumorscope.inference.examples import Alike, Examples, unit
from tumorscope.inference.predict import Predictor
from tumorscope.inference.series import with_answer
from tumorscope.records import Prediction, SeriesPrediction
from tumorscope.serve.answering import Answered, Answering
from tumorscope.serve.content import ContentFolder
from tumorscope.serve.decoding import Decoded, Decoder
from tumorscope.serve.limits import Busy, Limits, RefusedUpload
from tumorscope.serve.pictures import Maps, RecentSlices, as_png
from tumorscope.watching.cases import Case, Listed
from tumorscope.watching.log import Log

COMPARED = 2000  # cases, the newest, among which those that look alike are sought
logger = logging.getLogger(__name__)

Uploads = Sequence[tuple[str, BinaryIO]]


class Gone(TumorscopeError):
    """Images of a case that were not kept."""


@dataclass
class Job:
    """The answering of one case.

    Attributes:
        case: as it came.
        total: slices.
        done: slices that are answered.
        finished: whether the answer is in the log.
        error: why it will never be; empty unless so.
        answered: the case of an image with its answer, so that it need not be read again.
        changed: wakes up whoever waits for news.
    """

    case: Case
    total: int
    done: int = 0
    finished: bool = False
    error: str = ""
    answered: Case | None = None
    changed: threading.Condition = field(default_factory=threading.Condition)

    def advance(self, *, finished: bool = False, error: str = "") -> None:
        """Say that one more slice is answered, or that all is."""
        with self.changed:
            if not finished and not error:
                self.done += 1
            self.finished, self.error = finished, error
            self.changed.notify_all()


class Reader:
    """A model at work. Safe to share between threads.

    Attributes:
        predictor: the model.
        model: digest of its card.
        log: where everything is written down.
        learned: where the training images lie that may be shown.
        closing: whether the server is about to end.
    """

    def __init__(
        self,
        bundle: Bundle,
        log: Log,
        store: Path | None,
        *,
        workers: int,
        limits: Limits | None = None,
        learned: Sequence[Path] = (),
    ) -> None:
        """Start working.

        Args:
            bundle: of the model.
            log: where cases, answers and reviews go.
            store: the folder that keeps what is uploaded; None to keep nothing.
            workers: cores that answer.
            limits: of what is taken.
            learned: the training images among the model's examples, where they may be shown.
        """
        self.limits = limits or Limits()
        self.predictor = Predictor(bundle, threads=1)
        self.model = card_digest(self.predictor.card)
        self.log = log
        self._store = ContentFolder(store) if store else None
        self._decoder = Decoder(self.limits)
        self._answering = Answering(self.predictor, workers)
        self._jobs: dict[str, Job] = {}
        self._pixels = RecentSlices(self.limits.kept)
        self._maps = Maps(bundle)
        self._examples = Examples(bundle)
        self.learned = tuple(learned)
        self._background = ThreadPoolExecutor(3, thread_name_prefix="series")
        self.closing = threading.Event()
        self._waiting, self._counting = 0, threading.Lock()

    def start(self) -> None:
        """Get ready, and begin to answer what an earlier server left without an answer."""
        self._decoder.start()
        self._background.submit(self._catch_up)

    def _catch_up(self) -> None:
        """Answer the cases without an answer whose images are kept; others may be another's."""
        if self._store is None:
            return
        for case in [own for own in self.log.all_cases() if own.answer is None and own.files]:
            if case.id in self._jobs:
                continue
            try:
                self._begin(case, self._decoded(case))
            except (Gone, RefusedUpload) as error:
                self._write_error(case.id, case, str(error))
            except Exception:
                logger.exception("case %s", case.id)

    def beside(self, work: Callable[[], None]) -> None:
        """Do something beside the answering, which ends where `closing` says so."""
        self._background.submit(work)

    def close(self) -> None:
        """Answer what waits, and end."""
        self.closing.set()
        self._background.shutdown(wait=True, cancel_futures=True)
        self._answering.close()
        self._decoder.close()
        self.log.close()

    def take(self, uploads: Uploads) -> list[Case]:
        """Take in an upload; return its cases, which are being answered.

        Raises:
            Busy: too much waits to be answered.
            RefusedUpload: nothing in it can be answered.
            UsageError: the log or the store cannot be written to.
        """
        self._refuse_where_busy()
        decoded = self._decoder(uploads)
        kept = self._keep(uploads)
        return [self._add(own, kept, part) for part, own in enumerate(decoded)]

    def _refuse_where_busy(self) -> None:
        """Take nothing in while more waits than memory should hold."""
        if self._waiting > self.limits.waiting:
            raise Busy("Many slices wait for their answers: send this again in a minute.")

    def take_listed(self, image: str, path: Path, patient: str, listed: Listed) -> None:
        """Take in an image of a review list, and wait until it is answered.

        Args:
            image: its path in the data set, by which the case is called.
            path: where it lies.
            patient: whom it belongs to; empty where unknown.
            listed: its place on the list.

        Raises:
            UnreadableImage: it is not there, or cannot be opened.
            RefusedUpload: it cannot be read.
            UsageError: the log or the store cannot be written to.
        """
        content = read_bytes(path)
        decoded = replace(self._decoder.image(path.name, content), name=image, patient=patient)
        kept = self._keep([(path.name, io.BytesIO(content))])
        self.wait(self._add(decoded, kept, listed=listed).id, self.limits.seconds)

    def _keep(self, uploads: Uploads) -> list[tuple[str, str]]:
        """Keep an upload; where that fails it is the server's fault, not the upload's."""
        if self._store is None:
            return []
        try:
            return [(name, self._store.put(content)) for name, content in uploads]
        except TumorscopeError as error:
            raise UsageError(str(error)) from error

    def _add(
        self,
        decoded: Decoded,
        kept: list[tuple[str, str]],
        part: int = 0,
        listed: Listed | None = None,
    ) -> Case:
        """Write a case down, and have it answered."""
        case = self.log.add_case(
            decoded.name,
            decoded.kind,
            _digest(decoded),
            patient=decoded.patient,
            files={"uploads": kept, "part": part} if kept else {},
            listed=listed,
        )
        self._begin(case, decoded)
        return case

    def job(self, case: str) -> Job | None:
        """Return the answering of a case; None where it ended long ago, or never began."""
        return self._jobs.get(case)

    def wait(self, case: str, seconds: float) -> Case | None:
        """Wait until a case is answered, but not for long; return the case of an image with it."""
        job = self._jobs.get(case)
        if job is None:
            return None
        with job.changed:
            job.changed.wait_for(lambda: job.finished or bool(job.error), seconds)
        return job.answered

    def slice_png(self, case: Case, number: int) -> bytes:
        """Return one slice of a case as PNG, as it was given.

        Raises:
            Gone: it was not kept.
            UsageError: there is no such slice.
        """
        pixels = self._slice(case, number)
        return as_png(np.rint(pixels).astype(np.uint8), "L")

    def map_png(self, case: Case, number: int, method: str) -> bytes:
        """Return the map of one slice, in the colours of the legend, its strength as opacity.

        Raises:
            Gone: the slice was not kept.
            UsageError: there is no such slice or method.
        """
        return self._maps.png((case.id, number, method), lambda: self._slice(case, number))

    @property
    def stores(self) -> bool:
        """Whether what is uploaded is kept."""
        return self._store is not None

    def can_show(self, case: Case) -> bool:
        """Say whether the slices of a case can be shown."""
        return self._pixels.get(case.id) is not None or (self.stores and bool(case.files))

    @property
    def methods(self) -> tuple[str, ...]:
        """The names of the maps that can be had."""
        return self._maps.methods

    def alike(self, case: Case, count: int = 6) -> list[tuple[Case, float]]:
        """Return the cases of the log that look most like one to the network, with their cosine."""
        if case.features is None:
            return []
        ids, features = self.log.embeddings(case.model, COMPARED)
        likeness = unit(features) @ unit(case.features)
        nearest = [(ids[n], float(likeness[n])) for n in np.argsort(-likeness, kind="stable")]
        near = [pair for pair in nearest if pair[0] != case.id][:count]
        found = [(self.log.case(other), own) for other, own in near]
        return [(other, own) for other, own in found if other is not None]

    def learned_alike(self, case: Case, count: int = 6) -> list[Alike]:
        """Return the training images that look most like a case to the network."""
        if case.features is None or case.model != self.model:
            return []
        return self._examples.nearest(case.features, count)

    def learned_png(self, number: int) -> bytes:
        """Return a training image as PNG.

        Raises:
            UsageError: there is no such image, or training images are not shown.
            UnreadableImage: it is no longer where it was.
        """
        if not 0 <= number < len(self.learned):
            raise UsageError("There is no such training image, or none is shown.")
        return as_png(np.rint(read_image(self.learned[number]).pixels).astype(np.uint8), "L")

    def _begin(self, case: Case, decoded: Decoded) -> None:
        """Have the slices of a case answered, and the answer written down in the end."""
        self._pixels.put(case.id, decoded.pixels)
        job = Job(case, len(decoded.pixels))
        self._jobs[case.id] = job
        self._wait_for(decoded.pixels.nbytes)
        while len(self._jobs) > 10_000:
            self._jobs.pop(next(iter(self._jobs)))
        if len(decoded.pixels) == 1:
            future = self._answering.submit(decoded.name, decoded.pixels[0])
            future.add_done_callback(lambda done: self._finish(job, decoded, [done]))
        else:
            self._background.submit(self._answer_series, job, decoded)

    def _answer_series(self, job: Job, decoded: Decoded) -> None:
        waiting = [
            self._answering.submit(f"{decoded.name}/{n + 1}", own)
            for n, own in enumerate(decoded.pixels)
        ]
        for future in waiting:
            future.exception()
            job.advance()
        self._finish(job, decoded, waiting)

    def _wait_for(self, more: int) -> None:
        """Count bytes of slices that wait for an answer, or with a minus do so no longer."""
        with self._counting:
            self._waiting += more

    def _finish(self, job: Job, decoded: Decoded, done: Sequence["Future[Answered]"]) -> None:
        self._wait_for(-decoded.pixels.nbytes)
        try:
            answers = [future.result() for future in done]
            slices = tuple(prediction for prediction, _ in answers)
            if decoded.kind == "image":
                answer: Prediction | SeriesPrediction = slices[0]
                features = answers[0][1]
            else:
                series = SeriesPrediction(
                    decoded.name,
                    series=decoded.name,
                    patient=decoded.patient,
                    plane=decoded.plane,
                    slices=slices,
                    positions=decoded.positions,
                )
                answer = with_answer(self.predictor.card, series)
                features = answers[answer.deciding[0] if answer.deciding else 0][1]
            kept = self.log.add_answer(job.case.id, self.model, answer, decoded.facts, features)
            if decoded.kind == "image":
                job.answered = replace(job.case, model=self.model, answer=kept, facts=decoded.facts)
        except Exception as error:
            logger.exception("case %s", job.case.id)
            message = str(error) if isinstance(error, TumorscopeError) else "it cannot be answered"
            with contextlib.suppress(TumorscopeError):  # where the log itself is the trouble
                self._write_error(job.case.id, decoded, message)
            job.advance(error=message)
        else:
            job.advance(finished=True)

    def _write_error(self, case: str, of: Case | Decoded, error: str) -> None:
        make = Prediction if of.kind == "image" else SeriesPrediction
        self.log.add_answer(case, self.model, make(of.name, error=error), {})

    def _slice(self, case: Case, number: int) -> NDArray[Any]:
        pixels = self._pixels.get(case.id)
        if pixels is None:
            pixels = self._decoded(case).pixels
            self._pixels.put(case.id, pixels)
        if not 0 <= number < len(pixels):
            raise UsageError(f"The case has {len(pixels)} slices; there is no slice {number}.")
        return np.asarray(pixels[number])

    def _decoded(self, case: Case) -> Decoded:
        """Read a case again from what was kept."""
        if self._store is None or not case.files:
            raise Gone("The images of this case were not kept: the server keeps none.")
        opened: list[tuple[str, BinaryIO]] = []
        try:
            for name, address in case.files["uploads"]:
                content = self._store.open(address)
                if content is None:
                    raise Gone("The images of this case are no longer in the store.")
                opened.append((name, content))
            return self._decoder(opened)[int(case.files["part"])]
        finally:
            for _, content in opened:
                content.close()


def _digest(decoded: Decoded) -> str:
    found = hashlib.sha256(str((decoded.pixels.shape, str(decoded.pixels.dtype))).encode())
    found.update(np.ascontiguousarray(decoded.pixels).tobytes())
    return found.hexdigest()
