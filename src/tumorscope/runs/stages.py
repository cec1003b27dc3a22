"""What a run knows of its stages: their answers on the test images as a file, and their scores."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tumorscope.data.store import Store
from tumorscope.evaluation import Cases, Evaluation
from tumorscope.evaluation.stages import score_stages
from tumorscope.metrics.scores import Classes
from tumorscope.records import Partition
from tumorscope.schema.results import StageScores
from tumorscope.support.files import read_csv, write_csv

STAGES = "predictions-stages.csv"
COLUMN = "epoch_"


def write_stage_answers(
    folder: Path, answers: Mapping[int, Classes], store: Store, partition: Partition
) -> None:
    """Write what stages answer, a row a test image; nothing where there are no answers.

    Args:
        folder: the run.
        answers: class numbers of the test images, by the epoch whose weights gave them.
        store: the images.
        partition: which of them are test images.
    """
    if not answers:
        return
    rows = [store.manifest.rows[row] for row in partition.where("test")]
    names = store.manifest.classes
    lines = [
        (row.image, *(names[number] for number in numbers))
        for row, *numbers in zip(rows, *answers.values(), strict=True)
    ]
    write_csv(folder / STAGES, ("image", *(f"{COLUMN}{epoch}" for epoch in answers)), lines)


def read_stage_scores(
    folder: Path,
    partition: Partition,
    evaluation: Evaluation,
    history: Sequence[Mapping[str, float]],
    kept_epoch: int,
) -> tuple[StageScores, ...]:
    """Score the stages of a run on its test images; nothing where there was one.

    Args:
        folder: the run.
        partition: which rows are test images.
        evaluation: what the kept weights say of them.
        history: each epoch's scores.
        kept_epoch: the epoch of the kept weights.
    """
    if not (folder / STAGES).is_file():
        return ()
    lines, names = read_csv(folder / STAGES), list(evaluation.results.classes)
    answers: dict[int, Classes] = {
        int(column.removeprefix(COLUMN)): np.array([names.index(line[column]) for line in lines])
        for column in lines[0]
        if column.startswith(COLUMN)
    }
    tested = partition.where("test")
    answers[kept_epoch] = evaluation.predicted[tested]
    groups = [partition.groups[row] for row in tested]
    cases = Cases(evaluation.labels[tested], evaluation.probabilities[tested], groups)
    stages = {int(epoch["epoch"]): int(epoch["stage"]) for epoch in history}
    return score_stages(cases, answers, stages, kept_epoch)
