"""How many pixels may be decoded at once, by all workers together."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class PixelBudget:
    """Lets many small images be decoded side by side, and large ones one after another.

    Args:
        total: pixels that may be decoded at once. An image of more is decoded alone.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._taken = 0
        self._changed = Condition()

    @contextmanager
    def taking(self, pixels: int) -> Iterator[None]:
        """Wait until there is room for an image, and hold it while the block runs."""
        wanted = min(pixels, self._total)
        with self._changed:
            self._changed.wait_for(lambda: self._taken + wanted <= self._total)
            self._taken += wanted
        try:
            yield
        finally:
            with self._changed:
                self._taken -= wanted
                self._changed.notify_all()
