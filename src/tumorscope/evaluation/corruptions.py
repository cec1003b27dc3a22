"""Changes of a slice that another scanner, another export or another hand would make.

Each takes uint8 slices, shape (n, side, side), and a strength, and returns slices of the same shape
and type. Noise and bias fields differ between the slices of one call and are the same each time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from tumorscope.data.resize import resize

Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Change:
    """One way to change slices, at five strengths.

    Attributes:
        name: what it is called.
        unit: what a strength means.
        strengths: weakest first.
        apply: slices and a strength to slices.
    """

    name: str
    unit: str
    strengths: tuple[float, ...]
    apply: Callable[[Images, float], Images]


def rotate(images: Images, degrees: float) -> Images:
    """Turn about the centre, black where nothing was."""
    turned = [
        np.asarray(Image.fromarray(image).rotate(degrees, Image.Resampling.BILINEAR))
        for image in images
    ]
    return np.stack(turned)


def scale(images: Images, factor: float) -> Images:
    """Shrink about the centre, black around it."""
    return _each(
        images, lambda image: ndimage.affine_transform(image, _about(image, factor), order=1)
    )


def _about(image: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    middle = (len(image) - 1) / 2
    row = [1 / factor, 0, middle - middle / factor]
    return np.array([row, [0, 1 / factor, row[2]], [0, 0, 1]])


def gamma(images: Images, power: float) -> Images:
    """Raise grey levels in [0, 1] to a power: above 1 darker."""
    return _each(images, lambda image: 255 * (image / 255) ** power)


def add_noise(images: Images, deviation: float) -> Images:
    """Add Rician noise, as magnitude images have it: that of both channels, then the length.

    Source: Gudbjartsson and Patz (1995), The Rician distribution of noisy MRI data.
    """
    generator = np.random.default_rng(0)

    def noisy(image: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return one image with its own noise."""
        real, imaginary = generator.normal(0, deviation, (2, *image.shape))
        return np.asarray(np.hypot(image + real, imaginary))

    return _each(images, noisy)


def blur(images: Images, deviation: float) -> Images:
    """Blur with a Gaussian, in pixels of 1/224 of the side."""
    return _each(images, lambda image: ndimage.gaussian_filter(image, deviation * len(image) / 224))


def bias_field(images: Images, strength: float) -> Images:
    """Multiply by a smooth field, e to the power of a random quadratic between ± the strength.

    Source: the polynomial model of Van Leemput et al. (1999), Automated model-based bias field
    correction of MR images of the brain.
    """
    generator = np.random.default_rng(0)

    def shaded(image: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return one image under its own field."""
        y, x = np.mgrid[-1 : 1 : len(image) * 1j, -1 : 1 : len(image) * 1j]
        terms = np.stack([x, y, x * x, x * y, y * y])
        field = np.tensordot(generator.normal(size=5), terms, 1)
        field -= field.mean()
        return np.asarray(image * np.exp(strength * field / np.abs(field).max()))

    return _each(images, shaded)


def jpeg(images: Images, quality: float) -> Images:
    """Encode as JPEG and decode again."""

    def through(image: Images) -> Images:
        """Return one image after JPEG."""
        buffer = BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=int(quality))
        return np.asarray(Image.open(buffer))

    return np.stack([through(image) for image in images])


def down_sample(images: Images, factor: float) -> Images:
    """Make smaller by a factor and as large again."""
    side = images.shape[1]
    small = max(1, round(side / factor))
    return np.stack([resize(resize(image, small), side) for image in images])


CHANGES = (
    Change("rotation", "degrees", (5, 10, 20, 30, 45), rotate),
    Change("scaling", "factor", (0.95, 0.9, 0.8, 0.7, 0.6), scale),
    Change("gamma", "power", (1.2, 1.4, 1.7, 2, 2.5), gamma),
    Change("noise", "deviation in grey levels", (5, 10, 15, 25, 40), add_noise),
    Change("blur", "deviation in pixels at 224", (0.5, 1, 1.5, 2, 3), blur),
    Change("bias field", "largest logarithm", (0.1, 0.2, 0.4, 0.6, 0.8), bias_field),
    Change("JPEG", "quality", (80, 50, 30, 15, 5), jpeg),
    Change("down-sampling", "factor", (1.5, 2, 3, 4, 6), down_sample),
)


def _each(images: Images, change: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Images:
    """Change each image in floating point and round it back to grey levels."""
    changed = np.empty_like(images)
    for number, image in enumerate(images):
        changed[number] = np.clip(np.rint(change(image.astype(np.float64))), 0, 255)
    return changed
