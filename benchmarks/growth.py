"""What an image costs as stores grow: filling the store, feeding an epoch from it, memory."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.memory import private_memory
from tumorscope.data.layouts import read_manifest
from tumorscope.data.store import Store, open_store
from tumorscope.model.augmentation import augment, draw_uniforms
from tumorscope.schema.recipe import Augment
from tumorscope.training.data import Batches, StoreBatches

SIZES = (1_000, 10_000, 100_000)
SIDE, BATCH, WARM_UP = 64, 32, 500


def write_images(folder: Path, count: int) -> None:
    """Write noise of two classes, as PNG files of 64 px."""
    draw = np.random.default_rng(0)
    for number in range(count):
        place = folder / f"class{number % 2}"
        place.mkdir(parents=True, exist_ok=True)
        pixels = draw.integers(0, 256, (SIDE, SIDE), np.uint8)
        Image.fromarray(pixels).save(place / f"{number}.png", compress_level=0)


def one_size(folder: Path) -> str:
    """Fill a store and feed an epoch from it, augmented; return what both took."""
    manifest = read_manifest(folder)
    feed(open_store(replace(manifest, rows=manifest.rows[:WARM_UP]), SIDE))
    start = time.perf_counter()
    store = open_store(manifest, SIDE)
    filled, start = time.perf_counter() - start, time.perf_counter()
    feed(store)
    fed = time.perf_counter() - start
    filling, feeding = (1e3 * seconds / len(store) for seconds in (filled, fed))
    memory = private_memory(os.getpid())
    return f"| {len(store):,} | {filling:.3f} ms | {feeding:.3f} ms | {memory:.2f} GB |"


def feed(store: Store) -> None:
    """Read an epoch in a random order and augment it."""
    batches, spec = StoreBatches(store, np.zeros(len(store), np.intp)), Augment(rotation=15)
    uniforms = draw_uniforms(0, 0, len(store))
    for rows in Batches(np.arange(len(store)), BATCH, [0]):
        batch = batches[rows]
        augment(batch.pixels.float(), uniforms[batch.rows], spec)


def measure() -> Iterator[str]:
    """Yield a row a size, each from a process of its own."""
    for count in SIZES:
        with tempfile.TemporaryDirectory() as top:
            write_images(Path(top) / "set", count)
            environment = {
                **os.environ,
                "TUMORSCOPE_CACHE": f"{top}/cache",
                "PYTHONPATH": os.pathsep.join(sys.path),
            }
            command = [sys.executable, "-m", "benchmarks.growth", f"{top}/set"]
            ran = subprocess.run(
                command, env=environment, check=True, stdout=subprocess.PIPE, text=True
            )
            yield ran.stdout.strip()


if __name__ == "__main__":
    print(one_size(Path(sys.argv[1])))
