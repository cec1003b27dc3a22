"""A classifier as it is shipped: from a decoded slice of any size to all that is said of it."""

import torch
from torch import Tensor, nn

from tumorscope.gate import SMALL, Familiar, Gate
from tumorscope.metrics import TINY
from tumorscope.model.classifier import GREY_LEVELS, Classifier
from tumorscope.transforms import LEVELS, STEPS, filter_weights


class Preprocess(nn.Module):
    """The resize of `tumorscope.transforms`, to the same bits, as a graph can hold it.

    Weights are made from the input's shape by whole numbers. Their one division is done in floats,
    which is all that some runtimes have, and then put right.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, slices: Tensor) -> Tensor:
        """Return whole grey levels, float32, shape (n, size, size).

        Args:
            slices: grey levels in [0, 255], float32, shape (n, height, width).
        """
        taken = torch.round(slices.clamp(0, 255) * LEVELS) / LEVELS
        rows = torch.round(self.weights(slices.shape[1]) @ taken * LEVELS) / LEVELS
        return torch.round(rows @ self.weights(slices.shape[2]).T)

    def weights(self, source: int) -> Tensor:
        """Return what `tumorscope.transforms.filter_weights` does, shape (size, source)."""
        places = (2 * torch.arange(source, dtype=torch.int64) + 1) * self.size
        centres = (2 * torch.arange(self.size, dtype=torch.int64) + 1) * source
        reach = 2 * torch.sym_max(source, self.size)  # type: ignore[no-untyped-call]
        sums = (reach - (places - centres[:, None]).abs()).clamp_min(0).cumsum(1)
        totals = sums[:, -1:]
        half = torch.floor(totals.float() * 0.5).to(torch.int64)
        steps = torch.floor(sums.float() / totals.float() * STEPS + 0.5).to(torch.int64)
        rest = sums * STEPS + half - steps * totals
        steps = (steps + (rest >= totals).to(torch.int64) - (rest < 0).to(torch.int64)).float()
        return torch.cat([steps[:, :1], steps[:, 1:] - steps[:, :-1]], dim=1) / STEPS


class Network(nn.Module):
    """A classifier from grey levels of its size to probabilities and features."""

    def __init__(self, classifier: Classifier, temperature: float = 1.0) -> None:
        super().__init__()
        self.classifier = classifier
        self.temperature = temperature

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return probabilities, shape (n, classes), and embedding, shape (n, features).

        Args:
            pixels: grey levels in [0, 255], float32, shape (n, size, size).
        """
        levels = pixels.unsqueeze(1)
        embedding = self.classifier.embed(levels)
        chances = self.classifier.head(embedding).float().softmax(dim=1)
        if self.classifier.flip_averaging:
            mirrored = self.classifier(levels.flip(3)).float().softmax(dim=1)
            chances = 0.5 * (chances + mirrored)
        if self.temperature != 1:
            chances = (chances.clamp_min(TINY).log() / self.temperature).softmax(dim=1)
        return chances, embedding


class View(nn.Module):
    """A `Familiar` as a layer."""

    mean: Tensor
    directions: Tensor
    gains: Tensor
    spread: Tensor
    limit: Tensor

    def __init__(self, familiar: Familiar) -> None:
        super().__init__()
        for name in ("mean", "directions", "gains", "spread", "limit"):
            self.register_buffer(name, torch.as_tensor(getattr(familiar, name)).float())

    def forward(self, seen: Tensor) -> Tensor:
        """Return distances in limits, shape (n,), of features, shape (n, features)."""
        centred = seen - self.mean
        inside = centred @ self.directions
        squares = (centred**2).sum(dim=1) / self.spread + (inside**2) @ self.gains
        return squares.clamp_min(0).sqrt() / self.limit


class GateLayer(nn.Module):
    """A `Gate` as a layer."""

    shrink: Tensor

    def __init__(self, gate: Gate, size: int) -> None:
        super().__init__()
        self.picture = View(gate.picture)
        self.features = View(gate.features)
        self.register_buffer("shrink", torch.tensor(filter_weights(size, SMALL)), persistent=False)

    def forward(self, pixels: Tensor, embedding: Tensor) -> Tensor:
        """Return strangeness, shape (n,): above 1 an input is refused.

        Args:
            pixels: grey levels in [0, 255], float32, shape (n, size, size).
            embedding: what the network sees in them, shape (n, features).
        """
        return torch.maximum(
            self.picture(small_pictures(pixels, self.shrink)), self.features(embedding)
        )


def small_pictures(pixels: Tensor, shrink: Tensor) -> Tensor:
    """Return small pictures, float32, shape (n, 256), in [0, 1], of grey levels (n, size, size)."""
    return ((shrink @ pixels @ shrink.T) / GREY_LEVELS).flatten(1)


class Deployed(nn.Module):
    """Preprocessing, network and gate, the three parts of every exported graph."""

    def __init__(self, preprocess: Preprocess, network: Network, gate: GateLayer) -> None:
        super().__init__()
        self.preprocess = preprocess
        self.network = network
        self.gate = gate

    def forward(self, slices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return probabilities (n, classes), embedding (n, features) and strangeness (n,).

        Args:
            slices: grey levels in [0, 255], float32, shape (n, height, width).
        """
        pixels = self.preprocess(slices)
        chances, embedding = self.network(pixels)
        return chances, embedding, self.gate(pixels, embedding)
