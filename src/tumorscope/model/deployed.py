"""A classifier as it is shipped: from a decoded slice of any size to all that is said of it."""

import torch
from torch import Tensor, nn

from tumorscope.data.resize import LEVELS, STEPS, filter_weights
from tumorscope.metrics.scores import TINY
from tumorscope.model.classifier import GREY_LEVELS, Classifier
from tumorscope.model.gate import FLOOR, LEVEL_STEPS, NEIGHBOUR_STEPS, SMALL, Gate, Subspace


class Preprocess(nn.Module):
    """The resize of `tumorscope.data.resize`, to the same bits, with what every runtime has.

    Weights are made from the input's shape by whole numbers. Their one division is done in floats,
    which is all that some runtimes have, and then corrected. Slices that have the size already are
    only rounded. `tumorscope.export.fixed_parts` holds the same steps as a graph.
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
        if slices.shape[1:] == (self.size, self.size):
            return torch.round(taken)
        rows = torch.round(self.weights(taken.shape[1]) @ taken * LEVELS) / LEVELS
        return torch.round(rows @ self.weights(taken.shape[2]).T)

    def weights(self, source: int) -> Tensor:
        """Return what `tumorscope.data.resize.filter_weights` does, shape (size, source)."""
        places = (2 * torch.arange(source, dtype=torch.int64) + 1) * self.size
        centres = (2 * torch.arange(self.size, dtype=torch.int64) + 1) * source
        reach = 2 * max(source, self.size)
        sums = (reach - (places - centres[:, None]).abs()).clamp_min(0).cumsum(1)
        totals = sums[:, -1:]
        half = torch.floor(totals.float() * 0.5).to(torch.int64)
        steps = torch.floor(sums.float() / totals.float() * STEPS + 0.5).to(torch.int64)
        rest = sums * STEPS + half - steps * totals
        steps = (steps + (rest >= totals).to(torch.int64) - (rest < 0).to(torch.int64)).float()
        return torch.cat([steps[:, :1], steps[:, 1:] - steps[:, :-1]], dim=1) / STEPS


class Network(nn.Module):
    """A classifier from grey levels of its size to probabilities and features."""

    temperature: Tensor

    def __init__(self, classifier: Classifier, temperature: float = 1.0) -> None:
        super().__init__()
        self.classifier = classifier
        self.tempered = temperature != 1
        self.register_buffer("temperature", torch.tensor(temperature), persistent=False)

    def extra_repr(self) -> str:
        """Name what changes the computation and shows in no module."""
        flips, smooth = self.classifier.flip_averaging, self.classifier.smooth_answers
        return f"flip_averaging={flips}, smooth_answers={smooth}, tempered={self.tempered}"

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Return probabilities, shape (n, classes), and embedding, shape (n, features).

        Where the classifier localises, boxes follow: centre, sides and score, shape (n, 5).

        Args:
            pixels: grey levels in [0, 255], float32, shape (n, size, size).
        """
        seen = self.classifier.see(self.classifier.views(pixels.unsqueeze(1)))
        features = self.classifier.pooled(seen)
        chances = self.classifier.mean_of_views(self.classifier.head(features))
        embedding = features.reshape(self.classifier.view_count, -1, features.shape[1])[0]
        if self.tempered:
            chances = (chances.clamp_min(TINY).log() / self.temperature).softmax(dim=1)
        if self.classifier.box_head is None:
            return chances, embedding
        return chances, embedding, self.classifier.locate(seen)


class SubspaceLayer(nn.Module):
    """A `Subspace` as a layer."""

    mean: Tensor
    directions: Tensor
    gains: Tensor
    spread: Tensor
    middle: Tensor
    scale: Tensor

    def __init__(self, familiar: Subspace) -> None:
        super().__init__()
        for name in ("mean", "directions", "gains", "spread", "middle", "scale"):
            self.register_buffer(name, torch.as_tensor(getattr(familiar, name)).float())

    def forward(self, seen: Tensor) -> Tensor:
        """Return how odd rows of features are, shape (n,)."""
        centred = seen - self.mean
        inside = centred @ self.directions
        squares = (centred**2).sum(dim=1) / self.spread + (inside**2) @ self.gains
        return (0.5 * squares.clamp_min(FLOOR).log() - self.middle) / self.scale


class GateViews(nn.Module):
    """Grey levels as the gate sees them."""

    shrink: Tensor
    level_steps: Tensor
    neighbour_steps: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        constants = {
            "shrink": torch.tensor(filter_weights(size, SMALL)),
            "level_steps": torch.tensor(LEVEL_STEPS).float(),
            "neighbour_steps": torch.tensor(NEIGHBOUR_STEPS).float(),
        }
        for name, value in constants.items():
            self.register_buffer(name, value, persistent=False)
        self.pairs = size // 2

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return small pictures, shape (n, 256), and textures, shape (n, bins).

        Every second pixel of every second row, and its neighbours right and below, stand for all.

        Args:
            pixels: grey levels in [0, 255], float32, shape (n, size, size).
        """
        small = (self.shrink @ pixels @ self.shrink.T) / GREY_LEVELS
        own = pixels[:, ::2, ::2][:, : self.pairs, : self.pairs]
        right = (pixels[:, ::2, 1::2][:, : self.pairs] - own).abs()
        below = (pixels[:, 1::2, ::2][:, :, : self.pairs] - own).abs()
        histograms = [
            shares(own.flatten(1), self.level_steps),
            shares(right.flatten(1), self.neighbour_steps),
            shares(below.flatten(1), self.neighbour_steps),
        ]
        return small.flatten(1), torch.cat(histograms, dim=1).sqrt()


def shares(values: Tensor, steps: Tensor) -> Tensor:
    """Return what share of values lies near each step, rows summing to 1, shape (n, steps).

    A value between two steps counts for both, by how near it is to each.
    """
    slopes = 1 / (steps[1:] - steps[:-1])
    between = (values.unsqueeze(1) - steps[:-1, None]) * slopes[:, None]
    above = between.clamp(0, 1).mean(dim=2)
    first = torch.cat([torch.ones_like(above[:, :1]), above], dim=1)
    return (first - torch.cat([above, torch.zeros_like(above[:, :1])], dim=1)).clamp_min(0)


class GateLayer(nn.Module):
    """A `Gate` as a layer."""

    limit: Tensor

    def __init__(self, gate: Gate, size: int) -> None:
        super().__init__()
        self.look = GateViews(size)
        self.picture = SubspaceLayer(gate.picture)
        self.texture = SubspaceLayer(gate.texture)
        self.features = SubspaceLayer(gate.features)
        self.register_buffer("limit", torch.tensor(gate.limit).float())

    def forward(self, pixels: Tensor, embedding: Tensor) -> Tensor:
        """Return strangeness, shape (n,): above 1 an input is refused.

        Args:
            pixels: grey levels in [0, 255], float32, shape (n, size, size).
            embedding: what the network sees in them, shape (n, features).
        """
        small, texture = self.look(pixels)
        odd = torch.maximum(self.picture(small), self.texture(texture))
        return (torch.maximum(odd, self.features(embedding)) - self.limit).exp()


class DeployedModel(nn.Module):
    """Preprocessing, network and gate, the three parts of every exported graph."""

    def __init__(self, preprocess: Preprocess, network: Network, gate: GateLayer) -> None:
        super().__init__()
        self.preprocess = preprocess
        self.network = network
        self.gate = gate

    def forward(self, slices: Tensor) -> tuple[Tensor, ...]:
        """Return probabilities (n, classes), embedding (n, features) and strangeness (n,).

        Where the network localises, boxes (n, 5) follow.

        Args:
            slices: grey levels in [0, 255], float32, shape (n, height, width).
        """
        pixels = self.preprocess(slices)
        chances, embedding, *boxes = self.network(pixels)
        return chances, embedding, self.gate(pixels, embedding), *boxes
