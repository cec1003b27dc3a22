"""How fast work goes, and how long the rest of it will take."""

import time
from collections.abc import Callable

KEPT = 200  # moments that are remembered; more would not change the answer
ENOUGH = 10  # advances before anything is foretold: work comes in bursts


class Pace:
    """The pace of work over its later half, so that a slow start does not count for long.

    Args:
        total: how many units there are; None where nobody knows.
        clock: seconds since any moment.
    """

    def __init__(self, total: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.total = total
        self.done = 0
        self._clock = clock
        self._moments: list[tuple[float, int]] = []

    def advance(self, amount: int) -> None:
        """Say that `amount` more units are done."""
        self.done += amount
        self._moments.append((self._clock(), self.done))
        if len(self._moments) > KEPT:  # every second one, the newest included
            self._moments = self._moments[1::2]

    @property
    def rate(self) -> float | None:
        """Units a second over the later half; None before there are enough advances to tell.

        What came before the first advance, such as opening files, is no measure of the rest.
        """
        if len(self._moments) < ENOUGH:
            return None
        first = next(moment for moment in self._moments if moment[1] >= self.done / 2)
        seconds, units = self._moments[-1][0] - first[0], self.done - first[1]
        return units / seconds if seconds > 0 and units else None

    @property
    def remaining(self) -> float | None:
        """Seconds that the rest will take; None where that cannot be said."""
        rate = self.rate
        if rate is None or self.total is None:
            return None
        return max(self.total - self.done, 0) / rate


def duration(seconds: float) -> str:
    """Return seconds as people say them.

    >>> duration(4.21), duration(59.6), duration(3725)
    ('4.2 s', '1 min 00 s', '1 h 2 min')
    """
    if round(seconds) < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def size(count: float) -> str:
    """Return a number of bytes as people say it.

    >>> size(321), size(4_300_000), size(2_500_000_000)
    ('321 bytes', '4.3 MB', '2.5 GB')
    """
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count:.0f} bytes"
