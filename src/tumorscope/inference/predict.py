"""A bundle to predictions: class, probabilities, set of labels, and whether to answer at all."""

import os
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from threadpoolctl import threadpool_limits

from tumorscope.data.read import grey_levels, read_image
from tumorscope.data.resize import resize
from tumorscope.errors import UnreadableImage
from tumorscope.inference.bundle import NETWORK, Bundle, Runtime, open_bundle
from tumorscope.inference.runtimes import Answers, Engine, open_engine
from tumorscope.metrics.conformal import label_sets
from tumorscope.records import Pixels, Prediction
from tumorscope.schema.card import Card

BATCH = 16  # images that a worker reads before it answers them
AT_ONCE = 4  # images that a runtime is given: the layers of more do not fit a core's cache
AHEAD = 2  # batches a worker may be ahead of whoever takes the answers

Picture = str | Path | Image.Image | NDArray[np.uint8] | NDArray[np.float32]


class Predictor:
    """Answers for images with the model of a bundle. Safe to share between threads.

    Attributes:
        card: what the model is; `card.classes` names the outputs.
    """

    def __init__(
        self, bundle: Bundle, runtime: Runtime | None = None, threads: int | None = None
    ) -> None:
        self.card: Card = bundle.card
        self._bundle = bundle
        self._runtime: Runtime = runtime or ("openvino" if NETWORK in bundle else "onnx")
        self._threads = threads or os.cpu_count() or 1

    @classmethod
    def load(
        cls, place: str | Path, *, runtime: Runtime | None = None, threads: int | None = None
    ) -> "Predictor":
        """Open a bundle, its zip, or the bundle of a run.

        Args:
            place: where it is.
            runtime: `onnx`, `openvino` or `pytorch`; that of the bundle's graph unless given.
            threads: how many cores the answer to one call may use; all unless given.

        Raises:
            BundleError: there is none, or it is damaged.
            MissingExtra: the runtime is not installed.
        """
        predictor = cls(open_bundle(place), runtime, threads)
        predictor.engine  # noqa: B018 (what is wrong with a bundle shows when it is loaded)
        return predictor

    @cached_property
    def engine(self) -> Engine:
        """What answers float32 slices, shape (n, height, width)."""
        return open_engine(self._bundle, self._runtime, self._threads)

    @cached_property
    def _engine_of_a_worker(self) -> Engine:
        """The same on one core: several of them do more than one that is shared out."""
        if self._threads == 1:
            return self.engine
        return open_engine(self._bundle, self._runtime, 1)

    def answers(self, pixels: NDArray[np.uint8]) -> Answers:
        """Return all that the model says of images of its size.

        Args:
            pixels: uint8, shape (n, side, side), as `tumorscope.data.resize.resize` gives them.
        """
        return _answers(self.engine, pixels, self.card)

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probability of each class for images of the model's size.

        Args:
            pixels: uint8, shape (n, side, side), as `tumorscope.data.resize.resize` gives them.

        Returns:
            float32, shape (n, classes), rows summing to 1.
        """
        return self.answers(pixels).probabilities

    def __call__(self, picture: Picture) -> Prediction:
        """Answer for one image.

        Args:
            picture: a path, a Pillow image, or grey levels in [0, 255] of shape (height, width).

        Raises:
            UnreadableImage: it cannot be read or has another shape.
        """
        started = time.perf_counter()
        pixels = resize(_pixels(picture), self.card.preprocessing.image_size)
        answers = self.answers(pixels[None])
        seconds = time.perf_counter() - started
        return self._prediction(_name(picture), pixels, answers, 0, seconds)

    def predict(
        self, pictures: Iterable[Picture], *, workers: int | None = None
    ) -> Iterator[Prediction]:
        """Answer for many images in order; one that cannot be read gets its error, not an end.

        Each worker reads, resizes and answers a batch at a time on its own core. However many
        images there are, only a few batches are in memory.

        Args:
            pictures: as in a call; they are taken from the iterable as they are needed.
            workers: how many batches are worked on at once; as many as there are cores unless
                given.
        """
        count = workers or os.cpu_count() or 1
        engine = self._engine_of_a_worker if count > 1 else self.engine
        waiting: deque[Future[list[Prediction]]] = deque()
        offered = iter(pictures)
        with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(count) as pool:
            try:
                while chunk := list(islice(offered, BATCH)):
                    waiting.append(pool.submit(self._predict_chunk, chunk, engine))
                    if len(waiting) > AHEAD * count:
                        yield from waiting.popleft().result()
                while waiting:
                    yield from waiting.popleft().result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _predict_chunk(self, pictures: Sequence[Picture], engine: Engine) -> list[Prediction]:
        started = time.perf_counter()
        size = self.card.preprocessing.image_size
        errors: dict[int, str] = {}
        pixels: list[NDArray[np.uint8]] = []
        for position, picture in enumerate(pictures):
            try:
                pixels.append(resize(_pixels(picture), size))
            except UnreadableImage as error:
                errors[position] = str(error)
        images = np.array(pixels, np.uint8).reshape(-1, size, size)
        answers = _answers(engine, images, self.card)
        seconds = (time.perf_counter() - started) / len(pictures)
        numbers = iter(range(len(pixels)))
        predictions = []
        for position, picture in enumerate(pictures):
            name = _name(picture)
            if position in errors:
                predictions.append(Prediction(name, error=errors[position], seconds=seconds))
            else:
                number = next(numbers)
                made = self._prediction(name, images[number], answers, number, seconds)
                predictions.append(made)
        return predictions

    def _prediction(
        self, name: str, pixels: NDArray[np.uint8], answers: Answers, number: int, seconds: float
    ) -> Prediction:
        """Return what is said of one of some images."""
        classes, row = self.card.classes, answers.probabilities[number]
        reason = self._reason(pixels, float(answers.strangeness[number]))
        chosen = None
        if self.card.calibration.thresholds:
            inside = label_sets(row[None], self.card.calibration.thresholds)[0]
            chosen = tuple(name for name, held in zip(classes, inside, strict=True) if held)
        return Prediction(
            input=name,
            label="" if reason else classes[int(row.argmax())],
            probabilities=dict(zip(classes, map(float, row), strict=True)),
            set=chosen,
            accepted=not reason,
            reason=reason,
            seconds=seconds,
        )

    def _reason(self, pixels: NDArray[np.uint8], strangeness: float) -> str:
        """Return why an image is not answered; nothing where it is."""
        if pixels.min() == pixels.max():
            return "blank: every pixel has the same grey level"
        limit = self.card.gate.limit
        if not strangeness <= limit:
            return (
                f"does not look like the training slices (strangeness {strangeness:.2f}, "
                f"refused above {limit:g})"
            )
        return ""


def _answers(engine: Engine, pixels: NDArray[np.uint8], card: Card) -> Answers:
    chunks = [
        engine(pixels[start : start + AT_ONCE].astype(np.float32))
        for start in range(0, len(pixels), AT_ONCE)
    ]
    empty = ((0, len(card.classes)), (0, card.embedding), (0,))
    parts = zip((np.empty(shape, np.float32) for shape in empty), *chunks, strict=True)
    return Answers(*map(np.concatenate, parts))


def _name(picture: Picture) -> str:
    return str(picture) if isinstance(picture, str | Path) else ""


def _pixels(picture: Picture) -> Pixels:
    if isinstance(picture, str | Path):
        return read_image(Path(picture)).pixels
    if isinstance(picture, Image.Image):
        return grey_levels(picture)
    if picture.ndim != 2 or picture.size == 0 or picture.dtype not in (np.uint8, np.float32):
        raise UnreadableImage(
            f"array of shape {picture.shape} and type {picture.dtype}: "
            "a slice is uint8 or float32 of shape (height, width)"
        )
    if not np.isfinite(picture).all():
        raise UnreadableImage("array with values that are not finite")
    return picture
