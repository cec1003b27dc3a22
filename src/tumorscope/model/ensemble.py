"""Networks of one recipe with different seeds, joined so that they answer as one.

Source: Lakshminarayanan, Pritzel and Blundell (2017), Simple and scalable predictive uncertainty
estimation using deep ensembles.
"""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from tumorscope.model.classifier import Classifier
from tumorscope.model.heads import AttentionPool
from tumorscope.model.sequence import in_order
from tumorscope.model.split import frozen_depth, split_trunk
from tumorscope.schema.recipe import Recipe

SEEDS_APART = 1000  # so that the second network of one seed is not the first of the next


def member_recipes(recipe: Recipe) -> Iterator[Recipe]:
    """Yield the recipe of each network: alike but for the seed, which the first keeps."""
    for number in range(recipe.members):
        seed = (recipe.seed + number * SEEDS_APART) % 2**32
        yield recipe.model_copy(update={"seed": seed})


class JoinedTrunk(nn.Module):
    """Parallel trunks on a shared front; their features are concatenated."""

    def __init__(self, trunks: Sequence[nn.Module], features: int, shared: int) -> None:
        """Join trunks.

        Args:
            trunks: alike but for the weights that learned.
            features: how many each gives.
            shared: how many of their first modules are the same in all; those of the first are run.
        """
        super().__init__()
        self.num_features = features * len(trunks)
        if not shared:
            self.front, self.members = nn.Sequential(), nn.ModuleList(trunks)
            return
        modules = [list(in_order(trunk)) for trunk in trunks]
        self.front = nn.Sequential(*modules[0][:shared])
        self.members = nn.ModuleList(nn.Sequential(*own[shared:]) for own in modules)

    def forward(self, images: Tensor) -> Tensor:
        """Return the features, or maps of them, of all trunks."""
        seen = self.front(images)
        return torch.cat([member(seen) for member in self.members], dim=1)


class JoinedPool(nn.Module):
    """The pools of joined trunks, each for its own features."""

    def __init__(self, pools: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(pools)

    @property
    def attends(self) -> bool:
        """Whether these pools attend to places."""
        return isinstance(self.members[0], AttentionPool)

    def log_attention(self, maps: Tensor) -> Tensor:
        """Return the logarithm of the mean attention; see `AttentionPool.log_attention`."""
        own = zip(self.members, maps.chunk(len(self.members), dim=1), strict=True)
        chances = [pool.log_attention(part).exp() for pool, part in own]  # type: ignore[operator]
        return torch.stack(chances).mean(dim=0).log()

    def forward(self, maps: Tensor) -> Tensor:
        """Return the features of all members, concatenated."""
        own = zip(self.members, maps.chunk(len(self.members), dim=1), strict=True)
        return torch.cat([pool(part) for pool, part in own], dim=1)


class JoinedHead(nn.Module):
    """The heads of joined trunks; their probabilities are averaged."""

    def __init__(self, heads: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(heads)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits whose softmax is the mean of the members' probabilities.

        Where members agree these are their own, so that slopes mean what they mean elsewhere.
        """
        own = zip(self.members, features.chunk(len(self.members), dim=1), strict=True)
        logits = torch.stack([head(part).float() for head, part in own])
        # The logarithm of the mean of probabilities; computed from these it could be that of 0.
        mean = logits.log_softmax(dim=2).logsumexp(dim=0) - math.log(len(self.members))
        return mean + logits.logsumexp(dim=2).mean(dim=0).unsqueeze(1)


def join(members: Sequence[Classifier], recipe: Recipe) -> Classifier:
    """Return one network that answers with the mean of several; their modules become its own.

    Args:
        members: of one recipe, on the CPU.
        recipe: theirs.
    """
    first = members[0]
    shared, features = shared_depth(first, recipe), first.features
    trunk = JoinedTrunk([own.trunk for own in members], features, shared)
    whole = Classifier(trunk, trunk.num_features, first.classes, recipe)
    whole.pool = JoinedPool([own.pool for own in members])
    whole.head = JoinedHead([own.head for own in members])
    return whole.eval()


def share_front(first: Classifier, other: Classifier, recipe: Recipe) -> None:
    """Give a network what no stage trains from another, drawn at random as it may be.

    Args:
        first: the network whose front all members have.
        other: a further one.
        recipe: theirs.
    """
    depth = shared_depth(other, recipe)
    pairs = zip(in_order(first.trunk), in_order(other.trunk), strict=True)
    for source, target in list(pairs)[:depth]:
        target.load_state_dict(source.state_dict())


def shared_depth(model: Classifier, recipe: Recipe) -> int:
    """Return how many of the trunk's first modules no stage of a recipe trains."""
    depths = []
    for stage in recipe.stages:
        model.set_trainable(stage.train, stage.statistics)
        cut = split_trunk(model, recipe.image_size)
        depths.append(frozen_depth(model) if cut else 0)
    return min(depths)
