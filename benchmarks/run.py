"""Run benchmarks, print their tables and write them to docs/benchmarks.md: run.py [NAME …]."""

import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import (
    accuracy,
    auditing,
    bound,
    evaluating,
    explaining,
    feeding,
    growth,
    inference,
    likeness,
    memory,
    on_gpu,
    predicting,
    reading,
    serving,
    steps,
    training,
)
from benchmarks.measure import DATA, Comparison, machine

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
HEAD = """\
# Benchmarks

Each table is written by `make bench`, or alone by `python benchmarks/run.py NAME`, and stands until
it is measured again. No GPU was at hand: nothing here is claimed for one.
"""
AGAINST_PEERS = """\
Both sides run in turn in the same process, on the same images, size, epochs and threads, three
times after a warm-up; medians, and the ratio of our time to the peer's with its spread."""
PLAIN = f"""\
{AGAINST_PEERS} Peer: `ImageFolder`, a `DataLoader` with two workers and an eager loop with Adam, as
the field's notebooks write it, in single precision. Ours includes reading the files into the store,
validation of four images, and writing checkpoints."""
COMPARED = ("what", "ours", "peer", "ratio (spread)", "bar")


@dataclass(frozen=True)
class Table:
    """One table of the page.

    Attributes:
        title: its heading.
        text: what it shows and how it was measured.
        columns: their names.
        rows: measures and yields its rows.
    """

    title: str
    text: str
    columns: tuple[str, ...]
    rows: Callable[[], Iterable[str]]


def compared(measure: Callable[[], Iterable[Comparison]]) -> Callable[[], Iterator[str]]:
    """Return what yields the rows of comparisons."""

    def rows() -> Iterator[str]:
        for comparison in measure():
            yield comparison.row()

    return rows


TABLES = {
    "reading": Table(
        "Reading files",
        f'{AGAINST_PEERS} Peer: a bare `Image.open`, `convert("L")` and `resize` in a pool of two '
        "threads.",
        COMPARED,
        compared(lambda: [reading.measure()]),
    ),
    "auditing": Table(
        "Auditing",
        f"{AGAINST_PEERS} Peer: the same bare decode without the resize.",
        COMPARED,
        compared(auditing.measure),
    ),
    "feeding": Table(
        "Feeding an epoch to nobody",
        f"{AGAINST_PEERS} Peer: torchvision's `ImageFolder` and a `DataLoader` with two workers.",
        COMPARED,
        compared(feeding.measure),
    ),
    "staged": Table(
        "Training where most layers are frozen",
        f"{PLAIN} ResNet-50 at 224 px, 500 images of `sartaj`, 10 epochs, from files to weights; "
        "no call that warms up, as one takes minutes.",
        COMPARED,
        compared(training.staged),
    ),
    "training": Table(
        "Training all layers",
        f"{PLAIN} ResNet-18 at 128 px, 500 images of `sartaj`, 2 epochs, from files to weights; "
        "also against fastai's `vision_learner`, which reads as the loop does.",
        COMPARED,
        compared(training.whole),
    ),
    "steps": Table(
        "A step in bfloat16",
        f"{AGAINST_PEERS} Ours is the step in bfloat16, the peer the same in single precision: "
        "forward, backward and AdamW, all layers at 224 px, random numbers.",
        COMPARED,
        compared(steps.measure),
    ),
    "gpu": Table(
        "Training all layers on a GPU",
        f"{AGAINST_PEERS} Peer: `ImageFolder`, a `DataLoader` with eight workers and an eager loop "
        "with Adam in single precision. 1,024 slices of `cheng` at 224 px, 8 epochs, from files to "
        "weights. Where there is no GPU, `make bench` leaves this table as it is.",
        COMPARED,
        compared(on_gpu.whole),
    ),
    "bound": Table(
        "Training against the bound",
        "ResNet-18 at 128 px, all layers, from scratch: images a second of four epochs more, "
        "augmentation, optimiser and checkpoints included. The bound: the operations of forward "
        "and backward pass at the pace of the fastest square matrix product of the same type, "
        "measured before and after. Three times.",
        ("precision", "images/s", "bound", "share of the bound (spread)"),
        bound.measure,
    ),
    "accuracy": Table(
        "Accuracy after equal epochs",
        "ResNet-18 from scratch at 96 px, 1,000 images of `sartaj`, 8 epochs, 400 other images of "
        "its training part; three seeds.",
        ("who", "mean", "each seed"),
        accuracy.measure,
    ),
    "inference": Table(
        "Inference",
        "ResNet-18 at 224 px, batches of 16, single precision. The bound: the operations of the "
        "network at the pace of the fastest square matrix product, measured beside each runtime.",
        ("runtime", "images/s", "bound", "share of the bound (spread)"),
        inference.measure,
    ),
    "starting": Table(
        "The first answer",
        "One image, from the start of the process to its end; the first call, then five more.",
        ("model", "first call", "time (spread)", "bar"),
        predicting.start,
    ),
    "predicting": Table(
        "Predicting files",
        f"{AGAINST_PEERS} Ours reads, resizes and answers JPEG files of `sartaj`, 224 px; the "
        "peers answer the same images decoded and resized before: ONNX Runtime's session on the "
        "network alone, and eager PyTorch in channels-last, batches of 16, both on all cores. "
        "The last row: reading and resizing alone, on all cores, and the whole.",
        COMPARED,
        predicting.throughput,
    ),
    "streaming": Table(
        "Memory of a long prediction",
        "Drawn images of 256 × 256 through ResNet-18 at 32 px, as an archive would come.",
        ("images", "private memory", "images/s"),
        predicting.memory,
    ),
    "memory": Table(
        "Private memory of training",
        "ResNet-18 at 224 px, batches of 32, one epoch, of ten times the images its first five "
        "minutes; mapped pages are not counted.",
        ("images", "precision", "peak", "time an image", "bar"),
        memory.measure,
    ),
    "evaluating": Table(
        "Evaluating",
        "All scores of 5,000 answers for four classes with their intervals, on all images and on a "
        "part of them, by patient, calibration, sets, selection and subgroups; 2,000 bootstrap "
        "draws for each gain over controls. Three times.",
        ("groups", "time (spread)", "bar"),
        evaluating.measure,
    ),
    "explaining": Table(
        "Maps",
        f"{AGAINST_PEERS} Maps of 16 slices of `sartaj` at 224 px, beside one forward pass of the "
        "same batch, and beside captum's.",
        COMPARED,
        compared(explaining.measure),
    ),
    "serving": Table(
        "Serving",
        "2,000 JPEG files of `sartaj` to `POST /api/cases` by 16 clients at once, MobileNetV2 at "
        "224 px, each answer compared with `predict`'s and kept in the log. Bare: ONNX Runtime in "
        "two threads on the same files, read and resized by Pillow, batches of four; network "
        "alone: on what was read before. The clients run on the same cores. Bar: 80 % of the bare.",
        (
            *("requests/s", "p50 / p95 / p99", "lost", "wrong", "bare, images/s", "of the bare"),
            *("network alone", "of it"),
        ),
        serving.measure,
    ),
    "growth": Table(
        "Growth of the store",
        "64 px noise, each size in a process of its own: filling the store, an epoch from it with "
        "augmentation, and private memory at the end, PyTorch included, mapped pages not.",
        ("images", "filling, an image", "feeding, an image", "private memory"),
        growth.measure,
    ),
    "likeness": Table(
        "Growth of the near-copy search",
        "Thumbnails of synthetic heads with 100 planted mirror images; bars for 100,000: 60 s and "
        "2 GB. Peak memory is of the whole process, the thumbnails (0.41 GB for 100,000) and "
        "PyTorch included.",
        ("images", "time", "a piece", "planted copies found", "peak memory"),
        likeness.measure,
    ),
}


def main() -> None:
    """Measure what is asked for, all unless it is, and put each table into the page."""
    if not DATA.is_dir():
        sys.exit(f"There is no real data at {DATA}: set TUMORSCOPE_DATA.")
    here = [name for name in TABLES if name != "gpu" or torch.cuda.is_available()]
    for name in sys.argv[1:] or here:
        if name not in TABLES:
            sys.exit(f"There is no benchmark '{name}': choose from {', '.join(TABLES)}.")
        print(f"{name}", flush=True)
        rows = []
        for row in TABLES[name].rows():
            print(row, flush=True)
            rows.append(row)
        put(TABLES[name], rows)


def put(table: Table, rows: list[str]) -> None:
    """Write one table into the page, in its place; the others stay as they are."""
    sections = _sections(PAGE.read_text("utf-8")) if PAGE.is_file() else {}
    lines = ["| " + " | ".join(table.columns) + " |", "|" + " --- |" * len(table.columns), *rows]
    name = next(key for key, each in TABLES.items() if each is table)
    command = f"`python benchmarks/run.py {name}`"
    text = textwrap.fill(f"{table.text} Machine: {machine()}. {command}", 100)
    sections[table.title] = text + "\n\n" + "\n".join(lines)
    titles = [each.title for each in TABLES.values() if each.title in sections]
    parts = [HEAD.strip(), *(f"## {title}\n\n{sections[title]}" for title in titles)]
    PAGE.write_text("\n\n".join(parts) + "\n", "utf-8")


def _sections(page: str) -> dict[str, str]:
    """Return what stands below each heading of the page."""
    found = {}
    for part in page.split("\n## ")[1:]:
        title, _, text = part.partition("\n")
        found[title] = text.strip()
    return found


if __name__ == "__main__":
    main()
