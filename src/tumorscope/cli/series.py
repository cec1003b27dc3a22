"""Answers to series of a scanner: on the terminal, in a file, on a page, as DICOM objects."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import typer

from tumorscope.cli.answers import Format, conclude, counted, print_answers
from tumorscope.data.layouts.tree import walk
from tumorscope.data.scans.stacks import AS_EVER, ScanOptions, Stack
from tumorscope.errors import UnreadableImage, UsageError
from tumorscope.inference.archive import Answer, ArchiveCounts, check_out, write_answers
from tumorscope.inference.inputs import list_inputs
from tumorscope.inference.predict import Predictor
from tumorscope.inference.series import answered_stacks, holds_series
from tumorscope.inference.small_pictures import SmallPictures
from tumorscope.records import SeriesPrediction
from tumorscope.schema.card import Card
from tumorscope.support.extras import require_extra
from tumorscope.support.files import refuse_unwritable


@dataclass(frozen=True)
class SeriesOutputs:
    """Where answers to series go.

    Attributes:
        printed: how they are printed, where no file takes them.
        out: the file that takes them.
        page: the page that shows them.
        dicom: the folder of reports and pictures for the archive.
        scans: how files of a scanner are read.
        log: where the answers are kept, too.
    """

    printed: Format
    out: Path | None = None
    page: Path | None = None
    dicom: Path | None = None
    scans: ScanOptions = AS_EVER
    log: str | None = None


def answer_series(
    predictor: Predictor, inputs: Sequence[str], workers: int | None, outputs: SeriesOutputs
) -> None:
    """Answer inputs among which are series; other images are answered after them."""
    if outputs.out is not None:
        check_out(outputs.out)
    if outputs.dicom is not None:
        require_extra("dicom", "--dicom")
    if outputs.page is not None:
        require_extra("page", "--page")
        if outputs.page.suffix != ".html":
            raise UsageError(f"--page {outputs.page} must end in .html.")
        refuse_unwritable(outputs.page.parent)
    shown: list[SeriesPrediction] = []
    pictures = SmallPictures() if outputs.page is not None else None
    answers = _answers(predictor, inputs, workers, outputs, pictures, shown)
    if outputs.log is not None:
        answers = _recorded(predictor, outputs.log, answers)
    if outputs.out is None:
        scored = ArchiveCounts()
        print_answers(counted(answers, scored), predictor, outputs.printed)
    else:
        scored = write_answers(answers, outputs.out, predictor.card)
    if outputs.page is not None and pictures is not None:
        from tumorscope.report.series_page import write_series_page  # noqa: PLC0415 (an extra)

        write_series_page(outputs.page, shown, pictures, predictor.card)
        typer.echo(f"Page: {outputs.page}", err=True)
    conclude(scored, list(inputs), outputs.out)


def _answers(
    predictor: Predictor,
    inputs: Sequence[str],
    workers: int | None,
    outputs: SeriesOutputs,
    pictures: SmallPictures | None,
    shown: list[SeriesPrediction],
) -> Iterator[Answer]:
    """Yield the answers to series, then those to images.

    Args:
        predictor: the model.
        inputs: places of series, and images.
        workers: how many work at once.
        outputs: where answers go.
        pictures: keeps what a page shows.
        shown: takes the answers that a page shows.
    """
    look = pictures.keep if pictures else None
    places = [Path(word) for word in inputs if holds_series(Path(word))]
    for place in places:
        for stack, answer in answered_stacks(
            predictor, place, options=outputs.scans, workers=workers, look=look
        ):
            if pictures is not None:
                shown.append(answer)
            if outputs.dicom and stack is not None and stack.facts and answer.accepted:
                _write_dicom(outputs.dicom, stack, answer, predictor.card)
            yield answer
    trees = [walk(place) for place in places if place.is_dir()]
    beside = [str(tree.root / image) for tree in trees for image in tree.images]
    others = [word for word in inputs if Path(word) not in places]
    yield from predictor.predict(chain(beside, list_inputs(others, sys.stdin)), workers=workers)


def _write_dicom(folder: Path, stack: Stack, answer: SeriesPrediction, card: Card) -> None:
    """Write an answer as DICOM, or say why not."""
    from tumorscope.inference.dicom_report import write_dicom_answer  # noqa: PLC0415 (an extra)

    try:
        for path in write_dicom_answer(folder, stack, answer, card):
            typer.echo(f"DICOM: {path}", err=True)
    except UnreadableImage as error:
        typer.echo(f"{answer.input}: no report, since it {error}.", err=True)


def _recorded(predictor: Predictor, place: str, answers: Iterator[Answer]) -> Iterator[Answer]:
    """Yield answers after they were written into a log."""
    from tumorscope.watching.log import Log  # noqa: PLC0415 (an extra)
    from tumorscope.watching.record import record_alone  # noqa: PLC0415

    log = Log(place)
    try:
        for answer in answers:
            record_alone(predictor, log, answer)
            yield answer
    finally:
        log.close()
