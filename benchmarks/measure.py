"""How a ratio is measured: both sides in turn, several times, in one process."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import torch

REPEATS = 3
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
            f"| {middle:.3g} ({min(ratios):.3g} – {max(ratios):.3g}) | {self.bar} |"
        )


def compare(
    what: str, bar: str, ours: Callable[[], object], peer: Callable[[], object]
) -> Comparison:
    """Time both sides in turn; one earlier call of each warms caches up."""
    return compare_all([(what, bar, ours)], peer)[0]


def compare_all(
    variants: Sequence[tuple[str, str, Callable[[], object]]],
    peer: Callable[[], object],
    *,
    warm_up: bool = True,
) -> list[Comparison]:
    """Time several ways of ours and one peer in turn; long ones need no call that warms up."""
    rounds = [
        (_seconds(peer), [_seconds(ours) for _, _, ours in variants])
        for _ in range(REPEATS + warm_up)
    ][warm_up:]
    return [
        Comparison(what, bar, [times[n] for _, times in rounds], [seconds for seconds, _ in rounds])
        for n, (what, bar, _) in enumerate(variants)
    ]


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def machine() -> str:
    """Return one line on the machine and what ran on it."""
    parts = [f"{os.cpu_count()} cores", _processor(), f"Python {platform.python_version()}"]
    names = ("torch", "onnxruntime", "openvino", "fastai")
    parts += [f"{name} {version(name)}" for name in names if find_spec(name)]
    if torch.cuda.is_available():
        parts.append(torch.cuda.get_device_name())
    return ", ".join(parts)


def _processor() -> str:
    """Return the name of the processor, or its kind where the system does not tell."""
    try:
        facts = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in facts.splitlines() if "model name" in line]
    units = " with AMX" if "amx_bf16" in facts else ""
    units = units or (" with AVX512-BF16" if "avx512_bf16" in facts else "")
    return f"{names[0] if names else platform.machine()}{units}"
