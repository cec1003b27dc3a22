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
FARTHEST, EFFORT = 512, 1  # of an image left alone, at most; and pairs an image of the whole set
ALIKE, NEIGHBOURS = 0.8, 4  # of which so many, with codes as near as that, are compared with it
CHUNK = 32  # pairs at a time; what is computed of them stays in a core's cache


@dataclass(frozen=True)
class Look:
    """How closely a pair is looked at.

    Attributes:
        starts: how many ways to lay one image on the other are followed.
        roughly, promising: the agreement, blurred and at 64 px, below which no more is done.
        fine, soft: the agreement at 128 px, blurred by 1 and by 2 pixels, from which two images are
            one; either is enough, the second for noisy and blurred copies.
    """

    starts: int
    roughly: float
    promising: float
    fine: float
    soft: float


# Between slices of different patients of a set of 3,064, agreement stays under 0.91 and 0.96;
# between two visits of one patient under 0.967 and 0.986. Images looked at twice very likely
# have a copy, and are told from those of other patients alone.
FIRST_LOOK, SECOND_LOOK = Look(2, 0.93, 0.945, 0.968, 0.988), Look(6, 0.7, 0.8, 0.93, 0.975)
FAR_LOOK = Look(2, 0.85, 0.9, 0.93, 0.975)  # at many more candidates, which must agree at once
LEFT_ALONE = 0.1  # of the images have no copy, at most, in a set that was augmented throughout
ALIKE_IF_ALONE = 0.3  # codes below this are not compared at the second look
HELD = 0.2  # of an image's structure must lie in the other
LARGEST_STRETCH = 2.0


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
    index = search_index(codes)
    copies: list[NearCopy] = []

    def chains() -> NDArray[np.intp]:
        """Return the chain that each image is in so far."""
        return components(count, [*known, *((copy.first, copy.second) for copy in copies)])

    def compare(
        asking: NDArray[np.intp], depth: int, rounds: int, look: Look, alike: float
    ) -> None:
        """Compare some images with their nearest, one after another, until each is in a chain.

        Neighbours that are in an image's chain already are passed over.
        """
        close, rows = index.search(codes[asking], depth)
        open_ = (rows >= 0) & (close >= alike)
        for _ in range(rounds):
            chain = chains()
            open_ &= chain[rows] != chain[asking][:, None]
            if look is not FIRST_LOOK:
                open_ &= (np.bincount(chain)[chain[asking]] == 1)[:, None]
            where = np.flatnonzero(open_.any(axis=1))
            if not len(where):
                return
            nearest = open_[where].argmax(axis=1)
            open_[where, nearest] = False
            pairs = np.sort(np.stack([asking[where], rows[where, nearest]], axis=1), axis=1)
            copies.extend(_judge(np.unique(pairs, axis=0), thumbnails, at_128, look))

    compare(np.arange(count), SEARCHED, NEIGHBOURS, FIRST_LOOK, ALIKE)
    for look, effort in ((SECOND_LOOK, SEARCHED), (FAR_LOOK, FARTHEST)):
        alone = np.flatnonzero(np.bincount(chains())[chains()] == 1)
        if 0 < len(alone) <= LEFT_ALONE * count:
            depth = max(SEARCHED, min(count, effort, EFFORT * count // len(alone)))
            compare(alone, depth, depth, look, ALIKE_IF_ALONE)
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
        for n in np.flatnonzero((fine >= look.fine) | (soft >= look.soft))
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
