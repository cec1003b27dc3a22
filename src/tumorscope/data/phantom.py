"""Synthetic head slices with known truth: patient, class, box and lesion mask.

They look enough like contrast-enhanced T1 slices to walk the whole way with, and nothing more: a
score on them says nothing about real images. Every image lies in a folder called `phantoms` and
every patient's name begins with `synthetic`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tumorscope.records import Box
from tumorscope.support.files import explained, write_csv
from tumorscope.support.progress import Progress, Quiet

Plane = Literal["axial", "coronal", "sagittal"]
Lesion = Literal["glioma", "meningioma", "pituitary", "no_tumor"]
PLANES: tuple[Plane, ...] = ("axial", "coronal", "sagittal")
LESIONS: tuple[Lesion, ...] = ("glioma", "meningioma", "no_tumor", "pituitary")

Field = NDArray[np.float64]

# Grey levels of tissues on T1 with contrast, as shares of the brightest.
AIR, SCALP, SKULL, FLUID, GREY, WHITE = 0.0, 0.85, 0.10, 0.14, 0.42, 0.58
ENHANCED, NECROTIC, OEDEMA = 0.95, 0.20, 0.36
FINE = 12  # waves of which a head's fine texture is made
COLUMNS = (
    *("image", "label", "patient_id"),
    *("x_center", "y_center", "width", "height", "plane"),
)


@dataclass(frozen=True)
class Phantom:
    """One synthetic slice.

    Attributes:
        pixels: uint8, shape (side, side).
        mask: where the lesion is, bool, shape (side, side).
        lesion: its class.
        plane: how it is cut.
        patient: whom it belongs to.
    """

    pixels: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    lesion: Lesion
    plane: Plane
    patient: str

    @property
    def box(self) -> Box | None:
        """The smallest box around the lesion, None where there is none."""
        rows, columns = np.flatnonzero(self.mask.any(axis=1)), np.flatnonzero(self.mask.any(axis=0))
        if not len(rows):
            return None
        side = len(self.mask)
        top, bottom = rows[0] / side, (rows[-1] + 1) / side
        left, right = columns[0] / side, (columns[-1] + 1) / side
        return Box((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)


class Head:
    """One patient's anatomy, the same on all slices of that patient."""

    def __init__(self, lesion: Lesion, seed: int) -> None:
        draw = np.random.default_rng([seed, LESIONS.index(lesion)])
        self.lesion = lesion
        self.name = f"synthetic-{lesion}-{seed}"
        self.size = draw.uniform(0.86, 0.98, 2)
        self.tilt = math.radians(draw.normal(0, 4))
        self.shift = draw.normal(0, 0.02, 2)
        self.scalp = draw.uniform(0.05, 0.09)
        self.skull = draw.uniform(0.04, 0.07)
        self.ventricles = draw.uniform(0.7, 1.3)
        self.folds = draw.uniform(0, 2 * math.pi, (6, 2))
        self.side = draw.choice([-1, 1])
        self.angle = draw.uniform(0, 2 * math.pi)
        self.reach = draw.uniform(0.25, 0.55)
        self.radius = draw.uniform(0.17, 0.30)
        self.lobes = draw.normal(0, 0.08, 5), draw.uniform(0, 2 * math.pi, 5)
        self.seed = seed
        fine = np.random.default_rng([seed, LESIONS.index(lesion), FINE])
        self.texture = fine.uniform(0, 2 * math.pi, (FINE, 2)), fine.uniform(12, 30, FINE)

    def slice(self, number: int, side: int = 160) -> Phantom:
        """Draw one slice: planes take turns, and each is cut at another depth.

        Args:
            number: which slice of this patient; the same number gives the same slice.
            side: of the image, in pixels.
        """
        plane = PLANES[number % 3]
        draw = np.random.default_rng([self.seed, LESIONS.index(self.lesion), number])
        depth = draw.uniform(-0.35, 0.35)
        x, y = self._coordinates(side)
        image, brain = self._anatomy(x, y, plane, depth)
        image, mask = self._with_lesion(image, brain, x, y, plane, depth)
        image = _acquired(image, x, y, draw)
        return Phantom(_grey(image), mask, self.lesion, plane, self.name)

    def _coordinates(self, side: int) -> tuple[Field, Field]:
        """Return the head's own coordinates of each pixel: right and down, edges near ±1."""
        axis = (np.arange(side) + 0.5) / side * 2 - 1
        x, y = np.meshgrid(axis - self.shift[0], axis - self.shift[1])
        cos, sin = math.cos(self.tilt), math.sin(self.tilt)
        return (cos * x + sin * y) / self.size[0], (cos * y - sin * x) / self.size[1]

    def _anatomy(self, x: Field, y: Field, plane: Plane, depth: float) -> tuple[Field, Field]:
        """Return the healthy image and how much of each pixel is brain."""
        shrink = math.sqrt(1 - 0.6 * depth**2)
        wide, tall = {"axial": (0.76, 0.94), "coronal": (0.78, 0.84), "sagittal": (0.94, 0.84)}[
            plane
        ]
        head = _ellipse(x, y, 0, 0, wide * shrink, tall * shrink)
        inner = 1 - self.scalp
        bone = _ellipse(x, y, 0, 0, wide * shrink * inner, tall * shrink * inner)
        inner -= self.skull
        dura = _ellipse(x, y, 0, 0, wide * shrink * inner, tall * shrink * inner)
        inner -= 0.025
        brain = _ellipse(x, y, 0, 0, wide * shrink * inner, tall * shrink * inner)
        image = AIR + (SCALP - AIR) * head
        image += (SKULL - image) * bone
        image += (FLUID - image) * dura
        image += (self._tissue(x, y, wide * inner, tall * inner) - image) * brain
        for shape, level in self._structures(x, y, plane, depth):
            image += (level - image) * shape * brain
        return image, brain

    def _tissue(self, x: Field, y: Field, wide: float, tall: float) -> Field:
        """Return white matter inside a folded rim of grey matter."""
        depth = 1 - np.hypot(x / wide, y / tall)
        angle = np.arctan2(y, x)
        rim = np.full_like(x, 0.16)
        for order, (phase, other) in enumerate(self.folds):
            rim += 0.03 * np.sin((7 + 3 * order) * angle + phase) * np.cos(9 * depth + other)
        return GREY + (WHITE - GREY) * _edge(depth - rim, 0.02) + self._fine(x, y)

    def _fine(self, x: Field, y: Field) -> Field:
        """Return what no two heads share: waves of a few pixels across the brain."""
        waves = np.zeros_like(x)
        for (direction, phase), rate in zip(*self.texture, strict=True):
            waves += np.sin(rate * (x * math.cos(direction) + y * math.sin(direction)) + phase)
        return np.asarray(0.08 / math.sqrt(FINE) * waves)

    def _structures(
        self, x: Field, y: Field, plane: Plane, depth: float
    ) -> Iterator[tuple[Field, float]]:
        """Yield what lies inside the brain in this plane: how much of each pixel, and its level."""
        size = self.ventricles * (1 - abs(depth))
        if plane == "axial":
            for side in (-1, 1):
                yield (
                    _ellipse(x, y, side * 0.11, -0.12, 0.06 * size, 0.20 * size, side * 0.3),
                    FLUID,
                )
                yield (
                    _ellipse(x, y, side * 0.15, 0.22, 0.06 * size, 0.16 * size, -side * 0.5),
                    FLUID,
                )
            yield _ellipse(x, y, 0, 0, 0.012, 0.78), FLUID
        elif plane == "coronal":
            for side in (-1, 1):
                yield (
                    _ellipse(x, y, side * 0.11, -0.10, 0.13 * size, 0.05 * size, side * 0.6),
                    FLUID,
                )
            yield _ellipse(x, y, 0, 0.08, 0.02, 0.09), FLUID
            yield _ellipse(x, y, 0, -0.45, 0.012, 0.28), FLUID
            yield _ellipse(x, y, 0, 0.50, 0.34, 0.16), GREY
        else:
            arch = _ellipse(x, y, 0, 0.02, 0.34, 0.22) - _ellipse(x, y, 0.02, 0.08, 0.28, 0.18)
            yield np.clip(arch, 0, 1) * _edge(0.05 - y, 0.03), 0.68
            yield _ellipse(x, y, 0.42, 0.46, 0.24, 0.17), GREY
            yield _ellipse(x, y, 0.12, 0.48, 0.09, 0.26, -0.25), WHITE
            yield _ellipse(x, y, 0.24, 0.44, 0.035, 0.07), FLUID

    def _with_lesion(
        self, image: Field, brain: Field, x: Field, y: Field, plane: Plane, depth: float
    ) -> tuple[Field, NDArray[np.bool_]]:
        """Add this patient's lesion; it is smaller further from its middle."""
        if self.lesion == "no_tumor":
            return image, np.zeros(x.shape, np.bool_)
        radius = self.radius * math.sqrt(1 - (1.5 * depth) ** 2)
        if self.lesion == "glioma":
            return self._glioma(image, brain, x, y, radius)
        if self.lesion == "meningioma":
            return self._meningioma(image, brain, x, y, plane, radius)
        return self._pituitary(image, x, y, plane, radius)

    def _glioma(
        self, image: Field, brain: Field, x: Field, y: Field, radius: float
    ) -> tuple[Field, NDArray[np.bool_]]:
        """Irregular, with an enhancing ring, a dark middle and oedema around it."""
        cx = self.side * self.reach * abs(math.cos(self.angle)) * 0.7
        cy = self.reach * math.sin(self.angle) * 0.8
        distance, angle = np.hypot(x - cx, y - cy), np.arctan2(y - cy, x - cx)
        outline = np.full_like(x, radius)
        for order, (size, phase) in enumerate(zip(*self.lobes, strict=True), start=2):
            outline *= 1 + size * np.sin(order * angle + phase)
        whole = _edge(outline - distance, 0.012) * brain
        middle = _edge(outline * 0.68 - distance, 0.015)
        swelling = _edge(outline * 1.5 - distance, 0.06) * brain
        image = image + (OEDEMA - image) * swelling * 0.7
        image = image + (ENHANCED - image) * whole
        return image + (NECROTIC - image) * middle * brain, whole > 0.5

    def _meningioma(
        self, image: Field, brain: Field, x: Field, y: Field, plane: Plane, radius: float
    ) -> tuple[Field, NDArray[np.bool_]]:
        """Smooth and homogeneous, with a broad base on the dura."""
        wide, tall = {"axial": (0.60, 0.76), "coronal": (0.62, 0.66), "sagittal": (0.74, 0.66)}[
            plane
        ]
        angle = -abs(math.sin(self.angle)) * math.pi if plane != "axial" else self.angle
        cx, cy = wide * math.cos(angle), tall * math.sin(angle)
        whole = _ellipse(x, y, cx, cy, radius * 1.05, radius * 0.9, angle) * brain
        return image + (0.86 - image) * whole, whole > 0.5

    def _pituitary(
        self, image: Field, x: Field, y: Field, plane: Plane, radius: float
    ) -> tuple[Field, NDArray[np.bool_]]:
        """A small bright mass in the midline, at the sella."""
        cx, cy = {"axial": (0.0, -0.20), "coronal": (0.0, 0.30), "sagittal": (-0.10, 0.34)}[plane]
        size = 0.55 * radius + 0.03
        whole = _ellipse(x, y, cx, cy, size, size * 1.15)
        return image + (0.80 - image) * whole, whole > 0.5


def _edge(distance: Field, softness: float) -> Field:
    """Return 1 well inside, 0 well outside, and a soft step between."""
    step: Field = 0.5 + 0.5 * np.tanh(distance / softness)
    return step


def _ellipse(
    x: Field, y: Field, cx: float, cy: float, rx: float, ry: float, turn: float = 0.0
) -> Field:
    """Return how much of each pixel an ellipse covers."""
    rx, ry = max(rx, 1e-3), max(ry, 1e-3)
    cos, sin = math.cos(turn), math.sin(turn)
    u, v = (x - cx) * cos + (y - cy) * sin, (y - cy) * cos - (x - cx) * sin
    return _edge((1 - np.hypot(u / rx, v / ry)) * min(rx, ry), 0.012)


def _acquired(image: Field, x: Field, y: Field, draw: np.random.Generator) -> Field:
    """Add what the scanner adds: a smooth coil bias and Rician noise."""
    a, b, c = draw.normal(0, 0.10, 3)
    image = image * np.exp(a * x + b * y + c * (x * x + y * y))
    noise = draw.normal(0, draw.uniform(0.012, 0.03), (2, *image.shape))
    acquired: Field = np.hypot(image + noise[0], noise[1])
    return acquired


def _grey(image: Field) -> NDArray[np.uint8]:
    return np.clip(np.rint(image * 225), 0, 255).astype(np.uint8)


def write_phantoms(
    folder: str | Path,
    *,
    patients: int = 12,
    slices: int = 6,
    copies: int = 0,
    first: int = 0,
    progress: Progress | None = None,
) -> Path:
    """Draw a whole data set: some patients per class, several slices per patient.

    Args:
        folder: where `images/` and `phantoms.csv` are written.
        patients: how many patients each of the four classes has.
        slices: how many slices each patient has.
        copies: how many slices are there once more under another name and patient, half of them
            smaller and mirrored.
        first: the number of the first patient; others have other heads.
        progress: where to report; nowhere unless given.

    Returns:
        The manifest, with patients and boxes.
    """
    folder = Path(folder)
    images = folder / "images"
    with explained(images):
        images.mkdir(parents=True, exist_ok=True)
    rows: list[tuple[object, ...]] = []
    total = len(LESIONS) * patients * slices
    with (progress or Quiet()).task("drawing synthetic slices", total) as task:
        for lesion in LESIONS:
            for patient in range(first, first + patients):
                head = Head(lesion, patient)
                rows += [_write_slice(images, head, number) for number in range(slices)]
                task.advance(slices)
    rows += [_write_copy(images, number) for number in range(copies)]
    manifest = folder / "phantoms.csv"
    write_csv(manifest, COLUMNS, rows)
    return manifest


def _write_copy(images: Path, number: int) -> tuple[object, ...]:
    """Write a slice once more, as a careless collection would hold it, and return its row."""
    lesion = LESIONS[number % len(LESIONS)]
    source = images / f"{Head(lesion, number // len(LESIONS)).name}-00.png"
    name = f"copy-of-{source.name}"
    with explained(images / name), Image.open(source) as image:
        smaller = image.resize((140, 140)).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        (smaller if number % 2 else image).save(images / name, compress_level=1)
    return (f"images/{name}", lesion, f"synthetic-copy-{number}", *[""] * 4, PLANES[0])


def _write_slice(images: Path, head: Head, number: int) -> tuple[object, ...]:
    phantom = head.slice(number)
    name = f"{head.name}-{number:02}.png"
    with explained(images / name):
        Image.fromarray(phantom.pixels).save(images / name)
    box = phantom.box
    sides = (box.x_center, box.y_center, box.width, box.height) if box else ("", "", "", "")
    return (f"images/{name}", head.lesion, head.name, *sides, phantom.plane)
