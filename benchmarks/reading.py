"""Reading a set into the store, against a bare two-thread Pillow decode and resize."""

import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.measure import DATA, Comparison, compare
from tumorscope.data.layouts import read_manifest
from tumorscope.data.store import open_store

SIZE = 128


def bare(path: Path) -> np.ndarray:
    """Decode and resize one file, and nothing else."""
    with Image.open(path) as image:
        return np.asarray(image.convert("L").resize((SIZE, SIZE), Image.Resampling.BILINEAR))


def measure() -> Comparison:
    """Compare on `sartaj`, 3,264 images, with nothing cached by us."""
    manifest = read_manifest(DATA / "sartaj")
    files = [manifest.root / row.image for row in manifest.rows]

    def ours() -> None:
        cache = tempfile.mkdtemp()
        os.environ["TUMORSCOPE_CACHE"] = cache
        open_store(manifest, SIZE)
        shutil.rmtree(cache)

    def peer() -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(bare, files))

    return compare(f"reading {len(files)} images at {SIZE} px", "≤ 1.5", ours, peer)
