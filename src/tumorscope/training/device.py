"""The device a run uses, and its precision."""

import torch

from tumorscope.errors import UsageError
from tumorscope.schema.recipe import Recipe

DEVICES = ("auto", "cpu", "cuda", "mps")


def resolve_device(device: str) -> str:
    """Return the kind of device that will be used: `cpu`, `cuda` or `mps`.

    `cuda:1` makes the second GPU the current one, which is then meant by `cuda`.

    Raises:
        UsageError: the device is not available here.
    """
    device, colon, number = device.partition(":")
    here = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if device == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if here[name])
    if device not in here or (colon and (device != "cuda" or not number.isdecimal())):
        raise UsageError(
            f"There is no device '{device}{colon}{number}': choose from {', '.join(DEVICES)}, or a "
            "GPU by its number, such as cuda:1."
        )
    if not here[device]:
        names = ", ".join(name for name, there in here.items() if there)
        raise UsageError(f"PyTorch finds no {device} device here, only {names}: use --device auto.")
    if colon:
        count = torch.cuda.device_count()
        if int(number) >= count:
            raise UsageError(f"There is no GPU {number} here: they are numbered 0 to {count - 1}.")
        torch.cuda.set_device(int(number))
    return device


def settle_precision(recipe: Recipe, device: str) -> Recipe:
    """Return the recipe with `auto` replaced by the precision that it means on a device.

    From scratch that is single: ten seeds did not exclude that bfloat16 loses a point there.
    """
    if recipe.precision != "auto":
        return recipe
    pays = bfloat16_pays(device) and bool(recipe.pretrained or recipe.weights)
    return recipe.model_copy(update={"precision": "bfloat16" if pays else "single"})


def bfloat16_pays(device: str) -> bool:
    """Say whether a device multiplies bfloat16 itself, without which it is no faster."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Older releases of PyTorch do not say what the processor has.
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return device == "cpu" and any(capabilities.get(unit) for unit in ("amx_bf16", "avx512_bf16"))


def autocast(recipe: Recipe, device: str) -> torch.autocast:
    """Return the context in which the layers of a recipe's network run in its precision."""
    return torch.autocast(device, torch.bfloat16, enabled=recipe.precision == "bfloat16")
