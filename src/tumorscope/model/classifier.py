"""A classifier: the last step of the preprocessing, a trunk that sees and a head that decides."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from tumorscope.errors import RecipeError
from tumorscope.model.box_head import BoxHead, mean_box
from tumorscope.model.heads import AttentionPool
from tumorscope.model.sequence import Seen, find_detail, in_order, run_through
from tumorscope.schema.recipe import Recipe

GREY_LEVELS = 255.0
ALL, HEAD, LAST_BLOCK = "all", "head", "last_block"
# What bilinear interpolation at a place drawn at random does to a row of pixels, on average.
INTERPOLATION = (1 / 8, 3 / 4, 1 / 8)
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.SyncBatchNorm)


class Classifier(nn.Module):
    """A trunk and a head behind the last step of the preprocessing.

    Scaling to [0, 1], the copy of grey to three channels and the normalisation are part of the
    module, so that they are part of whatever is exported from it.

    Attributes:
        trunk: grey slices as three normalised channels to features, float, shape (n, features), or
            to maps of them where what is behind it looks at places.
        pool: maps to features; nothing where the trunk pools.
        head: features to logits.
        box_head: maps to where the lesion is; None where the recipe does not localise.
        features: how many the trunk gives.
        classes: how many are told apart.
    """

    mean: Tensor
    std: Tensor
    kernel: Tensor

    def __init__(self, trunk: nn.Module, features: int, classes: int, recipe: Recipe) -> None:
        super().__init__()
        self.trunk = trunk
        self.features, self.classes = features, classes
        attentive = recipe.head == "attention"
        self.pool = _build_pool(recipe, features)
        self.head = build_head(recipe, 2 * features if attentive else features, classes)
        self.box_head = None
        if recipe.localise:
            self.box_head = BoxHead(features, find_detail(trunk, recipe.image_size))
        self.flip_averaging = recipe.flip_averaging
        self.smooth_answers = recipe.smooth_answers
        self._resting: list[nn.Module] = []
        shape = (1, 3, 1, 1)
        mean, std = torch.tensor(recipe.normalize.mean), torch.tensor(recipe.normalize.std)
        self.register_buffer("mean", mean.reshape(shape) * GREY_LEVELS, persistent=False)
        self.register_buffer("std", std.reshape(shape) * GREY_LEVELS, persistent=False)
        weights = torch.tensor(INTERPOLATION)
        self.register_buffer("kernel", torch.outer(weights, weights)[None, None], persistent=False)

    def normalized(self, pixels: Tensor) -> Tensor:
        """Return grey levels as the trunk takes them: three channels, normalised."""
        return torch.addcmul(-self.mean / self.std, pixels, 1 / self.std)  # in one pass

    def embed(self, pixels: Tensor) -> Tensor:
        """Return features, float, shape (n, features), of grey levels as `forward` takes them."""
        return self.pooled(self.see(pixels))

    def see(self, pixels: Tensor) -> Seen:
        """Return what the trunk makes of grey levels as `forward` takes them."""
        images = self.normalized(pixels)
        if self.box_head is None or self.box_head.depth is None:
            return Seen(self.trunk(images))
        return self.see_further(images, 0)

    def see_further(self, value: Tensor, depth: int) -> Seen:
        """Return what the rest of the trunk makes of what its first modules gave.

        Args:
            value: of the first `depth` modules; normalised images where there are none.
            depth: how many; at most as many as give the finer maps, where these are looked at.
        """
        modules = list(in_order(self.trunk))
        if self.box_head is None or self.box_head.depth is None:
            return Seen(run_through(modules[depth:], value))
        detail = run_through(modules[depth : self.box_head.depth], value)
        return Seen(run_through(modules[self.box_head.depth :], detail), detail)

    def pooled(self, seen: Seen) -> Tensor:
        """Return features, float, shape (n, features), of what the trunk gives."""
        features: Tensor = self.pool(seen.maps)
        return features

    def decide(self, seen: Seen) -> Tensor:
        """Return logits, float, shape (n, classes), of what the trunk gives."""
        logits: Tensor = self.head(self.pooled(seen))
        return logits

    def locate(self, seen: Seen) -> Tensor:
        """Return where the lesions of images are, from what the trunk gives of all their views.

        Returns:
            Centre, sides and score, each in [0, 1], float, shape (n, 5); see `mean_box`.
        """
        assert self.box_head is not None
        return mean_box(self.box_head(seen), self.view_count)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return logits.

        Args:
            pixels: grey levels in [0, 255], float, shape (n, 1, height, width).

        Returns:
            float, shape (n, classes).
        """
        return self.decide(self.see(pixels))

    def prepared(self, pixels: Tensor) -> Tensor:
        """Return images that are answered as the network is to see them.

        Augmentation has interpolated the training images, which smooths them; where the recipe
        smooths answers, other images are smoothed likewise.

        Args:
            pixels: as `forward` takes them.

        Returns:
            The same shape; what lies outside of the image counts as black.
        """
        return functional.conv2d(pixels, self.kernel, padding=1) if self.smooth_answers else pixels

    @property
    def view_count(self) -> int:
        """How many views of an image an answer is averaged over."""
        return 2 if self.flip_averaging else 1

    def views(self, pixels: Tensor) -> Tensor:
        """Return all views of some images: as the network is to see them, then mirrored.

        Args:
            pixels: as `forward` takes them.

        Returns:
            float, shape (view_count · n, 1, height, width), one view of all images after the other.
        """
        seen = self.prepared(pixels)
        return torch.cat([seen, seen.flip(3)]) if self.flip_averaging else seen

    def mean_of_views(self, logits: Tensor) -> Tensor:
        """Return probabilities, shape (n, classes), from the logits of all views of n images."""
        chances = logits.float().softmax(dim=1)
        return chances.reshape(self.view_count, -1, chances.shape[1]).mean(dim=0)

    def probabilities(self, pixels: Tensor) -> Tensor:
        """Return the model's answer: probabilities, float, shape (n, classes)."""
        return self.mean_of_views(self.forward(self.views(pixels)))

    def set_trainable(self, blocks: Sequence[str], statistics: str = "learned") -> None:
        """Let some blocks learn and keep all else, batch-norm statistics included, as it is.

        Args:
            blocks: `all`, `head`, `last_block`, or names of modules of the trunk.
            statistics: `learned`, or `fixed` to keep the trunk's of batch norm in these blocks too.

        Raises:
            RecipeError: there is no such block, or none of them has anything to learn.
        """
        learning = learning_modules(self, blocks)
        self.requires_grad_(False)
        awake: set[nn.Module] = set()
        for module in learning:
            module.requires_grad_(True)
            awake.update(module.modules())
        if statistics == "fixed":
            awake.difference_update(m for m in self.trunk.modules() if isinstance(m, BATCH_NORMS))
        self._resting = [m for m in self.modules() if m not in awake and m is not self]
        self.train(self.training)

    def train(self, mode: bool = True) -> "Classifier":
        """Switch what learns to training mode; what does not stays in evaluation mode."""
        super().train(mode)
        for module in self._resting:
            module.training = False
        return self


def learning_modules(model: Classifier, blocks: Sequence[str]) -> list[nn.Module]:
    """Return the modules that a stage trains, by their names.

    Raises:
        RecipeError: there is no such block, or none of them has anything to learn.
    """
    chosen = {name: _find(model, name) for name in blocks}
    for name, modules in chosen.items():
        if not any(_has_weights(module) for module in modules):
            raise RecipeError(f"A stage that trains {name} trains nothing in it: {_blocks(model)}.")
    return [module for modules in chosen.values() for module in modules]


def _has_weights(module: nn.Module) -> bool:
    return any(True for _ in module.parameters())


def _find(model: Classifier, name: str) -> list[nn.Module]:
    named = dict(model.trunk.named_modules())
    if name == ALL:
        return [model.trunk, *_behind_trunk(model)]
    if name == HEAD:
        return _behind_trunk(model)
    if name == LAST_BLOCK:
        return _from_last_block(model.trunk)
    if name not in named or not name:
        raise RecipeError(f"The backbone has no block '{name}' to train: {_blocks(model)}.")
    return [named[name]]


def _behind_trunk(model: Classifier) -> list[nn.Module]:
    own = [model.pool, model.head]
    return own if model.box_head is None else [*own, model.box_head]


def _from_last_block(trunk: nn.Module) -> list[nn.Module]:
    """Return the last block of feature maps, as timm names it, and what follows it."""
    info = getattr(trunk, "feature_info", None)
    if not info:
        raise RecipeError("The last block of this backbone is not known: name blocks in 'train'.")
    name = str(info[-1]["module"])
    block = trunk.get_submodule(name)
    if any(parameter.ndim > 1 for parameter in block.parameters()):
        return [block, *_behind(trunk, name)]
    return _behind(trunk, str(info[-2]["module"]))  # a norm or activation only ends the block


def _behind(trunk: nn.Module, name: str) -> list[nn.Module]:
    """Return the modules that come after one, in it, and after those that hold it."""
    *above, last = name.split(".")
    modules: list[nn.Module] = []
    while True:
        children = list(trunk.get_submodule(".".join(above)).named_children())
        position = [child for child, _ in children].index(last)
        modules += [module for _, module in children[position + 1 :]]
        if not above:
            return modules
        last = above.pop()


def _blocks(model: Classifier) -> str:
    """Name the blocks that can be trained, a level deeper where the names are numbers."""
    names = []
    for name, child in model.trunk.named_children():
        inner = [f"{name}.{n}" for n, _ in child.named_children() if n.isdigit()]
        names += inner if inner and not name.startswith("layer") else [name]
    with_weights = [n for n in names if _has_weights(model.trunk.get_submodule(n))]
    return f"choose from {ALL}, {HEAD}, {LAST_BLOCK}, {', '.join(with_weights)}"


def _build_pool(recipe: Recipe, features: int) -> nn.Module:
    if recipe.head == "attention":
        return AttentionPool(features)
    if recipe.localise:  # which keeps the trunk from pooling
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Identity()


def build_head(recipe: Recipe, features: int, classes: int) -> nn.Module:
    """Return the layers from pooled features to logits."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    if recipe.head == "batch_norm":
        layers["norm"] = nn.BatchNorm1d(features)
    layers["dropout"] = nn.Dropout(recipe.dropout)
    layers["linear"] = nn.Linear(features, classes)
    return nn.Sequential(layers)
