"""Weights that somebody else trained: from a file, or by timm's own loading."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from tumorscope.errors import RecipeError

PICKLED = (".pth", ".pt", ".bin", ".ckpt")
WRAPPERS = ("state_dict", "model", "model_state_dict")
PARALLEL = "module."  # what PyTorch's parallel training puts before every name
OURS = ("model.trunk.", "trunk.")  # the backbone in our checkpoints, in our bundles
NAMED = 4  # layers that a message names of each kind


def load_weights(trunk: nn.Module, path: Path, classifier: str | Sequence[str]) -> None:
    """Put the weights of a file into a network without its last layer.

    Args:
        trunk: the network.
        path: a safetensors file, or a `.pth` of tensors alone; no pickle is ever executed.
        classifier: the name of the last layer in the file, or several, which are not used.

    Raises:
        RecipeError: the file cannot be read or does not fit; the message names layers.
    """
    last = (classifier,) if isinstance(classifier, str) else tuple(classifier)
    weights = _of_trunk(read_weights(path), last)
    expected = trunk.state_dict()
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


def _of_trunk(tensors: dict[str, Tensor], last: Sequence[str]) -> dict[str, Tensor]:
    """Return what belongs to the backbone, by the names that it has there."""
    tensors = {name.removeprefix(PARALLEL): value for name, value in tensors.items()}
    for prefix in OURS:
        own = {n.removeprefix(prefix): v for n, v in tensors.items() if n.startswith(prefix)}
        if own:
            return own
    dropped = tuple(f"{name}." for name in last)
    return {name: value for name, value in tensors.items() if not name.startswith(dropped)}


def _some(what: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{what}: {', '.join(names[:NAMED])}{more}"


def weights_digest(path: Path) -> str:
    """Return the SHA-256 of a weights file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
