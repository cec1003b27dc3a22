"""The part of a run that trains, without the bundle and the report that come after it."""

from collections.abc import Sequence
from pathlib import Path

from tests.conftest import Heard
from tumorscope.runs.execution import begin, train_model
from tumorscope.runs.options import TrainOptions
from tumorscope.runs.preparation import prepare, resolve_recipe
from tumorscope.schema.recipe import Recipe


def train_only(
    data: Path,
    out: Path,
    overrides: Sequence[str],
    recipe: str | Recipe = "resnet18",
    *,
    resume: bool = False,
) -> list[str]:
    """Train into a run's folder, new or to resume, and return what was reported."""
    heard = Heard()
    options = TrainOptions(
        data=data, recipe=recipe, overrides=overrides, out=out, device="cpu", progress=heard
    )
    chosen = resolve_recipe(options)
    preparation = prepare(options, chosen)
    if not resume:
        begin(preparation, chosen, out)
    train_model(preparation, chosen, out)
    return heard.lines
