"""The page of answers to series: each with its slices and the probability along the stack."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice, pairwise
from pathlib import Path

import numpy as np

from tumorscope.inference.small_pictures import SmallPictures
from tumorscope.records import SeriesPrediction
from tumorscope.report.colours import PALETTE
from tumorscope.report.html import data_uri, render_page
from tumorscope.schema.card import Card
from tumorscope.support.files import explained, write_text

IN_STRIP = 40  # slices of a longer series: evenly spaced, and those that decide
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 700, 230, 46, 12, 40  # of the curve, in pixels
DASHES = ("", "7 3", "2 3", "9 3 2 3")  # tell lines apart without colour


@dataclass(frozen=True)
class Line:
    """The probability of a class along a stack.

    Attributes:
        name: the class.
        colour, dashes: of its line.
        pieces: points of the parts between slices without an answer.
        dots: points of the slices that decide; of the class that is answered alone.
    """

    name: str
    colour: str
    dashes: str
    pieces: tuple[str, ...]
    dots: tuple[tuple[float, float], ...]


def write_series_page(
    path: Path, answers: Sequence[SeriesPrediction], pictures: SmallPictures, card: Card
) -> None:
    """Write one page of the answers to some series.

    Args:
        path: the page's file.
        answers: what the model says.
        pictures: small pictures of the slices.
        card: of the model.

    Raises:
        UsageError: the file cannot be written.
    """
    shown = [answer for answer in answers if answer.slices]
    values = {
        "card": card,
        "shown": [(answer, _lines(answer, card.classes), _strip(answer)) for answer in shown],
        "others": [answer for answer in answers if not answer.slices],
        "picture": lambda answer, number: _uri(pictures.found, answer, number),
        "across": _across,
        "size": {
            "width": WIDTH,
            "height": HEIGHT,
            "left": LEFT,
            "bottom": HEIGHT - BOTTOM,
            "levels": [(share, _up(share)) for share in (0, 0.25, 0.5, 0.75, 1)],
        },
    }
    with explained(path, "with --page"):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, render_page("series", values))


def _lines(answer: SeriesPrediction, classes: Sequence[str]) -> list[Line]:
    """Return the curve of each class."""
    count = len(answer.slices)
    told = [n for n, own in enumerate(answer.slices) if own.accepted]
    breaks = [0, *(at for at, (a, b) in enumerate(pairwise(told), 1) if b > a + 1), len(told)]
    runs = [told[start:end] for start, end in pairwise(breaks) if told]
    lines = []
    for name, colour, dashes in zip(
        classes, islice(cycle(PALETTE), len(classes)), cycle(DASHES), strict=False
    ):

        def point(number: int, name: str = name) -> tuple[float, float]:
            """Return where a slice's probability is drawn."""
            return _across(number, count), _up(answer.slices[number].probabilities[name])

        pieces = tuple(" ".join(f"{x:.1f},{y:.1f}" for x, y in map(point, run)) for run in runs)
        dots = tuple(map(point, answer.deciding)) if name == answer.label else ()
        lines.append(Line(name, colour, dashes, pieces, dots))
    return lines


def _across(number: int, count: int) -> float:
    return round(LEFT + (WIDTH - LEFT - 12) * ((number + 0.5) / count), 1)


def _up(share: float) -> float:
    return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - share), 1)


def _strip(answer: SeriesPrediction) -> list[int]:
    """Return the slices to show: all of a short series."""
    count = len(answer.slices)
    even = np.linspace(0, count - 1, min(count, IN_STRIP)).round().astype(int)
    return sorted({*even.tolist(), *answer.deciding})


def _uri(
    pictures: Mapping[tuple[str, int], bytes], answer: SeriesPrediction, number: int
) -> str | None:
    content = pictures.get((answer.series, number))
    return None if content is None else data_uri(content)
