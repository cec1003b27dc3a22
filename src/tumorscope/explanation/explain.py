"""One image explained: the answer, and maps of the places that it rests on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tumorscope.data.resize import resize
from tumorscope.errors import UsageError
from tumorscope.explanation.black_box import occlusion, rise
from tumorscope.inference.bundle import WEIGHTS, Bundle
from tumorscope.inference.predict import Picture, Predictor, picture_pixels
from tumorscope.records import Prediction
from tumorscope.support.extras import has_extra, require_extra

if TYPE_CHECKING:
    from tumorscope.model import Classifier

BY_ANSWERS = {"occlusion": occlusion, "rise": rise}
BY_NETWORK = ("layercam", "hirescam", "gradcam", "gradcam++", "eigencam", "attention")
INTEGRATED = "integrated-gradients"
METHODS = (*BY_NETWORK, INTEGRATED, *BY_ANSWERS)


@dataclass(frozen=True)
class Explanation:
    """What an answer rests on.

    Attributes:
        prediction: the answer.
        label: the class that is explained.
        pixels: the image as the model sees it, uint8, shape (side, side).
        maps: by method, float32, shape (side, side), from 0 to 1 for the place that matters most.
    """

    prediction: Prediction
    label: str
    pixels: NDArray[np.uint8]
    maps: Mapping[str, NDArray[np.float32]]


class Explainer:
    """Explains the answers of a bundle's model.

    Attributes:
        predictor: the model.
        methods: those that can be had: all where PyTorch is installed and the bundle has weights
            for it; else those that need answers alone.
        mapped: those of them that look into the network.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.predictor = Predictor(bundle)
        self._bundle = bundle
        self._networked = has_extra("train") and WEIGHTS in bundle
        attentive = self.predictor.card.recipe.head == "attention"
        own = tuple(name for name in BY_NETWORK if attentive or name != "attention")
        self.mapped = own if self._networked else ()
        gradients = (INTEGRATED,) if self._networked and has_extra("explain") else ()
        self.methods = (*self.mapped, *gradients, *BY_ANSWERS)

    @cached_property
    def network(self) -> "Classifier | None":
        """The network itself, in evaluation mode; None where it cannot be had."""
        if not self._networked:
            return None
        from tumorscope.inference.runtimes.pytorch import load_deployed  # noqa: PLC0415 (an extra)

        return load_deployed(self._bundle).network.classifier

    def __call__(
        self, picture: Picture, methods: Sequence[str] = (), label: str | None = None
    ) -> Explanation:
        """Explain the answer to one image.

        Args:
            picture: as a predictor takes it.
            methods: names in `METHODS`; the first that can be had unless given.
            label: the class to explain; the most probable unless given.

        Raises:
            UnreadableImage: the image cannot be read.
            UsageError: no such method or class.
            MissingExtra: a method needs PyTorch, which is not installed.
        """
        chosen = tuple(methods) or self.methods[:1]
        self._check(chosen, label)
        card = self.predictor.card
        pixels = resize(picture_pixels(picture), card.preprocessing.image_size)
        prediction = self.predictor(picture)
        own = label or max(prediction.probabilities, key=lambda n: prediction.probabilities[n])
        number = card.classes.index(own)
        found: dict[str, NDArray[np.float32]] = {}
        networked = tuple(name for name in chosen if name in BY_NETWORK)
        if networked:
            found |= self._by_network(pixels, number, networked)
        if INTEGRATED in chosen:
            found[INTEGRATED] = self._integrated(pixels, number)
        for name in chosen:
            if name in BY_ANSWERS:
                found[name] = BY_ANSWERS[name](self.predictor.probabilities, pixels, number)
        side = len(pixels)
        return Explanation(
            prediction, own, pixels, {name: enlarged(found[name], side) for name in chosen}
        )

    def _check(self, methods: Sequence[str], label: str | None) -> None:
        for name in methods:
            if name not in METHODS:
                raise UsageError(f"There is no method '{name}': choose from {', '.join(METHODS)}.")
            if name not in self.methods and not self._networked:
                require_extra("train", f"--method {name}")
                raise UsageError(
                    f"{name} looks into the network, and {self._bundle.place} holds no weights for "
                    f"PyTorch: use {' or '.join(BY_ANSWERS)}, or the run's own bundle."
                )
        classes = self.predictor.card.classes
        if label is not None and label not in classes:
            raise UsageError(f"The model knows no class '{label}': {', '.join(classes)}.")

    def _by_network(
        self, pixels: NDArray[np.uint8], number: int, methods: tuple[str, ...]
    ) -> dict[str, NDArray[np.float32]]:
        import torch  # noqa: PLC0415 (an extra)

        from tumorscope.explanation.class_maps import class_maps  # noqa: PLC0415

        assert self.network is not None
        images = torch.from_numpy(pixels).float()[None, None]
        maps = class_maps(self.network, images, torch.tensor([number]), methods)
        return {name: own[0] for name, own in maps.items()}

    def _integrated(self, pixels: NDArray[np.uint8], number: int) -> NDArray[np.float32]:
        import torch  # noqa: PLC0415 (an extra)

        from tumorscope.explanation.gradients import integrated_gradients  # noqa: PLC0415

        assert self.network is not None
        images = torch.from_numpy(pixels).float()[None, None]
        found = integrated_gradients(self.network, images, torch.tensor([number]))
        return np.asarray(found[0], np.float32)


def enlarged(found: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Return a map at the size of the image, from 0 to 1; all 0 where it is empty."""
    picture = Image.fromarray(np.asarray(found, np.float32))
    whole = np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR))
    whole = np.maximum(whole, 0)
    return np.asarray(whole / whole.max() if whole.max() > 0 else whole, np.float32)
