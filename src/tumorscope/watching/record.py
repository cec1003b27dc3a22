"""Answers of `predict` written into a log, with what drift is seen by later."""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tumorscope.data.read import read_image
from tumorscope.errors import UnreadableImage
from tumorscope.inference.bundle import card_digest
from tumorscope.inference.predict import READ_BATCH, Predictor
from tumorscope.records import Pixels, Prediction, SeriesPrediction
from tumorscope.support.files import shown_name
from tumorscope.watching.cases import NOTHING
from tumorscope.watching.log import Log


def picture_facts(pixels: NDArray[Any]) -> dict[str, Any]:
    """Return what drift of inputs is seen by.

    Args:
        pixels: grey levels of slices, shape (n, height, width).
    """
    return {
        "slices": len(pixels),
        "width": int(pixels.shape[2]),
        "height": int(pixels.shape[1]),
        "mean": round(float(pixels.mean()), 3),
        "spread": round(float(pixels.std()), 3),
    }


def record_answers(
    predictor: Predictor, log: Log, names: Iterable[str], workers: int
) -> Iterator[Prediction]:
    """Answer for image files in order, and write each answer down before it is given.

    Args:
        predictor: on one core.
        log: where they go.
        names: of the files; taken as they are needed.
        workers: how many batches are worked on at once.

    Raises:
        UsageError: the log cannot be written to.
    """
    model, offered = card_digest(predictor.card), iter(names)
    waiting: deque[Future[list[Prediction]]] = deque()
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(workers) as pool:
        while chunk := list(islice(offered, READ_BATCH)):
            waiting.append(pool.submit(_record_chunk, predictor, log, model, chunk))
            if len(waiting) > 2 * workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _record_chunk(
    predictor: Predictor, log: Log, model: str, names: Sequence[str]
) -> list[Prediction]:
    found: dict[int, Pixels] = {}
    errors: dict[int, str] = {}
    for number, name in enumerate(names):
        try:
            found[number] = read_image(Path(name)).pixels
        except UnreadableImage as error:
            errors[number] = str(error)
    own = predictor.answer_all([(shown_name(names[n]), pixels) for n, pixels in found.items()])
    told = dict(zip(found, own, strict=True))
    answers, rows = [], []
    for number, name in enumerate(names):
        shown = shown_name(name)
        answer = told[number][0] if number in told else Prediction(shown, error=errors[number])
        case = log.add_case(shown, "image", _digest(Path(name)))
        facts = picture_facts(found[number][None]) if number in found else {}
        rows.append((case.id, model, answer, facts, told[number][1] if number in told else None))
        answers.append(answer)
    log.add_answers(rows)
    return answers


def record_alone(predictor: Predictor, log: Log, answer: Prediction | SeriesPrediction) -> None:
    """Write an answer down of which nothing else is at hand: without grey levels and features."""
    kind, name, patient, facts = "image", answer.input, "", {}
    if isinstance(answer, SeriesPrediction):
        kind, name, patient = "series", answer.series or answer.input, answer.patient
        facts = {"slices": max(len(answer.slices), 1)}
    digest = hashlib.sha256(repr((answer.input, name)).encode()).hexdigest()
    case = log.add_case(name, kind, digest, patient=patient)
    log.add_answer(case.id, card_digest(predictor.card), answer, facts)


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return NOTHING
