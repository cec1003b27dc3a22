"""Near-copy search by size, on synthetic heads with planted copies."""

import resource
import time

import numpy as np

from tumorscope.data.phantom import LESIONS, Head
from tumorscope.data.resize import resize, resize_squares
from tumorscope.data.store import MIDDLE, THUMBNAIL
from tumorscope.grouping.likeness import near_pairs

SIZES = (1_000, 10_000, 100_000)
PLANTED = 100


def heads(count: int) -> np.ndarray:
    """Return thumbnails that differ: blends of a few hundred heads, with planted mirror images."""
    draw = np.random.default_rng(0)
    base = np.stack([resize(Head(LESIONS[n % 4], n).slice(n).pixels, MIDDLE) for n in range(300)])
    small = resize_squares(base, THUMBNAIL).astype(np.float32)
    result = np.empty((count, THUMBNAIL, THUMBNAIL), np.uint8)
    for start in range(0, count, 1000):
        size = min(1000, count - start)
        first, second, third = small[draw.integers(0, 300, (3, size))]
        weight = draw.uniform(0.2, 0.8, (size, 1, 1))
        mixed = weight * first + (1 - weight) * np.roll(second, 5, 2) * 0.7 + third[:, ::-1] * 0.3
        result[start : start + size] = np.clip(mixed + draw.normal(0, 6, mixed.shape), 0, 255)
    result[-PLANTED:] = result[:PLANTED, :, ::-1]
    return result


def measure() -> list[str]:
    """Return a row a size: seconds, planted copies found, peak memory."""
    rows = []
    for count in SIZES:
        images = heads(count)
        start = time.perf_counter()
        found = {(p.first, p.second) for p in near_pairs(images)}
        seconds = time.perf_counter() - start
        planted = sum((n, count - PLANTED + n) in found for n in range(PLANTED))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        rows.append(
            f"| {count:,} | {seconds:.1f} s | {seconds / count * 1e3:.2f} ms | {planted} of "
            f"{PLANTED} | {peak:.2f} GB |"
        )
    return rows
