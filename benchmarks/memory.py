"""Private memory of training ResNet-18 at 224 px on `sartaj`, and on ten times its images."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import DATA

SIZE = 224
LONGEST = 300  # seconds: an epoch of ten times the images takes longer and shows no more


def copies(folder: Path, times: int) -> None:
    """Link each training image of `sartaj` so many times into class folders."""
    for source in sorted((DATA / "sartaj" / "Training").iterdir()):
        (folder / source.name).mkdir(parents=True)
        for path in source.iterdir():
            for number in range(times):
                (folder / source.name / f"{number}-{path.name}").symlink_to(path.resolve())


def private_peak(command: list[str], environment: dict[str, str]) -> tuple[float, bool]:
    """Run a command for at most `LONGEST` seconds.

    Returns:
        Its peak of private memory, GB, and whether it came to its end.
    """
    process, peak, started = subprocess.Popen(command, env=environment), 0.0, time.monotonic()
    while process.poll() is None:
        peak = max(peak, private_memory(process.pid))
        if time.monotonic() - started > LONGEST:
            process.kill()
            process.wait()
            return peak, False
        time.sleep(0.2)
    if process.returncode:
        sys.exit(f"the measured training failed with exit code {process.returncode}")
    return peak, True


def private_memory(process: int) -> float:
    """Return a process's private memory, GB; 0 if it has ended.

    Pages of mapped files are not counted: the system takes them back when it needs them.
    """
    try:
        facts = Path(f"/proc/{process}/smaps_rollup").read_text("utf-8")
    except OSError:
        return 0
    found = re.search(r"^Anonymous: +(\d+) kB", facts, re.MULTILINE)
    return int(found[1]) / 1e6 if found else 0


def measure() -> Iterator[str]:
    """Yield a row for each number of images: peak of private memory, time of an image."""
    for times, precision in ((1, "single"), (1, "bfloat16"), (10, "bfloat16")):
        with tempfile.TemporaryDirectory() as top:
            folder = Path(top) / "set"
            copies(folder, times)
            images = sum(1 for _ in folder.glob("*/*"))
            start = time.perf_counter()
            command = [sys.executable, "-m", "benchmarks.memory", str(folder), precision]
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
            peak, ended = private_peak(command, environment)
            pace = 1e3 * (time.perf_counter() - start) / images
            shown = f"{pace:.1f} ms" if ended else f"stopped after {LONGEST} s"
            yield f"| {images:,} | {precision} | {peak:.2f} GB | {shown} | ≤ 2.5 GB |"


if __name__ == "__main__":
    from benchmarks.training import ours

    ours(Path(sys.argv[1]), f"precision={sys.argv[2]}", size=SIZE, epochs=1)
