"""What the command line shows: bars and tables on a terminal, plain lines elsewhere.

Progress and notes go to standard error, answers to standard output, so that a pipe gets answers.
"""

import shutil
import sys
import time
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from textwrap import fill
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
)
from rich.progress import Progress as RichProgress
from rich.progress import Task as RichTask
from rich.table import Table
from rich.text import Text

from tumorscope.support.pace import Pace, duration
from tumorscope.support.progress import Progress, Quiet, Task

WIDTH = 80


def terminal_progress(*, quiet: bool) -> Progress:
    """Return what fits standard error: nothing, bars on a terminal, lines elsewhere."""
    if quiet:
        return Quiet()
    return Bars() if sys.stderr.isatty() else Lines()


def notebook_progress() -> Progress:
    """Return what a notebook shows: bars where its widgets are installed, lines elsewhere."""
    return Bars() if find_spec("ipywidgets") is not None else Lines()


class PaceColumn(ProgressColumn):
    """Units a second and the time left."""

    def render(self, task: RichTask) -> Text:
        """Return both, blank until they are known."""
        return Text(_pace(task.fields["pace"], task.fields["unit"]), style="dim")


def _pace(pace: Pace, unit: str) -> str:
    """Return the rate and the time left in words, as far as they are known."""
    words = []
    if pace.rate is not None:
        words.append(f"{pace.rate:.0f} {unit}/s")
    if pace.remaining is not None:
        words.append(f"{duration(pace.remaining)} left")
    return ", ".join(words)


class BarTask:
    """A task that moves a bar."""

    def __init__(self, progress: RichProgress, task: TaskID, pace: Pace) -> None:
        self._progress = progress
        self._task = task
        self._pace = pace

    def advance(self, amount: int) -> None:
        """Move the bar."""
        self._pace.advance(amount)
        self._progress.advance(self._task, amount)

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        line = wrapped(one_line(text), sys.stderr)
        self._progress.console.print(line, highlight=False, markup=False, soft_wrap=True)


class Bars:
    """Progress bars with rate and time left, for a terminal."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)

    def say(self, line: str) -> None:
        """Print a sentence."""
        line = wrapped(one_line(line), sys.stderr)
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    @contextmanager
    def task(self, title: str, total: int | None, unit: str = "images") -> Iterator[Task]:
        """Show a bar while the block runs."""
        with RichProgress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.completed}" if total is None else "{task.completed}/{task.total}"),
            PaceColumn(),
            console=self._console,
            transient=True,
        ) as progress:
            pace = Pace(total)
            task = progress.add_task(title, total=total, unit=unit, pace=pace)
            yield BarTask(progress, task, pace)


class LineTask:
    """A task that prints its notes with the rate and the time left."""

    def __init__(self, total: int | None, unit: str) -> None:
        self.pace = Pace(total)
        self._unit = unit

    def advance(self, amount: int) -> None:
        """Count."""
        self.pace.advance(amount)

    def note(self, text: str) -> None:
        """Print a line."""
        _print("; ".join(filter(None, (text, _pace(self.pace, self._unit)))))


class Lines:
    """Plain lines, for a log or a pipe."""

    def say(self, line: str) -> None:
        """Print one line."""
        _print(line)

    @contextmanager
    def task(self, title: str, total: int | None, unit: str = "images") -> Iterator[Task]:
        """Print how long the block took."""
        start = time.monotonic()
        task = LineTask(total, unit)
        yield task
        if task.pace.done:
            seconds = time.monotonic() - start
            _print(f"{title}: {task.pace.done} {unit} in {duration(seconds)}")


def one_line(text: str) -> str:
    r"""Return text with what would break a line or steer a terminal written as escapes.

    >>> print(one_line("a\nb.png"))
    a\nb.png
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _print(line: str) -> None:
    sys.stderr.write(one_line(line) + "\n")
    sys.stderr.flush()


def show_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on standard output: ruled on a terminal, tab-separated in a pipe."""
    if not sys.stdout.isatty():
        for row in (header, *rows):
            sys.stdout.write("\t".join(map(one_line, row)) + "\n")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, *cells in zip(header, *rows, strict=True):
        table.add_column(name, justify="right" if _all_numbers(cells) else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(one_line(cell)) for cell in row))
    Console(width=min(WIDTH, Console().width)).print(table)


def _all_numbers(cells: Sequence[str]) -> bool:
    """Say whether a column holds numbers, or words for a number that is missing."""
    return all(cell[:1] in "0123456789+-–" or cell == "n/a" for cell in cells)


def open_report(page: Path, *, wanted: bool) -> None:
    """Open a page in the user's browser, if that is wanted and there is one."""
    if wanted and not webbrowser.open(page.resolve().as_uri()):
        _print(f"No browser was found here: open {page} yourself.")


def show(line: str = "") -> None:
    """Print a line on standard output as it is."""
    sys.stdout.write(line + "\n")


def show_text(sentence: str, hang: str = "") -> None:
    """Print a sentence on standard output; on a terminal its further lines begin with `hang`."""
    show(wrapped(sentence, sys.stdout, hang))


def wrapped(sentence: str, stream: TextIO, hang: str = "") -> str:
    """Return a sentence as a stream takes it.

    That is one line, or on a terminal lines of 80 columns, cut between words: a path stays whole.
    """
    if not stream.isatty():
        return sentence
    return fill(
        sentence,
        min(WIDTH, shutil.get_terminal_size().columns),
        subsequent_indent=hang,
        break_long_words=False,
        break_on_hyphens=False,
    )
