"""What the command line shows: bars and tables on a terminal, plain lines elsewhere.

Progress and notes go to standard error, answers to standard output, so that a pipe gets answers.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress
from rich.progress import Task as RichTask
from rich.table import Table
from rich.text import Text

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


class Rate(ProgressColumn):
    """Units a second."""

    def render(self, task: RichTask) -> Text:
        """Return the rate, blank until it is known."""
        unit = task.fields.get("unit", "images")
        return Text(f"{task.speed:.0f} {unit}/s" if task.speed else "", style="dim")


class BarTask:
    """A task that moves a bar."""

    def __init__(self, progress: RichProgress, task: TaskID, title: str) -> None:
        self._progress = progress
        self._task = task
        self._title = title

    def advance(self, amount: int) -> None:
        """Move the bar."""
        self._progress.advance(self._task, amount)

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(text, highlight=False)


class Bars:
    """Progress bars with rate and time left, for a terminal."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)

    def say(self, line: str) -> None:
        """Print one line."""
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    @contextmanager
    def task(self, title: str, total: int | None, unit: str = "images") -> Iterator[Task]:
        """Show a bar while the block runs."""
        with RichProgress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            Rate(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        ) as progress:
            yield BarTask(progress, progress.add_task(title, total=total, unit=unit), title)


class LineTask:
    """A task that prints its notes with the rate and the time left."""

    def __init__(self, total: int | None, unit: str) -> None:
        self.done = 0
        self._total = total
        self._unit = unit
        self._start = time.monotonic()

    def advance(self, amount: int) -> None:
        """Count."""
        self.done += amount

    def note(self, text: str) -> None:
        """Print a line."""
        rate = self.done / max(time.monotonic() - self._start, 1e-9)
        left = ""
        if self._total is not None:
            left = f", {_duration((self._total - self.done) / rate if rate else 0)} left"
        _print(f"{text}; {rate:.0f} {self._unit}/s{left}")


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
        if task.done:
            seconds = time.monotonic() - start
            _print(f"{title}: {task.done} {unit} in {_duration(seconds)}")


def _print(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def show_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on standard output: ruled on a terminal, tab-separated in a pipe."""
    if not sys.stdout.isatty():
        for row in (header, *rows):
            sys.stdout.write("\t".join(row) + "\n")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for number, name in enumerate(header):
        table.add_column(name, justify="left" if number == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(width=min(WIDTH, Console().width)).print(table)


def show(line: str = "") -> None:
    """Print one line on standard output."""
    sys.stdout.write(line + "\n")
