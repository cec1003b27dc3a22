"""Run every benchmark, print one table and write it to docs/benchmarks.md."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import auditing, likeness, reading, training
from benchmarks.measure import DATA, machine

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
HEAD = """\
# Benchmarks

Written by `make bench`. Both sides run in turn in the same process, on the same images, size and
threads, three times after a warm-up; medians, and the ratio of our time to the peer's with its
spread. Machine: {machine}.

| what | ours | peer | ratio (spread) | bar |
| --- | --- | --- | --- | --- |
"""
PEERS = """
Peers: reading, a bare `Image.open`, `convert("L")` and `resize` in a pool of two threads; auditing,
the same without the resize; training,
torchvision's `ImageFolder`, a `DataLoader` with two workers and an eager loop with Adam, as the
field's notebooks write it, in single precision. Ours includes reading the files into the store,
validation, and writing checkpoints. `bfloat16 against single` has our own training on both sides.
"""

GROWTH = """
## Growth of the near-copy search

Thumbnails of synthetic heads with 100 planted mirror images; bars for 100,000: 60 s and 2 GB. Peak
memory is of the whole process, the thumbnails (0.41 GB for 100,000) and PyTorch included.

| images | time | a piece | planted copies found | peak memory |
| --- | --- | --- | --- | --- |
"""


def main() -> None:
    """Measure and write."""
    if not (DATA / "sartaj").is_dir():
        sys.exit(f"There is no real data at {DATA}: set TUMORSCOPE_DATA.")
    rows = []
    for comparison in (reading.measure(), *auditing.measure(), *training.measure()):
        rows.append(comparison.row())
        print(rows[-1], flush=True)
    growth = likeness.measure()
    print("\n".join(growth))
    page = HEAD.format(machine=machine()) + "\n".join(rows) + "\n" + PEERS + GROWTH
    PAGE.write_text(page + "\n".join(growth) + "\n", "utf-8")


if __name__ == "__main__":
    main()
