"""A bundle to predictions: class, probabilities, set of labels, and whether to answer at all."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from threadpoolctl import threadpool_limits

from tumorscope.data.read import picture_levels, read_image
from tumorscope.data.resize import resize
from tumorscope.errors import UnreadableImage
from tumorscope.inference.bundle import NETWORK, Bundle, Runtime, open_bundle
from tumorscope.inference.runtimes import BOX, Answers, Engine, open_engine
from tumorscope.inference.shipped import DEFAULT
from tumorscope.metrics.conformal import label_sets
from tumorscope.records import FoundBox, Pixels, Prediction, Slice
from tumorscope.schema.card import Card
from tumorscope.support.files import shown_name

READ_BATCH = 16  # images that a worker reads before it answers them
INFERENCE_BATCH = 4  # images a runtime is given: the layers of more do not fit a core's cache
ROUNDING = 0.01  # grey levels by which a scaled slice may pass 255
QUEUED_PER_WORKER = 2  # batches a worker may be ahead of whoever takes the answers


@dataclass(frozen=True)
class Deferred:
    """An image that is read when its turn comes.

    Attributes:
        name: what it is called in answers.
        read: returns it; raises UnreadableImage.
    """

    name: str
    read: Callable[[], Slice]


Picture = str | Path | Deferred | Image.Image | NDArray[np.uint8] | NDArray[np.float32]


class Predictor:
    """Answers for images with the model of a bundle. Safe to share between threads.

    Attributes:
        card: what the model is; `card.classes` names the outputs.
        engine: what answers float32 slices, shape (n, height, width).
    """

    def __init__(
        self, bundle: Bundle, runtime: Runtime | None = None, threads: int | None = None
    ) -> None:
        self.card: Card = bundle.card
        self._bundle = bundle
        self._runtime: Runtime = runtime or ("openvino" if NETWORK in bundle else "onnx")
        self._threads = threads or os.cpu_count() or 1
        self.engine: Engine = open_engine(bundle, self._runtime, self._threads)

    @classmethod
    def load(
        cls,
        place: str | Path = DEFAULT,
        *,
        runtime: Runtime | None = None,
        threads: int | None = None,
    ) -> "Predictor":
        """Open a bundle, its zip, the bundle of a run, or a model of the package.

        Args:
            place: where it is, or the name of a model that comes with the package; the one that
                `tumorscope predict` uses unless given.
            runtime: `onnx`, `openvino` or `pytorch`; that of the bundle's graph unless given.
            threads: how many cores to use, for one image as for many; all unless given.

        Raises:
            BundleError: there is none, or it is damaged.
            MissingExtra: the runtime is not installed.
        """
        return cls(open_bundle(place), runtime, threads)

    @cached_property
    def _one_core_engine(self) -> Engine:
        """What all workers call: many calls on one core each do more than one call on many."""
        if self._threads == 1:
            return self.engine
        return open_engine(self._bundle, self._runtime, 1)

    def answers(self, pixels: NDArray[np.uint8]) -> Answers:
        """Return all outputs of the model for images of its size.

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
        pixels = resize(picture_pixels(picture), self.card.preprocessing.image_size)
        answers = self.answers(pixels[None])
        seconds = time.perf_counter() - started
        return self._prediction(_name(picture), pixels, answers, 0, seconds)

    def answer_all(
        self, images: Sequence[tuple[str, Pixels]]
    ) -> list[tuple[Prediction, NDArray[np.float32]]]:
        """Answer for some images at once, on the calling thread.

        Who calls it from several threads holds NumPy's matrix products to one thread each, as
        `predict` does: `threadpoolctl.threadpool_limits(1, user_api="blas")`.

        Args:
            images: the name and the grey levels of each, in [0, 255], shape (height, width).

        Returns:
            The answer to each, as a call gives it, and the features that it rests on, float32,
            shape (features,).

        Raises:
            UnreadableImage: one of them has another shape.
        """
        started = time.perf_counter()
        size = self.card.preprocessing.image_size
        pixels = np.array([resize(picture_pixels(own), size) for _, own in images], np.uint8)
        answers = self.answers(pixels.reshape(-1, size, size))
        seconds = (time.perf_counter() - started) / max(len(images), 1)
        return [
            (self._prediction(name, pixels[n], answers, n, seconds), answers.embedding[n])
            for n, (name, _) in enumerate(images)
        ]

    def predict(
        self, pictures: Iterable[Picture], *, workers: int | None = None
    ) -> Iterator[Prediction]:
        """Answer for many images in order.

        An image that cannot be read yields a prediction whose `error` says why, and the others go
        on. Each worker reads, resizes and answers a batch at a time on one core. However many
        images there are, only a few batches are in memory. Until the last answer is taken, NumPy's
        matrix products use one thread in the whole process.

        Args:
            pictures: as in a call; they are taken from the iterable as they are needed.
            workers: how many batches are worked on at once; as many as the predictor's threads
                unless given.

        Raises:
            TypeError: a single path or image was given: call the predictor with it.
        """
        if isinstance(pictures, str | Path | Image.Image):
            raise TypeError("predict takes many images; for one, call predictor(image).")
        return self._predict(iter(pictures), workers or self._threads)

    def _predict(self, pictures: Iterator[Picture], workers: int) -> Iterator[Prediction]:
        engine = self._one_core_engine if workers > 1 else self.engine
        waiting: deque[Future[list[Prediction]]] = deque()
        with _one_blas_thread, ThreadPoolExecutor(workers) as pool:
            try:
                while chunk := list(islice(pictures, READ_BATCH)):
                    waiting.append(pool.submit(self._predict_chunk, chunk, engine))
                    if len(waiting) > QUEUED_PER_WORKER * workers:
                        yield from waiting.popleft().result()
                while waiting:
                    yield from waiting.popleft().result()
            finally:  # also where the answers are no longer wanted
                pool.shutdown(wait=True, cancel_futures=True)

    def _predict_chunk(self, pictures: Sequence[Picture], engine: Engine) -> list[Prediction]:
        started = time.perf_counter()
        size = self.card.preprocessing.image_size
        errors: dict[int, str] = {}
        pixels: dict[int, NDArray[np.uint8]] = {}
        for position, picture in enumerate(pictures):
            try:
                pixels[position] = resize(picture_pixels(picture), size)
            except UnreadableImage as error:
                errors[position] = str(error)
        images = np.array(list(pixels.values()), np.uint8).reshape(-1, size, size)
        answers = _answers(engine, images, self.card)
        seconds = (time.perf_counter() - started) / len(pictures)
        rows = {position: row for row, position in enumerate(pixels)}
        return [
            Prediction(_name(picture), error=errors[position], seconds=seconds)
            if position in errors
            else self._prediction(
                _name(picture), pixels[position], answers, rows[position], seconds
            )
            for position, picture in enumerate(pictures)
        ]

    def _prediction(
        self, name: str, pixels: NDArray[np.uint8], answers: Answers, row: int, seconds: float
    ) -> Prediction:
        """Put the answers in one row together."""
        classes, chances = self.card.classes, answers.probabilities[row]
        reason = self._refusal(pixels, float(answers.strangeness[row]))
        labels = None
        if self.card.calibration.thresholds:
            inside = label_sets(chances[None], self.card.calibration.thresholds)[0]
            labels = tuple(label for label, held in zip(classes, inside, strict=True) if held)
        best = int(chances.argmax())
        return Prediction(
            input=name,
            label="" if reason else classes[best],
            probabilities=dict(zip(classes, map(float, chances), strict=True)),
            set=labels,
            accepted=not reason,
            reason=reason,
            seconds=seconds,
            box=None if reason or best == self.card.healthy else _box(answers.boxes[row]),
        )

    def _refusal(self, pixels: NDArray[np.uint8], strangeness: float) -> str:
        """Return why an image is not answered; an empty string if it is."""
        if pixels.min() == pixels.max():
            return "blank: every pixel has the same grey level"
        limit = self.card.gate.limit
        if not strangeness <= limit:  # so that NaN is refused
            return (
                f"does not look like the training slices (strangeness {strangeness:.2f}, "
                f"refused above {limit:g})"
            )
        return ""


def _box(told: NDArray[np.float32]) -> FoundBox | None:
    """Return what a model's numbers say of a lesion's place; None where it gives none."""
    return FoundBox(*map(float, told)) if len(told) else None


def _answers(engine: Engine, pixels: NDArray[np.uint8], card: Card) -> Answers:
    if not len(pixels):
        boxes = BOX if card.recipe.localise else 0
        shapes = ((0, len(card.classes)), (0, card.embedding), (0,), (0, boxes))
        return Answers(*(np.empty(shape, np.float32) for shape in shapes))
    chunks = [
        engine(pixels[start : start + INFERENCE_BATCH].astype(np.float32))
        for start in range(0, len(pixels), INFERENCE_BATCH)
    ]
    return Answers(*map(np.concatenate, zip(*chunks, strict=True)))


class _OneBlasThread:
    """Holds NumPy's matrix products to one thread while anybody predicts; they run side by side."""

    def __init__(self) -> None:
        self._lock, self._users = threading.Lock(), 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._users:
                self._limits = threadpool_limits(1, user_api="blas")
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                self._limits.restore_original_limits()


_one_blas_thread = _OneBlasThread()


def _name(picture: Picture) -> str:
    if isinstance(picture, Deferred):
        return shown_name(picture.name)
    return shown_name(str(picture)) if isinstance(picture, str | Path) else ""


def picture_pixels(picture: Picture) -> Pixels:
    """Return the grey levels of a picture.

    Raises:
        UnreadableImage: it cannot be read or has another shape.
    """
    if isinstance(picture, str | Path):
        return read_image(Path(picture)).pixels
    if isinstance(picture, Deferred):
        return picture.read().pixels
    if isinstance(picture, Image.Image):
        return picture_levels(picture)
    if picture.ndim != 2 or picture.size == 0 or picture.dtype not in (np.uint8, np.float32):
        raise UnreadableImage(
            f"array of shape {picture.shape} and type {picture.dtype}: "
            "a slice is uint8 or float32 of shape (height, width)"
        )
    if not (picture.min() >= 0 and picture.max() <= 255 + ROUNDING):  # so that NaN is refused
        raise UnreadableImage(
            f"array with values from {picture.min():g} to {picture.max():g}: grey levels lie in "
            "[0, 255]"
        )
    if picture.dtype == np.float32 and 0 < picture.max() <= 1:
        raise UnreadableImage(
            "array of floats in [0, 1]: grey levels lie in [0, 255], so multiply it by 255"
        )
    return picture
