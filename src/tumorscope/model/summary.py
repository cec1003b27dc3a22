"""What a recipe's network is made of: its blocks, what they give, and what each stage trains."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tumorscope.model.backbones import build_member, check_stages
from tumorscope.model.classifier import Classifier
from tumorscope.schema.recipe import Recipe


@dataclass(frozen=True)
class Block:
    """One block of a network.

    Attributes:
        name: as a stage's `train` names it; `pool` belongs to the head.
        kind: its class.
        output: the shape of what it gives for one image, such as (512, 7, 7).
        parameters: numbers in it that can learn.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int


@dataclass(frozen=True)
class StageSize:
    """What a stage trains.

    Attributes:
        train: the blocks, as the recipe names them.
        epochs: at most.
        parameters: numbers that learn.
    """

    train: tuple[str, ...]
    epochs: int
    parameters: int


@dataclass(frozen=True)
class ModelSummary:
    """A network of a recipe, as for `classes` classes.

    Attributes:
        backbone: its name in the recipe.
        input: the shape of one image as the network takes it.
        classes: how many it tells apart.
        blocks: in the order in which they run.
        parameters: numbers in all of them.
        stages: of the recipe.
        members: how many such networks answer together.
    """

    backbone: str
    input: tuple[int, ...]
    classes: int
    blocks: tuple[Block, ...]
    parameters: int
    stages: tuple[StageSize, ...]
    members: int


def summarize_model(recipe: Recipe, classes: int) -> ModelSummary:
    """Build a recipe's network without its weights, run it once, and say what it is made of.

    Args:
        recipe: its network and its stages.
        classes: how many classes it tells apart.

    Raises:
        RecipeError: there is no such backbone or block, or the image size does not fit.
    """
    untrained = recipe.model_copy(update={"pretrained": False, "weights": None})
    model = build_member(untrained, classes).eval()
    check_stages(untrained, model.trunk)
    blocks = dict(_blocks(model))
    outputs: dict[str, tuple[int, ...]] = {}

    def keep_shape(name: str) -> None:
        def hook(_module: nn.Module, _given: object, output: Tensor) -> None:
            outputs[name] = tuple(output.shape[1:])

        blocks[name].register_forward_hook(hook)

    for name in blocks:
        keep_shape(name)
    shape = (1, recipe.image_size, recipe.image_size)
    with torch.inference_mode():
        model(torch.zeros(1, *shape))
    return ModelSummary(
        backbone=recipe.backbone,
        input=shape,
        classes=classes,
        blocks=tuple(
            Block(name, type(blocks[name]).__name__, output, _count(blocks[name]))
            for name, output in outputs.items()
        ),
        parameters=_count(model),
        stages=tuple(_stage_sizes(model, recipe)),
        members=recipe.members,
    )


def _blocks(model: Classifier) -> Iterator[tuple[str, nn.Module]]:
    """Yield the blocks that a stage can name, those of a numbered sequence one by one."""
    for name, child in model.trunk.named_children():
        inner = dict(child.named_children())
        if inner and all(number.isdigit() for number in inner) and not name.startswith("layer"):
            yield from ((f"{name}.{number}", block) for number, block in inner.items())
        elif not isinstance(child, nn.Identity):
            yield name, child
    if not isinstance(model.pool, nn.Identity):
        yield "pool", model.pool
    yield "head", model.head


def _stage_sizes(model: Classifier, recipe: Recipe) -> Iterator[StageSize]:
    for stage in recipe.stages:
        model.set_trainable(stage.train, stage.statistics)
        learning = sum(p.numel() for p in model.parameters() if p.requires_grad)
        yield StageSize(stage.train, stage.epochs, learning)


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
