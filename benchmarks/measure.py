"""How a ratio is measured: both sides in turn, several times, in one process."""

import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

DATA = Path(os.environ.get("TUMORSCOPE_DATA", Path(__file__).parents[2] / "shared" / "data"))


@dataclass(frozen=True)
class Comparison:
    """Seconds of ours and of a peer, pair by pair.

    Attributes:
        what: what was done.
        bar: what was promised, in words.
        ours, peer: seconds of each repetition.
    """

    what: str
    bar: str
    ours: list[float]
    peer: list[float]

    @property
    def ratios(self) -> list[float]:
        """Our time over the peer's, repetition by repetition."""
        return [a / b for a, b in zip(self.ours, self.peer, strict=True)]

    def row(self) -> str:
        """Return the row of the table in `docs/benchmarks.md`."""
        ratios = self.ratios
        middle = statistics.median(ratios)
        return (
            f"| {self.what} | {statistics.median(self.ours):.2f} s "
            f"| {statistics.median(self.peer):.2f} s "
            f"| {middle:.2f} ({min(ratios):.2f} – {max(ratios):.2f}) | {self.bar} |"
        )


def compare(
    what: str, bar: str, ours: Callable[[], object], peer: Callable[[], object], repeats: int = 3
) -> Comparison:
    """Time both sides in turn; one earlier call of each warms caches up."""
    pairs = [(_seconds(ours), _seconds(peer)) for _ in range(repeats + 1)][1:]
    return Comparison(what, bar, [a for a, _ in pairs], [b for _, b in pairs])


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def machine() -> str:
    """Return one line on the machine."""
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
