"""Networks as plain modules: grey levels in, logits out."""

import torch
from torch import Tensor, nn

from tumorscope._torchvision import declare_missing_operators
from tumorscope.errors import RecipeError
from tumorscope.recipe import Normalize, Recipe

GREY_LEVELS = 255.0


class Classifier(nn.Module):
    """A backbone behind the last step of the preprocessing.

    Scaling to [0, 1], the copy of grey to three channels and the normalisation are part of the
    module, so that they are part of whatever is exported from it.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, normalize: Normalize) -> None:
        super().__init__()
        self.network = network
        shape = (1, 3, 1, 1)
        mean, std = torch.tensor(normalize.mean), torch.tensor(normalize.std)
        self.register_buffer("mean", mean.reshape(shape) * GREY_LEVELS, persistent=False)
        self.register_buffer("std", std.reshape(shape) * GREY_LEVELS, persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return logits.

        Args:
            pixels: grey levels in [0, 255], float, shape (n, 1, height, width).

        Returns:
            float, shape (n, classes).
        """
        logits: Tensor = self.network((pixels - self.mean) / self.std)
        return logits


def build_classifier(recipe: Recipe, classes: int) -> Classifier:
    """Build the network of a recipe; its first weights follow from the recipe's seed.

    Raises:
        RecipeError: timm has no such backbone, or the image size does not fit it.
    """
    declare_missing_operators()
    import timm  # noqa: PLC0415  (it imports torchvision, which must be readied first)

    if recipe.backbone not in timm.list_models():
        near = timm.list_models(f"*{recipe.backbone[:6]}*")[:5]
        raise RecipeError(
            f"timm has no backbone '{recipe.backbone}'"
            + (f"; near ones: {', '.join(near)}." if near else ".")
        )
    torch.manual_seed(recipe.seed)
    try:
        network = timm.create_model(
            recipe.backbone,
            num_classes=classes,
            drop_rate=recipe.dropout,
            pretrained=recipe.pretrained,
        )
    except (OSError, RuntimeError) as error:
        raise RecipeError(
            f"The weights of {recipe.backbone} cannot be had ({type(error).__name__}): they are "
            "downloaded once, so connect to a network, or train from scratch with pretrained=false."
        ) from error
    return Classifier(network, recipe.normalize)
