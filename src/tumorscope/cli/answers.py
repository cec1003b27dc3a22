"""Answers of a model on the terminal: as a table, as lines of JSON, as CSV."""

import csv
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tumorscope.errors import TumorscopeError
from tumorscope.support.files import drop_output
from tumorscope.support.text import plural

if TYPE_CHECKING:
    from tumorscope.inference.archive import Answer, ArchiveCounts
    from tumorscope.inference.predict import Predictor


class Format(StrEnum):
    """How answers are printed."""

    table = "table"
    jsonl = "jsonl"
    csv = "csv"


def print_answers(answers: "Iterator[Answer]", predictor: "Predictor", form: Format) -> None:
    """Print answers as they come."""
    try:
        _PRINTERS[form](answers, predictor)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads the answers has seen enough
        drop_output()
        raise typer.Exit from None


def counted(answers: "Iterator[Answer]", scored: "ArchiveCounts") -> "Iterator[Answer]":
    """Yield answers after counting them."""
    for answer in answers:
        scored.count(answer)
        yield answer


def conclude(scored: "ArchiveCounts", inputs: list[str], out: Path | None) -> None:
    """Say on standard error what was refused or failed, and end with the code that says so."""
    if not scored.inputs:
        if out is not None:
            out.unlink()
        raise TumorscopeError(f"There are no files in {', '.join(inputs)}: give images.")
    if out is not None:
        typer.echo(f"{scored.inputs} answers: {out}", err=True)
    if scored.refused:
        typer.echo(f"Refused: {plural(scored.refused, 'input')}, each with its reason.", err=True)
    if scored.failed:
        typer.echo(f"{scored.failed} of {scored.inputs} files could not be read.", err=True)
        raise typer.Exit(1)


def _print_table(answers: "Iterator[Answer]", predictor: "Predictor") -> None:  # noqa: ARG001 (printers are called alike)
    from tumorscope.support.terminal import show_table  # noqa: PLC0415

    if rows := [_answer_row(answer) for answer in answers]:
        show_table(("input", "class", "probability", "note"), rows)


def _answer_row(answer: "Answer") -> tuple[str, ...]:
    from tumorscope.records import SeriesPrediction  # noqa: PLC0415 (imports NumPy)

    if answer.error is not None:
        return (answer.input, "error", "", answer.error)
    if not answer.accepted:
        return (answer.input, "refused", "", answer.reason)
    others = [name for name in answer.set or () if name != answer.label]
    note = f"or {', '.join(others)}" if others else ""
    if answer.set == ():
        note = "unlike any class"
    if isinstance(answer, SeriesPrediction):
        shown = ", ".join(str(number + 1) for number in answer.deciding)
        decided = f"slice {shown} of {len(answer.slices)} of {answer.series}"
        note = "; ".join(part for part in (note, decided, answer.note) if part)
    return (answer.input, answer.label, f"{answer.probabilities[answer.label]:.3f}", note)


def _print_lines(answers: "Iterator[Answer]", predictor: "Predictor") -> None:  # noqa: ARG001 (printers are called alike)
    from tumorscope.inference.archive import as_json  # noqa: PLC0415
    from tumorscope.support.terminal import show  # noqa: PLC0415

    for answer in answers:
        show(as_json(answer))


def _print_csv(answers: "Iterator[Answer]", predictor: "Predictor") -> None:
    from tumorscope.inference.archive import csv_header, csv_row  # noqa: PLC0415

    card = predictor.card
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(csv_header(card))
    for answer in answers:
        writer.writerow(csv_row(answer, card))


_PRINTERS = {Format.table: _print_table, Format.jsonl: _print_lines, Format.csv: _print_csv}
