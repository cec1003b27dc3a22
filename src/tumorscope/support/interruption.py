"""Ctrl-C in the middle of work: what is said then."""

from collections.abc import Iterator
from contextlib import contextmanager

from tumorscope.errors import Interrupted


@contextmanager
def resumable(sentence: str) -> Iterator[None]:
    """Turn Ctrl-C into a sentence that says what is kept and how to go on.

    Raises:
        Interrupted: the user stopped the work, or work inside of it that said so already.
    """
    try:
        yield
    except (KeyboardInterrupt, Interrupted) as stop:
        raise Interrupted(sentence) from stop
