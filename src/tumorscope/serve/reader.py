"""What the page and the interface ask for: cases taken in, answered, shown, reviewed."""

import contextlib
import io
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorscope.data.read import read_bytes, read_image
from tumorscope.errors import TumorscopeError, UsageError
from tumorscope.inference.bundle import Bundle, card_digest
from tumorscope.inference.examples import Examples, Neighbour, unit
from tumorscope.inference.predict import Predictor
from tumorscope.inference.series import with_answer
from tumorscope.records import Prediction, SeriesPrediction
from tumorscope.serve.answering import Answered, Answering
from tumorscope.serve.decoding import Decoder
from tumorscope.serve.job import Job
from tumorscope.serve.kept import Gone, KeptUploads, Uploads, content_of
from tumorscope.serve.limits import Busy, Limits, RefusedUpload
from tumorscope.serve.pictures import Maps, RecentSlices, as_png
from tumorscope.serve.uploads import Decoded
from tumorscope.support.text import plural
from tumorscope.watching.cases import NOTHING, Case, ListEntry
from tumorscope.watching.log import Log

LOOK = 0.2  # seconds between two looks for room
JOBS_KEPT = 10_000  # of answered cases, whose progress may still be asked for
COMPARED = 2000  # cases, the newest, among which those that look alike are sought
logger = logging.getLogger(__name__)


class Reader:
    """A model at work. Safe to share between threads.

    Attributes:
        predictor: the model.
        model: digest of its card.
        log: where everything is written down.
        training: where the training images lie that may be shown.
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
        training: Sequence[Path] = (),
    ) -> None:
        """Start working.

        Args:
            bundle: of the model.
            log: where cases, answers and reviews go.
            store: the folder that keeps what is uploaded; None to keep nothing.
            workers: cores that answer.
            limits: of what is taken.
            training: the training images among the model's examples, where they may be shown.
        """
        self.limits = limits or Limits()
        self.predictor = Predictor(bundle, threads=1)
        self.model = card_digest(self.predictor.card)
        self.log = log
        self._decoder = Decoder(self.limits)
        self._kept = KeptUploads(store, self._decoder)
        self._answering = Answering(self.predictor, workers)
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._pixels = RecentSlices(self.limits.kept)
        self._maps = Maps(bundle)
        self._examples = Examples(bundle)
        self.training = tuple(training)
        self._background = ThreadPoolExecutor(3, thread_name_prefix="series")
        self.closing = threading.Event()
        self._waiting, self._counting = 0, threading.Lock()

    def start(self) -> None:
        """Get ready, and begin to answer what an earlier server left without an answer."""
        self._decoder.start()
        self.beside(self._catch_up)

    def _catch_up(self) -> None:
        """Answer the cases without an answer whose images are kept; others may be another's."""
        if not self.stores:
            return
        for case in [own for own in self.log.all_cases() if own.answer is None and own.files]:
            if case.id in self._jobs:
                continue
            try:
                self._wait_for_room()
                decoded = self._kept.decode(case)
                self._reserve(decoded.pixels.nbytes)
                self._begin(case, decoded)
            except (Gone, RefusedUpload) as error:
                self._write_error(case.id, case, str(error))
            except Exception:
                logger.exception("case %s", case.id)

    def beside(self, work: Callable[[], None]) -> None:
        """Run work in the background, which ends where `closing` says so."""

        def logged() -> None:
            """Do it; nobody asks for its result."""
            try:
                work()
            except Exception:
                logger.exception("work in the background")

        self._background.submit(logged)

    def close(self) -> None:
        """Answer what waits, and end."""
        self.closing.set()
        self._background.shutdown(wait=True, cancel_futures=True)
        self._answering.close()
        self._decoder.close()
        self.log.close()

    def take(self, uploads: Uploads) -> list[Case]:
        """Take in an upload; return its cases, which are being answered.

        What cannot be answered is a case, too, beside others that can.

        Raises:
            Busy: too much waits to be answered.
            RefusedUpload: nothing in it can be answered.
            UsageError: the log or the store cannot be written to.
        """
        self._reserve(0)
        decoded = self._decoder(uploads)
        return self._add_all(decoded, lambda: self._kept.keep(uploads))

    def take_listed(self, image: str, path: Path, listed: ListEntry) -> None:
        """Take in an image of a review list, and wait until it is answered.

        Args:
            image: its path in the data set, by which the case is called.
            path: where it lies.
            listed: its place on the list.

        Raises:
            Busy: too much waits to be answered.
            UnreadableImage: it is not there, or cannot be opened.
            RefusedUpload: it cannot be read.
            UsageError: the log or the store cannot be written to.
        """
        self._wait_for_room()
        content = read_bytes(path)
        decoded = replace(self._decoder.image(path.name, content), name=image)
        kept = [(path.name, io.BytesIO(content))]
        (case,) = self._add_all([decoded], lambda: self._kept.keep(kept), listed)
        self.wait(case.id, self.limits.seconds)

    def _reserve(self, size: int) -> None:
        """Count bytes of slices as awaiting an answer, unless more do than memory should hold."""
        with self._counting:
            if self._waiting and self._waiting + size > self.limits.waiting:
                raise Busy("Many slices wait for their answers: send this again in a minute.")
            self._waiting += size

    def _wait_for_room(self) -> None:
        """Let clients go first: wait until less than half of what may wait does."""
        while self._waiting > self.limits.waiting // 2 and not self.closing.wait(LOOK):
            pass

    def _release(self, size: int) -> None:
        with self._counting:
            self._waiting -= size

    def _add_all(
        self,
        decoded: Sequence[Decoded],
        keep: Callable[[], list[tuple[str, str]]],
        listed: ListEntry | None = None,
    ) -> list[Case]:
        """Keep an upload, write its cases down, and have them answered."""
        left = sum(own.pixels.nbytes for own in decoded)
        self._reserve(left)
        cases = []
        try:
            kept = keep()
            for part, own in enumerate(decoded):
                files = {"uploads": kept, "part": part} if kept else {}
                case = self.log.add_case(
                    own.name,
                    own.kind,
                    content_of(own),
                    patient=own.patient,
                    files=files,
                    listed=listed,
                )
                left -= own.pixels.nbytes  # released where it is answered
                self._begin(case, own)
                cases.append(case)
        finally:
            self._release(left)
        return cases

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
        return self._kept.keeps

    def can_show(self, case: Case) -> bool:
        """Say whether the slices of a case can be shown."""
        if case.content == NOTHING:
            return False
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

    def most_similar(self, case: Case, count: int = 6) -> list[Neighbour]:
        """Return the training images that look most like a case to the network."""
        if case.features is None or case.model != self.model:
            return []
        return self._examples.nearest(case.features, count)

    def training_png(self, number: int) -> bytes:
        """Return a training image as PNG.

        Raises:
            UsageError: there is no such image, or training images are not shown.
            UnreadableImage: it is no longer where it was.
        """
        if not 0 <= number < len(self.training):
            raise UsageError("There is no such training image, or none is shown.")
        return as_png(np.rint(read_image(self.training[number]).pixels).astype(np.uint8), "L")

    def _begin(self, case: Case, decoded: Decoded) -> None:
        """Have the slices of a case answered, and the answer written down in the end."""
        if decoded.error is not None:
            self._write_error(case.id, decoded, decoded.error)
            return
        self._pixels.put(case.id, decoded.pixels)
        job = Job(case, len(decoded.pixels))
        with self._counting:
            self._jobs[case.id] = job
            while len(self._jobs) > JOBS_KEPT:
                self._jobs.popitem(last=False)
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

    def _finish(self, job: Job, decoded: Decoded, done: Sequence["Future[Answered]"]) -> None:
        self._release(decoded.pixels.nbytes)
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
        if case.content == NOTHING:
            raise UsageError("There is nothing to show of this case.")
        pixels = self._pixels.get(case.id)
        if pixels is None:
            pixels = self._kept.decode(case).pixels
            self._pixels.put(case.id, pixels)
        if not 0 <= number < len(pixels):
            raise UsageError(
                f"The case has {plural(len(pixels), 'slice')}; there is no slice {number}."
            )
        return np.asarray(pixels[number])
