"""How long work tells how far it is, without knowing whether anybody looks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Task(Protocol):
    """One piece of work that is under way."""

    def advance(self, amount: int) -> None:
        """Say that `amount` more units are done."""

    def note(self, text: str) -> None:
        """Say something about it that is worth a line."""


class Progress(Protocol):
    """Where work reports to: a terminal, a log, or nowhere."""

    def say(self, line: str) -> None:
        """Pass on one line for the user."""

    @contextmanager
    def task(self, title: str, total: int | None, unit: str = "images") -> Iterator[Task]:
        """Open a piece of work of `total` units, None where nobody knows how many."""
        yield Quiet()


class Quiet:
    """Reports nothing; what the Python API uses unless told otherwise."""

    def say(self, line: str) -> None:
        """Drop the line."""

    def advance(self, amount: int) -> None:
        """Drop the advance."""

    def note(self, text: str) -> None:
        """Drop the note."""

    @contextmanager
    def task(self, title: str, total: int | None, unit: str = "images") -> Iterator[Task]:
        """Open a piece of work that nobody follows."""
        yield self


def default_progress() -> Progress:
    """Return what the Python functions report to unless told otherwise.

    In a notebook, where people watch, bars or lines; elsewhere nothing.
    """
    from tumorscope.support.notebook import in_notebook  # noqa: PLC0415 (as the next is)

    if not in_notebook():
        return Quiet()
    from tumorscope.support.terminal import notebook_progress  # noqa: PLC0415 (imports Rich)

    return notebook_progress()
