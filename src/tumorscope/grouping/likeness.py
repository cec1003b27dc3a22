"""Fingerprints of images, and which images are copies of each other.

A fingerprint is the low end of the two-dimensional cosine transform of a thumbnail, without its
mean, each frequency weighted by its height and the whole scaled to length 1. The product of two
fingerprints is then a correlation in which fine structure counts; it does not change with size,
encoding, brightness or contrast. Mirroring and quarter turns change signs and order only, and a
crop is another matrix in front of the same transform.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tumorscope.data.resize import filter_weights
from tumorscope.data.store import THUMBNAIL

LENGTH = 255  # numbers in a fingerprint: with 256, one frequency would lack its mirror image
ORDER = 26  # frequencies along each axis from which they are taken

# Between slices of different patients of a public set of 3,064 the correlation stays under 0.967;
# re-encoded, resized and cropped copies keep 0.98 and more.
NEAR = 0.98
CANDIDATE = 0.84  # below this no pair is looked at more closely
WORTH_MATCHING = 0.86  # below this, after the finer crops, grey levels are not matched
SEARCHED = 64  # numbers by which candidates are found
NEIGHBOURS = 4
MARGINS = (0.02, 0.04, 0.06, 0.08, 0.10, 0.12)  # crops that are looked for, as shares of the side
FINE = (-0.01, -0.005, 0.005, 0.01)
CHUNK = 2048
BLANK = 10.0  # length of a fingerprint below which it is rounding and nothing else
EXACT_BELOW = 20_000  # up to here the search compares all with all

CANDIDATE_TYPE = np.dtype(
    [("first", "i4"), ("second", "i4"), ("similarity", "f4"), ("turn", "i1"), ("margin", "f4")]
)

Candidates = NDArray[np.void]
Thumbnails = NDArray[np.uint8]
Prints = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class NearCopy:
    """Two images that are one.

    Attributes:
        first, second: their row numbers.
        similarity: correlation of the fingerprints once turned and cropped alike, in [-1, 1].
        turn: the number of the mirroring or quarter turn that makes them alike; 0 for none.
        margin: the share of the side that one has lost on each edge.
        warp: for augmented copies, the affine map that lays the first on the second, row by row
            (see `tumorscope.grouping.alignment`); their `similarity` is that of slopes. Else empty.
    """

    first: int
    second: int
    similarity: float
    turn: int = 0
    margin: float = 0.0
    warp: tuple[float, ...] = ()


@lru_cache(maxsize=1)
def frequencies() -> NDArray[np.intp]:
    """Return the frequencies of a fingerprint, lowest first, int, shape (LENGTH, 2).

    The list is closed under exchange of the axes, so that a quarter turn only reorders it.
    """
    grid = np.stack(np.meshgrid(np.arange(ORDER), np.arange(ORDER), indexing="ij"), -1)
    listed = grid.reshape(-1, 2)[1:]  # without the mean
    order = np.lexsort((listed[:, 0], np.abs(listed[:, 0] - listed[:, 1]), listed.sum(1)))
    return np.array(listed[order][:LENGTH], dtype=np.intp)


@lru_cache(maxsize=256)
def _cosines(margin: float) -> NDArray[np.float32]:
    """Return the matrix that crops a margin, resizes back and transforms, (ORDER, THUMBNAIL)."""
    lost = margin * THUMBNAIL
    kept = THUMBNAIL - 2 * lost
    places = lost + (np.arange(THUMBNAIL) + 0.5) * kept / THUMBNAIL - 0.5
    if margin == 0:
        resampling = filter_weights(THUMBNAIL, THUMBNAIL).astype(np.float64)
    else:
        resampling = np.maximum(0, 1 - np.abs(np.arange(THUMBNAIL) - places[:, None]))
    waves = np.cos(np.pi * np.outer(np.arange(ORDER), np.arange(THUMBNAIL) + 0.5) / THUMBNAIL)
    return (waves @ resampling).astype(np.float32)


def fingerprints(thumbnails: Thumbnails, margin: float = 0.0) -> Prints:
    """Return the fingerprints of thumbnails, as they are or with a margin cropped off.

    Args:
        thumbnails: uint8, shape (n, 64, 64).
        margin: the share of the side to take off each edge, in [0, 0.4).

    Returns:
        float32, shape (n, LENGTH), rows of length 1; a blank image's row is zero.
    """
    matrix, chosen = _cosines(margin), frequencies()
    weights = np.hypot(chosen[:, 0], chosen[:, 1]).astype(np.float32)
    result = np.empty((len(thumbnails), LENGTH), np.float32)
    for start in range(0, len(thumbnails), CHUNK):
        levels = thumbnails[start : start + CHUNK].astype(np.float32)
        waves = matrix @ levels @ matrix.T
        result[start : start + CHUNK] = waves[:, chosen[:, 0], chosen[:, 1]] * weights
    result[np.linalg.norm(result, axis=1) < BLANK] = 0
    return _unit(result)


def _unit(vectors: Prints) -> Prints:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 1e-3, lengths, np.inf), np.float32)


def turned(prints: Prints, turn: int) -> Prints:
    """Return the fingerprints of the mirrored or turned images.

    Args:
        prints: shape (n, LENGTH).
        turn: 0 to 7; bit 0 mirrors left and right, bit 1 top and bottom, bit 2 then exchanges the
            axes.
    """
    chosen = frequencies()
    sign = np.ones(LENGTH, np.float32)
    if turn & 1:
        sign *= 1 - 2 * (chosen[:, 1] % 2)
    if turn & 2:
        sign *= 1 - 2 * (chosen[:, 0] % 2)
    result = prints * sign
    if turn & 4:
        number = {(int(u), int(v)): n for n, (u, v) in enumerate(chosen)}
        result = result[:, [number[int(v), int(u)] for u, v in chosen]]
    return np.asarray(result, np.float32)


def near_pairs(thumbnails: Thumbnails) -> list[NearCopy]:
    """Find the images that are copies of each other though their pixels differ.

    Resized, re-encoded, brighter or darker, cropped by up to 12 % on each edge, mirrored, or turned
    by quarter turns. Every pair stands once, the lower row first; equal images are found too. Blank
    images are copies of nothing.

    Args:
        thumbnails: uint8, shape (n, 64, 64).
    """
    prints = fingerprints(thumbnails)
    index = search_index(_unit(prints[:, :SEARCHED].copy()))
    searches = [(turn, 0.0) for turn in range(8)] + [(0, margin) for margin in MARGINS]
    candidates = [_search(index, thumbnails, prints, turn, margin) for turn, margin in searches]
    best = _best_of_each(np.concatenate(candidates))
    sure, unsure = best[best["similarity"] >= NEAR], best[best["similarity"] < NEAR]
    refined = [
        _refine(thumbnails, prints, unsure[start : start + CHUNK])
        for start in range(0, len(unsure), CHUNK)
    ]
    alike = np.concatenate([sure, *refined])
    alike = _best_of_each(alike[alike["similarity"] >= NEAR])
    return [
        NearCopy(min(first, second), max(first, second), similarity, turn, round(margin, 4))
        for first, second, similarity, turn, margin in alike.tolist()
    ]


def _best_of_each(candidates: Candidates) -> Candidates:
    """Keep the most similar candidate of each pair, the lower row first, in order."""
    ends = np.stack([candidates["first"], candidates["second"]])
    key = ends.min(axis=0).astype(np.int64) << 32 | ends.max(axis=0)
    order = np.lexsort((-candidates["similarity"], key))
    chosen = order[np.unique(key[order], return_index=True)[1]]
    return candidates[chosen]


def search_index(vectors: Prints) -> Any:
    """Return a FAISS index over vectors of length 1, by their products."""
    vectors = np.ascontiguousarray(vectors)
    width = vectors.shape[1]
    flat: Any = faiss.IndexFlatIP(width)
    index = flat
    if len(vectors) >= EXACT_BELOW:
        cells = int(4 * np.sqrt(len(vectors)))
        index = faiss.IndexIVFFlat(flat, width, cells, faiss.METRIC_INNER_PRODUCT)
        index.cp.niter = 8
        index.cp.min_points_per_centroid = 1  # it would print a warning
        index.train(vectors[:: max(1, len(vectors) // (40 * cells))])
        index.nprobe = 4
    index.add(vectors)
    return index


def _search(
    index: Any, thumbnails: Thumbnails, prints: Prints, turn: int, margin: float
) -> Candidates:
    """Return the pairs that correlate well enough for a closer look once turned or cropped."""
    queries = turned(prints, turn) if margin == 0 else fingerprints(thumbnails, margin)
    chunks = [np.empty(0, CANDIDATE_TYPE)]
    for start in range(0, len(queries), CHUNK):
        chunk = queries[start : start + CHUNK]
        close, rows = index.search(np.ascontiguousarray(_unit(chunk[:, :SEARCHED])), NEIGHBOURS)
        numbers = np.arange(start, start + len(chunk))[:, None]
        first, column = np.nonzero((rows >= 0) & (rows != numbers) & (close > CANDIDATE))
        second = rows[first, column]
        similarity = np.einsum("ij,ij->i", chunk[first], prints[second])
        good = similarity >= CANDIDATE
        some = np.empty(int(good.sum()), CANDIDATE_TYPE)
        some["first"], some["second"] = first[good] + start, second[good]
        some["similarity"], some["turn"], some["margin"] = similarity[good], turn, margin
        chunks.append(some)
    return np.concatenate(chunks)


def _refine(thumbnails: Thumbnails, prints: Prints, pairs: Candidates) -> Candidates:
    """Look closer at pairs: finer crops, and grey levels matched in rank before comparing."""
    pairs = pairs.copy()
    first, second = pairs["first"], pairs["second"]
    best, margin, turns = pairs["similarity"], pairs["margin"], pairs["turn"]

    def compare(sources: Thumbnails, rows: NDArray[np.intp], cropped: float) -> None:
        """Compare the cropped sources of some pairs with their targets and keep what is better."""
        own = _turned_each(fingerprints(sources, cropped), turns[rows])
        similarity = np.einsum("ij,ij->i", own, prints[second[rows]])
        better = similarity > best[rows]
        best[rows[better]] = similarity[better]
        margin[rows[better]] = cropped

    coarse = margin.copy()
    for base in np.unique(coarse):
        rows = np.flatnonzero((coarse == base) & (turns == 0))  # crops are sought unturned only
        for step in FINE:
            if base + step > 0:
                compare(thumbnails[first[rows]], rows, round(float(base + step), 4))
    unsure = np.flatnonzero((best < NEAR) & (best > WORTH_MATCHING))
    if not len(unsure):
        return pairs
    matched = _matched(thumbnails[first[unsure]], thumbnails[second[unsure]])
    for cropped in np.unique(margin[unsure]):
        chosen = margin[unsure] == cropped
        compare(matched[chosen], unsure[chosen], round(float(cropped), 4))
    return pairs


def _turned_each(prints: Prints, turns: NDArray[np.intp]) -> Prints:
    result = prints.copy()
    for turn in np.unique(turns):
        if turn:
            result[turns == turn] = turned(prints[turns == turn], int(turn))
    return result


def _matched(sources: Thumbnails, targets: Thumbnails) -> Thumbnails:
    """Give each source the distribution of its target's grey levels: undoes gamma and clipping."""
    shares, wanted = _cumulative(sources), _cumulative(targets)
    offset = 2.0 * np.arange(len(sources))[:, None]  # one ascending list of all rows
    places = np.searchsorted((wanted + offset).ravel(), (shares + offset).ravel() - 1e-6)
    table = places.reshape(-1, 256) - 256 * np.arange(len(sources))[:, None]
    flat = np.clip(table, 0, 255).astype(np.uint8)
    numbers = np.arange(len(sources))[:, None, None]
    return np.asarray(flat[numbers, sources], np.uint8)


def _cumulative(thumbnails: Thumbnails) -> NDArray[np.float64]:
    """Return the share of pixels up to each grey level, float64, shape (n, 256)."""
    count = len(thumbnails)
    sampled = thumbnails[:, ::2, ::2].reshape(count, -1)
    cells = sampled + 256 * np.arange(count, dtype=np.int32)[:, None]
    counts = np.bincount(cells.ravel(), minlength=256 * count).reshape(count, 256)
    return np.asarray(counts.cumsum(axis=1) / cells.shape[1])


def components(count: int, pairs: Sequence[tuple[int, int]]) -> NDArray[np.intp]:
    """Return the number of the connected group of each row, int, shape (count,).

    >>> components(4, [(0, 2), (2, 3)]).tolist()
    [0, 1, 0, 0]
    """
    if not pairs:
        return np.arange(count, dtype=np.intp)
    ends = np.array(pairs, dtype=np.intp)
    links = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(count, count))
    return np.asarray(connected_components(links, directed=False)[1], dtype=np.intp)
