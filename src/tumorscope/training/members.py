"""The networks of a recipe, trained one after the other and joined."""

from dataclasses import replace

from tumorscope.data.store import Store
from tumorscope.model import build_member, join, member_recipes, share_front
from tumorscope.records import Partition
from tumorscope.schema.recipe import Recipe
from tumorscope.training.context import TrainingContext
from tumorscope.training.fit import TrainedModel, fit


def fit_members(
    store: Store, partition: Partition, recipe: Recipe, context: TrainingContext
) -> TrainedModel:
    """Train all networks of a recipe on the same parts, resuming where the run was stopped.

    Args:
        store: the pixels, at the recipe's size.
        partition: which rows to train on and which to validate on.
        recipe: what to do.
        context: the run's folder, the device, and where to report.

    Returns:
        The network that answers; where there are several, history and epoch are the first's.

    Raises:
        Interrupted, OutOfMemory: as `fit`.
    """
    classes = len(store.manifest.classes)
    trained: list[TrainedModel] = []
    for number, own in enumerate(member_recipes(recipe), 1):
        model = build_member(own, classes)
        if trained:
            share_front(trained[0].model, model, recipe)
        trained.append(fit(model, store, partition, own, context.of_member(number)))
    if len(trained) == 1:
        return trained[0]
    return replace(trained[0], model=join([own.model for own in trained], recipe))
