"""Weights that somebody else trained, from a file or an installed package, and their origin."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load
from torch import Tensor, nn

from tumorscope.errors import RecipeError
from tumorscope.model.weights_packages import (
    PACKAGES,
    WeightsPackage,
    timm_names,
    weights_package,
)
from tumorscope.schema.recipe import Recipe

PICKLED = (".pth", ".pt", ".bin", ".ckpt")
WRAPPERS = ("state_dict", "model", "model_state_dict")
PARALLEL = "module."  # what PyTorch's parallel training puts before every name
OURS = ("model.trunk.", "trunk.")  # the backbone in our checkpoints, in our bundles
SEVERAL = "trunk.members."  # in bundles of several networks
OTHERS = ("model.backbone.", "model.", "backbone.")  # in those of others' Lightning modules
NAMED = 4  # layers that a message names of each kind
NEAR = 1e-3  # between two means of grey levels scaled to [0, 1] that are the same


@dataclass(frozen=True)
class WeightsOrigin:
    """What is known of the weights that a run starts from.

    Attributes:
        name: of the file or package.
        path: of the file.
        source, licence: as the file's metadata or the package says; empty where it does not.
        mean, std: how the images were normalised that they were trained on, of grey levels scaled
            to [0, 1]; None where that is not said.
    """

    name: str
    path: Path
    source: str = ""
    licence: str = ""
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of the file."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


def load_weights(trunk: nn.Module, recipe: Recipe, classifier: str | Sequence[str]) -> None:
    """Put the weights that a recipe names into a network without its last layer.

    Args:
        trunk: the network.
        recipe: its `weights` is a safetensors file, a `.pth` of tensors alone (no pickle is ever
            executed) or an installed package of weights.
        classifier: the name of the last layer in the file, or several, which are not used.

    Raises:
        RecipeError: there is no such file or package, it cannot be read, does not fit (the message
            names layers), or was trained on images normalised otherwise.
        MissingExtra: the package is not installed.
    """
    last = (classifier,) if isinstance(classifier, str) else tuple(classifier)
    path, package = _locate(recipe)
    _refuse_other_normalization(recipe, weights_origin(recipe))
    tensors, expected = read_weights(path), trunk.state_dict()
    if package is not None:
        tensors = timm_names(package, tensors)
    if any(name.startswith(SEVERAL) for name in tensors):
        raise RecipeError(
            f"{path} holds several networks: give checkpoints/best.safetensors of the run, which "
            "is the first of them."
        )
    weights = _of_trunk(tensors, last, expected)
    counters = {name for name in expected if name.endswith("num_batches_tracked")}
    problems = [
        _some("missing in the file", sorted(expected.keys() - weights.keys() - counters)),
        _some("not in the backbone", sorted(weights.keys() - expected.keys())),
        _some(
            "of another shape",
            [
                f"{name} {tuple(weights[name].shape)} for {tuple(value.shape)}"
                for name, value in expected.items()
                if name in weights and weights[name].shape != value.shape
            ],
        ),
    ]
    if any(problems):
        differing = "; ".join(problem for problem in problems if problem)
        raise RecipeError(f"The weights {path} do not fit the backbone: {differing}.")
    trunk.load_state_dict(weights, strict=False)  # only counters of batches may be missing


def _locate(recipe: Recipe) -> tuple[Path, WeightsPackage | None]:
    """Return the file of a recipe's weights, and the package that it lies in, if it does."""
    given = str(recipe.weights)
    package = weights_package(given, recipe.backbone)
    if package is not None:
        return package.path(), package
    if not Path(given).is_file():
        raise RecipeError(
            f"There is no weights file {given}, and no package of weights is called so: check "
            f"weights=…; packages: {', '.join(PACKAGES)}."
        )
    return Path(given), None


def weights_origin(recipe: Recipe) -> WeightsOrigin:
    """Return what is known of the weights that a recipe names.

    Raises:
        RecipeError: there are none, or their metadata cannot be read.
    """
    path, package = _locate(recipe)
    if package is not None:
        facts = (package.source, package.licence, package.mean, package.std)
        return WeightsOrigin(package.name, path, *facts)
    if path.suffix != ".safetensors":
        return WeightsOrigin(path.name, path)
    try:
        with safe_open(path, "pt") as file:
            said = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise RecipeError(f"The weights {path} cannot be read: {error}.") from error
    return WeightsOrigin(
        path.name,
        path,
        said.get("source", ""),
        said.get("licence", said.get("license", "")),
        _numbers(said.get("mean")),
        _numbers(said.get("std")),
    )


def _numbers(text: str | None) -> tuple[float, ...] | None:
    """Return the list of numbers that metadata states, None where it states none."""
    try:
        return tuple(float(number) for number in json.loads(text or ""))
    except (ValueError, TypeError):
        return None


def _refuse_other_normalization(recipe: Recipe, origin: WeightsOrigin) -> None:
    """Refuse to normalise otherwise than the images that weights were trained on."""
    if not recipe.check_normalization:
        return
    pairs = {
        "mean": (origin.mean, recipe.normalize.mean),
        "std": (origin.std, recipe.normalize.std),
    }
    stated = [
        f'"normalize.{name}={list(theirs)}"'
        for name, (theirs, own) in pairs.items()
        if theirs is not None and len(theirs) == len(own) and not _near(theirs, own)
    ]
    if stated:
        raise RecipeError(
            f"The weights {origin.name} were trained on images normalised otherwise than the "
            f"recipe does: give {' '.join(stated)}, or check_normalization=false to keep it."
        )


def _near(first: Sequence[float], second: Sequence[float]) -> bool:
    return max(abs(a - b) for a, b in zip(first, second, strict=True)) <= NEAR


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file by name, on the CPU.

    Raises:
        RecipeError: there is no such file, or it holds something else.
    """
    try:
        if path.suffix == ".safetensors":
            return load(path.read_bytes())
        if path.suffix in PICKLED:
            return _tensors(path, torch.load(path, map_location="cpu", weights_only=True))
    except FileNotFoundError as error:
        raise RecipeError(f"There is no weights file {path}: check weights=….") from error
    except RecipeError:
        raise
    except (OSError, SafetensorError) as error:
        raise RecipeError(f"The weights {path} cannot be read: {error}.") from error
    except Exception as error:
        raise RecipeError(
            f"The weights {path} are no file of tensors alone (damaged, or they want code to be "
            "run, which is refused): save them as safetensors."
        ) from error
    raise RecipeError(f"The weights {path} are in no known format: give .safetensors or .pth.")


def _tensors(path: Path, content: Any) -> dict[str, Tensor]:
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not all(isinstance(v, Tensor) for v in content.values()):
        raise RecipeError(f"The weights {path} hold something other than named tensors.")
    return dict(content)


def _of_trunk(
    tensors: dict[str, Tensor], last: Sequence[str], expected: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return what belongs to the backbone, by the names that it has there."""
    tensors = {name.removeprefix(PARALLEL): value for name, value in tensors.items()}
    for prefix in OURS:
        own = {n.removeprefix(prefix): v for n, v in tensors.items() if n.startswith(prefix)}
        if own:
            return own
    prefix = max(("", *OTHERS), key=lambda prefix: _shared(tensors, prefix, expected))
    tensors = {n.removeprefix(prefix): v for n, v in tensors.items() if n.startswith(prefix)}
    dropped = tuple(f"{name}." for name in last)
    return {name: value for name, value in tensors.items() if not name.startswith(dropped)}


def _shared(tensors: Mapping[str, Tensor], prefix: str, expected: Mapping[str, Tensor]) -> int:
    """Return how many of the expected names are there behind a prefix."""
    return sum(prefix + name in tensors for name in expected)


def _some(what: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{what}: {', '.join(names[:NAMED])}{more}"
