"""How one image must be moved to lie on another, and how well they then agree.

A warp is an affine map that takes each point of the target to the point of the source that lies on
it, both in coordinates (row, column) that run from -1 to 1 over an image: float32, shape (2, 3).
It is found as an offline augmentation could have made it: the best of eight mirrorings, a few turns
and zooms and all shifts by Fourier correlation at 32 px, then Gauss-Newton steps on ever sharper
images (inverse compositional, with gain and lift: Baker and Matthews, "Lucas-Kanade 20 years on",
2004). What agrees is not the grey levels but their slopes, where both images have something.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, sparse

Floats = NDArray[np.float32]
Images = NDArray[np.uint8]

COARSE = 32  # the side at which warps are looked for, in pixels
REACH = 8  # pixels of it that an image may be shifted
MIRRORINGS = 8  # bit 0 mirrors left and right, bit 1 top and bottom, bit 2 exchanges the axes
LARGEST_STEP = (0.15, 0.15, 0.25)  # of a warp's columns, in one Gauss-Newton step
GAIN = (0.2, 5.0)  # how far contrast may differ
DAMPING = 1e-3


def align(source: Images, target: Images, starts: int = 2) -> tuple[Floats, Floats]:
    """Find the warps that lay sources on targets, to about a pixel of 64.

    Args:
        source: uint8, shape (n, 64, 64).
        target: as `source`.
        starts: how many of the most promising ways are followed.

    Returns:
        The warps, float32, shape (n, 2, 3), and how well the blurred images then agree, as
        `agreement` says, float32, shape (n,).
    """
    very_soft, soft = (
        (blurred(source, sigma), blurred(target, sigma)) for sigma in (1 / 16, 1 / 32)
    )
    best = np.zeros((len(source), 2, 3), np.float32)
    best_score = np.full(len(source), -np.inf, np.float32)
    for start in find_starts(source, target, starts):
        warp = refine(*very_soft, start, steps=8, stride=4)
        warp = refine(*soft, warp, steps=8, stride=4)
        score, _ = agreement(*soft, warp, margin=3)
        better = score > best_score
        best[better], best_score[better] = warp[better], score[better]
    return best, best_score


def refine(source: Floats, target: Floats, warp: Floats, *, steps: int, stride: int) -> Floats:
    """Improve warps by Gauss-Newton steps.

    Args:
        source: float32, shape (n, side, side), blurred as far as the warps may be off.
        target: as `source`.
        warp: float32, shape (n, 2, 3).
        steps: how many.
        stride: every which pixel is looked at, along each axis.
    """
    warp = warp.copy()
    side = target.shape[1]
    row, column = (axis[::stride, ::stride].reshape(-1) for axis in _grid(side))
    levels, down, right = (
        image[:, ::stride, ::stride].reshape(len(target), row.size)
        for image in (target, *slopes(target))
    )
    down, right = down * (side / 2), right * (side / 2)  # per unit of a coordinate
    rates = np.stack(
        [
            *(down * row, down * column, down, right * row, right * column, right),
            *(levels, np.ones_like(levels)),
        ],
        axis=1,
    )
    diagonal = np.arange(rates.shape[1])
    limit = np.array(LARGEST_STEP, np.float32)
    for _ in range(steps):
        found, inside = _sampled(source, warp, row, column)
        error, weight = _difference(found, levels, inside.astype(np.float32))
        weighted = rates * weight[:, None]
        normal = weighted @ rates.transpose(0, 2, 1)
        normal[:, diagonal, diagonal] *= 1 + DAMPING
        normal[:, diagonal, diagonal] += 0.01
        change = np.linalg.solve(normal, weighted @ error[..., None])[:, :6, 0]
        step = np.clip(change.reshape(-1, 2, 3), -limit, limit)
        matrix = warp[:, :, :2] @ np.linalg.inv(np.eye(2, dtype=np.float32) + step[:, :, :2])
        warp[:, :, 2] -= (matrix @ step[:, :, 2:])[..., 0]
        warp[:, :, :2] = matrix
    return warp


def _difference(found: Floats, levels: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Return what separates samples from levels beyond gain and lift, and the weight of each."""
    count = np.maximum(weight.sum(axis=1, keepdims=True), 1)
    centred = levels - (weight * levels).sum(axis=1, keepdims=True) / count
    lifted = found - (weight * found).sum(axis=1, keepdims=True) / count
    power = np.maximum((weight * centred**2).sum(axis=1, keepdims=True), 1e-3)
    gain = np.clip((weight * centred * lifted).sum(axis=1, keepdims=True) / power, *GAIN)
    error = lifted / gain - centred
    spread = np.sqrt((weight * error**2).sum(axis=1, keepdims=True) / count) + 1e-3
    return error, weight / (1 + (error / (2 * spread)) ** 2)  # what does not fit counts less


def agreement(
    source: Floats, target: Floats, warp: Floats, *, margin: int = 1
) -> tuple[Floats, Floats]:
    """Say how well warped sources agree with targets.

    Args:
        source: float32, shape (n, side, side).
        target: as `source`.
        warp: float32, shape (n, 2, 3).
        margin: pixels at the edges of both that do not count, because a slope or a blur there
            takes in what the other has not.

    Returns:
        The correlation of the slopes where both images are, in [-1, 1], and the share of the
        target's slopes (their squares) that lies there, in [0, 1]; each float32, shape (n,).
    """
    side = target.shape[1]
    row, column = (axis.reshape(-1) for axis in _grid(side))
    found, inside = _sampled(source, warp, row, column, margin)
    weight = inside.reshape(target.shape).astype(np.float32)
    for edge in (
        np.s_[:, :margin],
        np.s_[:, -margin:],
        np.s_[:, :, :margin],
        np.s_[:, :, -margin:],
    ):
        weight[edge] = 0
    own, other = slopes(found.reshape(target.shape)), slopes(target)

    def total(
        first: tuple[Floats, Floats], second: tuple[Floats, Floats], share: Floats | float
    ) -> Floats:
        """Return the products of slopes, summed over each image."""
        products = first[0] * second[0] + first[1] * second[1]
        return np.asarray((share * products).sum(axis=(1, 2)), np.float32)

    held = total(other, other, weight)
    power = np.sqrt(np.maximum(total(own, own, weight) * held, 1e-6))
    whole = np.maximum(total(other, other, 1), 1e-6)
    correlation = np.asarray(total(own, other, weight) / power, np.float32)
    return correlation, np.asarray(held / whole, np.float32)


def slopes(images: Floats) -> tuple[Floats, Floats]:
    """Return how grey levels rise a pixel, downwards and to the right; 0 at the edges."""
    down, right = np.zeros_like(images), np.zeros_like(images)
    down[:, 1:-1] = (images[:, 2:] - images[:, :-2]) / 2
    right[:, :, 1:-1] = (images[:, :, 2:] - images[:, :, :-2]) / 2
    return down, right


def blurred(images: Images, sigma: float) -> Floats:
    """Blur images by a Gaussian, its standard deviation a share of their side."""
    matrix = _blur_matrix(images.shape[1], sigma)
    return np.asarray(matrix @ images.astype(np.float32) @ matrix.T, np.float32)


@lru_cache(maxsize=32)
def _blur_matrix(side: int, sigma: float) -> Floats:
    places = np.arange(side)
    weights = np.exp(-0.5 * ((places - places[:, None]) / (sigma * side)) ** 2)
    weights[weights < 1e-4] = 0  # products with denormal numbers take a hundred times as long
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


@lru_cache(maxsize=8)
def _grid(side: int) -> tuple[Floats, Floats]:
    """Return the row and column coordinate of each pixel, float32, shape (side, side)."""
    places = ((np.arange(side) + 0.5) * 2 / side - 1).astype(np.float32)
    row, column = np.meshgrid(places, places, indexing="ij")
    return row, column


def _sampled(
    images: Floats, warp: Floats, row: Floats, column: Floats, margin: int = 0
) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the images' levels at warped points, and which of these lie well in them."""
    side = images.shape[1]
    places = warp[:, :, :1] * row + warp[:, :, 1:2] * column + warp[:, :, 2:]
    places = (places + 1) * (side / 2) - 0.5
    inside = ((places >= margin) & (places <= side - 1 - margin)).all(axis=1)
    places = np.clip(places, 0, side - 1.001)
    corner = places.astype(np.int32)
    down, right = (places - corner).transpose(1, 0, 2)
    first = np.arange(len(images), dtype=np.int32)[:, None] * side**2
    at = first + corner[:, 0] * side + corner[:, 1]
    levels = images.reshape(-1)
    top, bottom = levels.take(at), levels.take(at + side)
    top += right * (levels.take(at + 1) - top)
    bottom += right * (levels.take(at + side + 1) - bottom)
    return top + down * (bottom - top), inside


def find_starts(source: Images, target: Images, most: int) -> list[Floats]:
    """Return the most promising warps of each pair, each float32, shape (n, 2, 3)."""
    matrices, count = _start_matrices(), len(source)
    own, other = _bands(source), fft.rfft2(_bands(target))[:, None]
    moved = np.stack(
        [
            (product @ own.reshape(count, -1).T).T.reshape(own.shape)
            for product in _start_products()
        ],
        axis=1,
    )
    moved /= np.maximum(np.linalg.norm(moved, axis=(2, 3), keepdims=True), 1e-3)
    shifts = np.r_[0 : REACH + 1, COARSE - REACH : COARSE]  # the second half is negative
    likeness = np.concatenate(
        [
            fft.irfft2(np.conj(fft.rfft2(_mirrored(moved, n))) * other)[:, :, shifts][..., shifts]
            for n in range(MIRRORINGS)
        ],
        axis=1,
    ).reshape(count, len(matrices), -1)
    place = likeness.argmax(axis=2)
    score = np.take_along_axis(likeness, place[..., None], 2)[..., 0]
    signed = np.where(shifts > REACH, shifts - COARSE, shifts) * (2 / COARSE)
    found = []
    for chosen in np.argsort(-score, axis=1)[:, :most].T:
        shift = np.stack(np.divmod(place[np.arange(count), chosen], len(shifts)), axis=1)
        matrix = matrices[chosen]
        offset = -matrix @ signed[shift][..., None]
        found.append(np.concatenate([matrix, offset], axis=2).astype(np.float32))
    return found


def _bands(images: Images) -> Floats:
    """Return images at `COARSE` px without their slow changes, float32, fading at the edges."""
    side = images.shape[1]
    means = images.reshape(-1, COARSE, side // COARSE, COARSE, side // COARSE).mean((2, 4))
    fine, slow = (_blur_matrix(COARSE, sigma) for sigma in (1 / 40, 1 / 8))
    window = np.sqrt(np.hanning(COARSE + 2)[1:-1])
    bands = (fine @ means @ fine.T - slow @ means @ slow.T) * window[:, None] * window
    lengths = np.linalg.norm(bands, axis=(1, 2), keepdims=True)
    return np.asarray(bands / np.maximum(lengths, 1e-3), np.float32)


def _mirrored(images: Floats, number: int) -> Floats:
    if number & 1:
        images = images[..., ::-1]
    if number & 2:
        images = images[..., ::-1, :]
    return np.swapaxes(images, -1, -2) if number & 4 else images


@lru_cache(maxsize=1)
def _start_matrices() -> NDArray[np.float64]:
    """Return the linear parts of the warps that are tried, mirroring by mirroring, (n, 2, 2)."""
    mirrorings = []
    for number in range(MIRRORINGS):
        own = np.eye(2)
        if number & 4:
            own = own[::-1]
        mirrorings.append(np.diag([-1 if number & 2 else 1, -1 if number & 1 else 1]) @ own)
    return np.stack([move @ mirror for mirror in mirrorings for move in _moves()])


def _moves() -> list[NDArray[np.float64]]:
    """Return the turns and zooms that are tried."""
    sine, cosine = np.sin(np.deg2rad(12)), np.cos(np.deg2rad(12))
    turn = np.array([[cosine, -sine], [sine, cosine]])
    zooms = [(0.85, 0.85), (1.18, 1.18), (0.85, 1.18), (1.18, 0.85)]
    return [np.eye(2), turn, turn.T, *(np.diag(zoom) for zoom in zooms)]


@lru_cache(maxsize=1)
def _start_products() -> list[Any]:
    """Return the matrices that move a flattened image at `COARSE` px, sparse."""
    middle = (COARSE - 1) / 2
    target = np.mgrid[:COARSE, :COARSE].reshape(2, -1) - middle
    products = []
    for move in _moves():
        place = move @ target + middle
        corner = np.floor(place).astype(int)
        entries = []
        for step in ((0, 0), (0, 1), (1, 0), (1, 1)):
            row, column = at = corner + np.array(step)[:, None]
            weight = (1 - np.abs(place - at)).prod(axis=0)
            inside = ((at >= 0) & (at < COARSE)).all(axis=0)
            whole = np.flatnonzero(inside)
            entries.append((weight[inside], whole, (row * COARSE + column)[inside]))
        weights, rows, columns = (np.concatenate(part) for part in zip(*entries, strict=True))
        shape = (COARSE**2, COARSE**2)
        products.append(
            sparse.csr_array((weights.astype(np.float32), (rows, columns)), shape=shape)
        )
    return products
