"""Copies as offline augmentation makes them: turned, shifted, sheared, zoomed, blurred, noisy.

Candidates are found by their code (`descriptor`), laid on each other (`alignment`) and compared at
128 px, where scans of one head on two days differ and copies do not.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tumorscope.grouping.alignment import Floats, Images, agreement, align, blurred, refine
from tumorscope.grouping.descriptor import describe
from tumorscope.grouping.likeness import NearCopy, components, search_index

SEARCHED = 48  # neighbours of each image that are known
ALIKE, NEIGHBOURS = 0.8, 4  # of which so many, with codes as near as that, are compared with it
CHUNK = 32  # pairs at a time; what is computed of them stays in a core's cache


@dataclass(frozen=True)
class Look:
    """How closely a pair is looked at.

    Attributes:
        starts: how many ways to lay one image on the other are followed.
        roughly, promising: the agreement, blurred and at 64 px, below which no more is done.
    """

    starts: int
    roughly: float
    promising: float


FIRST_LOOK, SECOND_LOOK = Look(2, 0.93, 0.945), Look(6, 0.7, 0.8)
LEFT_ALONE = 0.1  # of the images have no copy, at most, in a set that was augmented throughout
ALIKE_IF_ALONE = 0.3  # codes below this are not compared at the second look
HELD = 0.2  # of an image's structure must lie in the other
LARGEST_STRETCH = 2.0

# Agreement from which two images are one, when both are blurred by 1 and by 2 pixels of 128: the
# second for noisy and blurred copies. Between slices of different patients of a public set of 3,064
# it stays under 0.91 and 0.96; between two visits of one patient under 0.967 and 0.986.
SAME_FINE, SAME_SOFT = 0.968, 0.988


def augmented_copies(
    thumbnails: Images,
    at_128: Callable[[NDArray[np.intp]], Images],
    known: Sequence[tuple[int, int]] = (),
) -> list[NearCopy]:
    """Find images that are augmented copies of each other, and chains of them.

    Of the pairs within a chain of copies not all are listed. Where nearly all images have copies,
    those without are looked at a second time, more closely: they were probably augmented too.

    Args:
        thumbnails: uint8, shape (n, 64, 64).
        at_128: returns some of the images by their numbers, uint8, shape (m, 128, 128).
        known: pairs that are known to be copies and are not looked at again.
    """
    codes, count = describe(thumbnails), len(thumbnails)
    close, rows = search_index(codes).search(codes, SEARCHED)
    seen = rows >= 0
    copies: list[NearCopy] = []

    def compare_nearest(open_: NDArray[np.bool_], look: Look, *, alone: bool) -> None:
        """Compare each image with the nearest neighbour that is left to compare it with."""
        chain = components(count, [*known, *((copy.first, copy.second) for copy in copies)])
        open_ &= chain[rows] != chain[:, None]
        asked = open_ & (np.bincount(chain)[chain] == 1)[:, None] if alone else open_
        asking = np.flatnonzero(asked.any(axis=1))
        nearest = asked[asking].argmax(axis=1)
        open_[asking, nearest] = False
        pairs = np.sort(np.stack([asking, rows[asking, nearest]], axis=1), axis=1)
        copies.extend(_judge(np.unique(pairs, axis=0), thumbnails, at_128, look))

    likely = seen & (close >= ALIKE)
    for _ in range(NEIGHBOURS):
        compare_nearest(likely, FIRST_LOOK, alone=False)
    chain = components(count, [*known, *((copy.first, copy.second) for copy in copies)])
    if (np.bincount(chain)[chain] == 1).sum() <= LEFT_ALONE * count:
        possible = seen & (close >= ALIKE_IF_ALONE)
        for _ in range(SEARCHED):
            compare_nearest(possible, SECOND_LOOK, alone=True)
    return copies


def _judge(
    pairs: NDArray[np.intp],
    thumbnails: Images,
    at_128: Callable[[NDArray[np.intp]], Images],
    look: Look,
) -> list[NearCopy]:
    """Return the pairs that are copies: at each step fewer are looked at, and more closely."""
    if not len(pairs):
        return []
    warp, score = _in_chunks(
        lambda a, b: align(thumbnails[a], thumbnails[b], look.starts), *pairs.T
    )
    pairs, warp = pairs[score >= look.roughly], warp[score >= look.roughly]
    if not len(pairs):
        return []
    likely, warp = _in_chunks(
        lambda a, b, own: _promising(thumbnails[a], thumbnails[b], own, look.promising),
        *pairs.T,
        warp,
    )
    pairs, warp = pairs[likely], warp[likely]
    if not len(pairs):
        return []
    warp, fine, soft = _in_chunks(
        lambda a, b, own: _compare_at_128(at_128(a), at_128(b), own), *pairs.T, warp
    )
    return [
        NearCopy(
            int(pairs[n, 0]), int(pairs[n, 1]), float(fine[n]), warp=tuple(warp[n].ravel().tolist())
        )
        for n in np.flatnonzero((fine >= SAME_FINE) | (soft >= SAME_SOFT))
    ]


def _in_chunks(
    function: Callable[..., tuple[NDArray[Any], ...]], *columns: NDArray[Any]
) -> list[NDArray[Any]]:
    """Apply a function to some rows of all columns at a time, on all cores."""
    starts = range(0, len(columns[0]), CHUNK)
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda at: function(*(c[at : at + CHUNK] for c in columns)), starts)
        return [np.concatenate(parts) for parts in zip(*found, strict=True)]


def _promising(
    source: Images, target: Images, warp: Floats, least: float
) -> tuple[NDArray[np.bool_], Floats]:
    """Say which pairs are worth a look at 128 px, and return better warps."""
    sharp = blurred(source, 1 / 80), blurred(target, 1 / 80)
    warp = refine(*sharp, warp, steps=5, stride=2)
    score, shared = agreement(*sharp, warp, margin=2)
    stretch = np.linalg.svd(warp[:, :, :2], compute_uv=False)
    likely = (score >= least) & (shared >= HELD)
    likely &= (stretch[:, 0] < LARGEST_STRETCH) & (stretch[:, 1] > 1 / LARGEST_STRETCH)
    return likely, warp


def _compare_at_128(source: Images, target: Images, warp: Floats) -> tuple[Floats, Floats, Floats]:
    """Return better warps, and the agreement when blurred by one pixel and by two."""
    warp = refine(blurred(source, 1 / 107), blurred(target, 1 / 107), warp, steps=4, stride=2)
    fine, soft = (
        agreement(
            blurred(source, pixels / 128), blurred(target, pixels / 128), warp, margin=3 * pixels
        )[0]
        for pixels in (1, 2)
    )
    return warp, fine, soft
