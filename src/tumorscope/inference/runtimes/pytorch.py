"""A bundle's weights on PyTorch, for comparison and for who has a GPU build of it."""

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load

from tumorscope.errors import BundleError, TumorscopeError
from tumorscope.inference.bundle import GATE, WEIGHTS, Bundle
from tumorscope.inference.runtimes import Answers, Engine, answers_from
from tumorscope.model import build_classifier
from tumorscope.model.deployed import DeployedModel, GateLayer, Network, Preprocess
from tumorscope.model.gate import Gate, Subspace


def open_engine(bundle: Bundle, threads: int) -> Engine:
    """Return what answers slices; see `tumorscope.inference.runtimes.open_engine`."""
    deployed = load_deployed(bundle)
    torch.set_num_threads(threads)

    def answer(slices: NDArray[np.float32]) -> Answers:
        """Run the model."""
        with torch.inference_mode():
            outputs = deployed(torch.from_numpy(slices))
        return answers_from(
            {name: part.numpy() for name, part in zip(Answers._fields, outputs, strict=False)}
        )

    return answer


def load_deployed(bundle: Bundle) -> DeployedModel:
    """Return the model of a bundle as PyTorch's, in evaluation mode.

    Raises:
        BundleError: it holds no weights, or others than its card describes.
    """
    if WEIGHTS not in bundle or GATE not in bundle:
        raise BundleError(f"{bundle.place} holds no weights for PyTorch: use the run's own bundle.")
    weights, gate = bundle.read(WEIGHTS), bundle.read(GATE)
    try:
        return _build(bundle, load(weights), load(gate))
    except (SafetensorError, KeyError, RuntimeError, ValueError, TumorscopeError) as error:
        raise BundleError(
            f"{bundle.place / WEIGHTS}, or {GATE} beside it, does not fit what the card describes: "
            "take a fresh copy."
        ) from error


def _build(
    bundle: Bundle, weights: dict[str, torch.Tensor], limits: dict[str, torch.Tensor]
) -> DeployedModel:
    """Build the model of a card and put the bundle's tensors into it."""
    card, size = bundle.card, bundle.card.preprocessing.image_size
    recipe = card.recipe.model_copy(update={"pretrained": False, "weights": None})
    classifier = build_classifier(recipe, len(card.classes))
    classifier.load_state_dict(weights)
    gate = Gate(
        picture=_view(limits, "picture."),
        texture=_view(limits, "texture."),
        features=_view(limits, "features."),
        limit=float(limits["limit"]),
        images=card.gate.images,
        held=card.gate.held,
        false_alarms=card.gate.false_alarms,
    )
    network = Network(classifier, card.calibration.temperature)
    return DeployedModel(Preprocess(size), network, GateLayer(gate, size)).eval()


def _view(tensors: dict[str, torch.Tensor], prefix: str) -> Subspace:
    mean, directions, gains = (tensors[prefix + n].numpy() for n in ("mean", "directions", "gains"))
    spread, middle, scale = (float(tensors[prefix + n]) for n in ("spread", "middle", "scale"))
    return Subspace(mean, directions, gains, spread, middle, scale)
