"""How long a recipe will take on this machine, from a step or two of it."""

import time

import torch

from tumorscope.model import Classifier
from tumorscope.schema.recipe import Recipe, Stage
from tumorscope.support.pace import duration
from tumorscope.training.device import autocast

TRIED = 8  # images of the step that is timed
LONG = 180  # seconds from which on a quicker recipe is named
QUICK = "cnn-baseline"


def foretell(model: Classifier, recipe: Recipe, images: int, device: str) -> str:
    """Say how long training will take, and name a quicker recipe where it is long.

    Args:
        model: to be trained; it is left as it is, but on the device.
        recipe: what will be done.
        images: in the training part.
        device: `cpu`, `cuda` or `mps`.
    """
    mode = model.training
    seconds = sum(_stage_seconds(model, recipe, stage, images, device) for stage in recipe.stages)
    model.train(mode)  # Lightning trains modules in the mode in which it finds them
    seconds *= recipe.members
    sentence = f"{recipe.name} will take about {duration(max(seconds, 1))} here"
    if seconds < LONG or recipe.name == QUICK:
        return f"{sentence}."
    return f"{sentence}; --recipe {QUICK} is quicker, and --resume goes on where a run stopped."


def _stage_seconds(
    model: Classifier, recipe: Recipe, stage: Stage, images: int, device: str
) -> float:
    """Return the seconds of a stage, all its epochs, without validation."""
    model.to(device).set_trainable(stage.train, stage.statistics)
    model.eval()  # which leaves the statistics of batch norm alone
    if stage.views is not None:  # the front is run once a view
        return images * stage.views * _step_seconds(model, recipe, device, learning=False)
    return images * stage.epochs * _step_seconds(model, recipe, device, learning=True)


def _step_seconds(model: Classifier, recipe: Recipe, device: str, *, learning: bool) -> float:
    """Return the seconds that an image takes, forward alone or backward too."""
    side = recipe.image_size
    pixels = torch.zeros(min(TRIED, recipe.batch_size), 1, side, side, device=device)
    for _ in range(2):  # the first sets things up
        started = time.perf_counter()
        with torch.set_grad_enabled(learning), autocast(recipe, device):
            logits = model(pixels)
        if learning:
            logits.float().sum().backward()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - started
    model.zero_grad(set_to_none=True)
    return seconds / len(pixels)
