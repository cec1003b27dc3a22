"""A bundle to predictions, on ONNX Runtime alone."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from tumorscope.bundle import GRAPH, Bundle, Card, open_bundle
from tumorscope.errors import BundleError, UnreadableImage
from tumorscope.layouts.listing import walk_files
from tumorscope.read import grey_levels, read_image
from tumorscope.records import Pixels, Prediction
from tumorscope.transforms import resize

BATCH = 16

Picture = str | Path | Image.Image | NDArray[np.uint8] | NDArray[np.float32]


class Predictor:
    """Answers for images with the model of a bundle. Safe to share between threads.

    Attributes:
        card: what the model is; `card.classes` names the outputs.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.card: Card = bundle.card
        try:
            self._session = onnxruntime.InferenceSession(
                bundle.read(GRAPH), providers=["CPUExecutionProvider"]
            )
        except BundleError:
            raise
        except Exception as error:  # ONNX Runtime raises types of its own, not all exported
            raise BundleError(
                f"{bundle.folder / GRAPH} cannot be loaded by ONNX Runtime: take a fresh copy."
            ) from error

    @classmethod
    def load(cls, place: str | Path) -> "Predictor":
        """Open a bundle, or the bundle of a run.

        Raises:
            BundleError: there is none, or it is damaged.
        """
        return cls(open_bundle(place))

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probability of each class for images of the model's size.

        Args:
            pixels: uint8, shape (n, side, side), as `tumorscope.transforms.resize` gives them.

        Returns:
            float32, shape (n, classes), rows summing to 1.
        """
        answers = [
            self._session.run(["probabilities"], {"pixels": pixels[start : start + BATCH]})[0]
            for start in range(0, len(pixels), BATCH)
        ]
        empty = np.empty((0, len(self.card.classes)), np.float32)
        return np.concatenate([empty, *answers])

    def __call__(self, picture: Picture) -> Prediction:
        """Answer for one image.

        Args:
            picture: a path, a Pillow image, or grey levels in [0, 255] of shape (height, width).

        Raises:
            UnreadableImage: it cannot be read or has another shape.
        """
        name = str(picture) if isinstance(picture, str | Path) else ""
        pixels = resize(_pixels(picture), self.card.preprocessing.image_size)
        return self._prediction(name, self.probabilities(pixels[None])[0])

    def predict_files(self, paths: Iterable[str | Path]) -> Iterator[Prediction]:
        """Answer for many files in order; one that cannot be read gets its error, not an end."""
        numbers = iter(paths)
        while chunk := list(islice(numbers, BATCH)):
            yield from self._predict_chunk([str(path) for path in chunk])

    def _predict_chunk(self, names: Sequence[str]) -> list[Prediction]:
        size = self.card.preprocessing.image_size
        pixels: list[NDArray[np.uint8]] = []
        errors: dict[str, str] = {}
        readable = []
        for name in names:
            try:
                pixels.append(resize(read_image(Path(name)).pixels, size))
                readable.append(name)
            except UnreadableImage as error:
                errors[name] = str(error)
        answers = iter(self.probabilities(np.array(pixels, np.uint8).reshape(-1, size, size)))
        return [
            Prediction(name, error=errors[name])
            if name in errors
            else self._prediction(name, next(answers))
            for name in names
        ]

    def _prediction(self, name: str, row: NDArray[np.float32]) -> Prediction:
        classes = self.card.classes
        values = dict(zip(classes, map(float, row), strict=True))
        return Prediction(name, classes[int(row.argmax())], values)


def _pixels(picture: Picture) -> Pixels:
    if isinstance(picture, str | Path):
        return read_image(Path(picture)).pixels
    if isinstance(picture, Image.Image):
        return grey_levels(picture)
    if picture.ndim != 2 or picture.size == 0 or picture.dtype not in (np.uint8, np.float32):
        raise UnreadableImage(
            f"array of shape {picture.shape} and type {picture.dtype}: "
            "a slice is uint8 or float32 of shape (height, width)"
        )
    return picture


def list_inputs(inputs: Iterable[str]) -> Iterator[str]:
    """Yield the files that are meant: a folder stands for every file below it."""
    for text in inputs:
        path = Path(text)
        if path.is_dir():
            yield from map(str, walk_files(path))
        else:
            yield text
