"""Slices of many requests to answers: those that wait are answered together."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tumorscope.inference.predict import Predictor
from tumorscope.records import Pixels, Prediction

TOGETHER = 4  # slices of several requests that a worker answers at once; with more it is no faster

Answered = tuple[Prediction, NDArray[np.float32]]
Waiting = tuple[str, Pixels, "Future[Answered]"]


class Answering:
    """Workers, one a core, that take what waits and answer it in one go.

    A worker that finds one slice answers it at once: nobody waits for company.
    """

    def __init__(self, predictor: Predictor, workers: int) -> None:
        """Start the workers.

        Args:
            predictor: on one core, since workers run side by side.
            workers: how many.
        """
        self._predictor = predictor
        self._limits = threadpool_limits(1, user_api="blas")  # they run side by side
        self._waiting: SimpleQueue[Waiting | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"answering-{n}", daemon=True)
            for n in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, name: str, pixels: Pixels) -> "Future[Answered]":
        """Hand in a slice; what it is answered, and its features, come in time."""
        future: Future[Answered] = Future()
        self._waiting.put((name, pixels, future))
        return future

    def close(self) -> None:
        """Answer what waits, and end."""
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()
        self._limits.restore_original_limits()

    def _work(self) -> None:
        while (one := self._waiting.get()) is not None:
            some = [one]
            while len(some) < TOGETHER:
                try:
                    other = self._waiting.get_nowait()
                except Empty:
                    break
                if other is None:
                    self._waiting.put(None)  # for this worker again, once these are answered
                    break
                some.append(other)
            self._answer(some)

    def _answer(self, some: Sequence[Waiting]) -> None:
        try:
            answers = self._predictor.answer_all([(name, pixels) for name, pixels, _ in some])
        except Exception as error:  # noqa: BLE001 (goes to whoever waits)
            if len(some) > 1:  # one of them is to blame, and no other client
                for one in some:
                    self._answer([one])
            else:
                some[0][2].set_exception(error)
            return
        for (_, _, future), answer in zip(some, answers, strict=True):
            future.set_result(answer)
