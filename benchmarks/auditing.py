"""A cold and a warm audit, against a bare two-thread full decode of the same files."""

import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

import tumorscope
from benchmarks.measure import DATA, Comparison, compare


def decode(path: Path) -> np.ndarray:
    """Decode one file, and nothing else."""
    with Image.open(path) as image:
        return np.asarray(image.convert("L"))


def measure() -> list[Comparison]:
    """Compare on `sartaj`; the warm audit is compared with the cold one."""
    files = sorted((DATA / "sartaj").rglob("*.jpg"))
    top = Path(tempfile.mkdtemp())

    def audit() -> None:
        tumorscope.audit(data=DATA / "sartaj", out=top / "audit")

    def cold() -> None:
        shutil.rmtree(top, ignore_errors=True)
        os.environ["TUMORSCOPE_CACHE"] = str(top / "cache")
        audit()

    def peer() -> None:
        with ThreadPoolExecutor(2) as pool:
            for _ in pool.map(decode, files):
                pass

    first = compare(f"cold audit of {len(files)} images", "≤ 6", cold, peer)
    second = compare("warm audit (against a cold one)", "≤ 0.25", audit, cold)
    shutil.rmtree(top, ignore_errors=True)
    return [first, second]
