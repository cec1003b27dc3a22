"""What each stage's best weights answer, so that what a stage gained can be told."""

import numpy as np
import torch

from tumorscope.data.store import Store, batches
from tumorscope.metrics.scores import Classes
from tumorscope.model import Classifier
from tumorscope.training.checkpoints import load_stage
from tumorscope.training.context import TrainingContext
from tumorscope.training.fit import TrainedModel
from tumorscope.training.history import Keep, best_of_stages

BATCH = 64


def other_stages_answers(
    trained: TrainedModel, store: Store, rows: Classes, keep: Keep, context: TrainingContext
) -> dict[int, Classes]:
    """Return what the best weights of each stage answer, but for the weights that were kept.

    Args:
        trained: the network, which has the kept weights again at the end.
        store: the pixels.
        rows: those that are asked about.
        keep: what epochs are judged by.
        context: the run's folder, with the weights of its stages, the device, and where to report.

    Returns:
        Class numbers, int, shape (rows,), by the epoch that the weights are of; nothing where there
        was one stage.
    """
    epochs = {
        stage: int(best["epoch"]) for stage, best in best_of_stages(trained.history, keep).items()
    }
    others = {stage: epoch for stage, epoch in epochs.items() if epoch != trained.kept_epoch}
    if not others:
        return {}
    answers = {}
    model = trained.model.to(context.device)
    with context.progress.task("comparing stages", len(rows) * len(others)) as task:
        for stage, epoch in others.items():
            load_stage(model, context.folder, stage)
            found = []
            for places in batches(len(rows), BATCH):
                found.append(_answer(model, store, rows[places], context.device))
                task.advance(len(places))
            answers[epoch] = np.concatenate(found)
    (kept,) = epochs.keys() - others.keys()
    load_stage(model, context.folder, kept)
    trained.model.cpu()
    return answers


def _answer(model: Classifier, store: Store, rows: Classes, device: str) -> Classes:
    """Return the class numbers of a batch."""
    pixels = torch.from_numpy(store.pixels(rows)).unsqueeze(1).float().to(device)
    with torch.inference_mode():
        numbers: Classes = model.probabilities(pixels).argmax(dim=1).cpu().numpy()
    return numbers
