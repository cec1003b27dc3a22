"""A run scored again: results, predictions, figures and report from its bundle."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tumorscope.data.dataset import read_store
from tumorscope.data.store import Store
from tumorscope.errors import DataError
from tumorscope.evaluation import Evaluation, EvaluationOptions, evaluate_store
from tumorscope.evaluation.model import ScoredModel
from tumorscope.explanation.examine import Examination, examine
from tumorscope.explanation.explain import Explainer
from tumorscope.grouping.origins import image_origins
from tumorscope.grouping.survey import Survey
from tumorscope.inference.bundle import README, open_bundle, write_bundle
from tumorscope.inference.predict import Predictor
from tumorscope.records import Part, Partition
from tumorscope.report.model_card import bundle_readme
from tumorscope.report.page import RunRecord, write_report
from tumorscope.runs.folder import (
    PREDICTIONS,
    RECIPE,
    RESULTS,
    check_data,
    layout_options,
    read_environment,
    read_history,
    read_run_partition,
    write_predictions,
)
from tumorscope.runs.stages import read_stage_scores
from tumorscope.schema.card import Card
from tumorscope.schema.recipe import load_recipe
from tumorscope.schema.results import Results
from tumorscope.support.files import write_text
from tumorscope.support.progress import Progress

ON_CARD = ("accuracy", "balanced_accuracy", "macro_f1", "macro_auroc", "log_loss")
WRITTEN: dict[Part, str] = {"test": PREDICTIONS, "validation": "predictions-validation.csv"}


def run_data(folder: Path, data: Path | None, progress: Progress) -> tuple[Store, Partition]:
    """Return the data that a finished run was made from, and which row was used for what.

    Args:
        folder: the run.
        data: where its data is now; where it was unless given.
        progress: where to report.

    Raises:
        DataError: the data is not there, or has changed.
    """
    home = data or Path(read_environment(folder)["data"]["path"])
    store = read_store(
        home,
        load_recipe(folder / RECIPE),
        progress,
        strict=False,
        layout=layout_options(folder),
    )
    check_data(folder, store)
    return store, read_run_partition(folder, *_split_note(folder))


def _split_note(folder: Path) -> tuple[str, str]:
    """Return how the parts came about, from results of any format."""
    try:
        split = json.loads((folder / RESULTS).read_text(encoding="utf-8"))["split"]
        return str(split["method"]), str(split["note"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{folder} has no results: finish the run with 'tumorscope train … --resume'."
        ) from error


def evaluate_run(
    folder: Path,
    survey: Survey,
    partition: Partition,
    *,
    options: EvaluationOptions | None = None,
    formats: Sequence[str] = (),
    progress: Progress,
) -> Results:
    """Write results, predictions, figures and report of a run, reading only its bundle.

    Args:
        folder: the run.
        survey: its data.
        partition: which rows form which part.
        options: what to look at beyond the defaults.
        formats: of the figures besides PNG.
        progress: where to report.
    """
    predictor = Predictor.load(folder)
    origins = image_origins(survey, partition)
    evaluation = evaluate_store(
        predictor, survey.store, partition, origins, options=options, progress=progress
    )
    record = run_record(folder, predictor)
    stages = read_stage_scores(folder, partition, evaluation, record.history, record.kept_epoch)
    results = evaluation.results.model_copy(update={"stages": stages})
    evaluation = replace(evaluation, results=results)
    looked = examine(Explainer(open_bundle(folder)), survey.store, partition, progress)
    written = write_evaluation(folder, survey.store, partition, evaluation, record, formats, looked)
    _add_scores(folder / "bundle", predictor.card, written)
    return written


def run_record(folder: Path, model: ScoredModel, elsewhere: str = "") -> RunRecord:
    """Return how a run was made, for a report.

    Args:
        folder: the run.
        model: what was scored; its card has the classes of the data it was scored on.
        elsewhere: the name of another data set that it was scored on.
    """
    title = f"{model.card.provenance.data}, {model.card.recipe.name}"
    return RunRecord(
        title=f"{title}, on {elsewhere}" if elsewhere else title,
        card=model.card,
        recipe=load_recipe(folder / RECIPE),
        environment=read_environment(folder),
        history=read_history(folder),
    )


def write_evaluation(
    folder: Path,
    store: Store,
    partition: Partition,
    evaluation: Evaluation,
    record: RunRecord,
    formats: Sequence[str] = (),
    looked: Examination | None = None,
) -> Results:
    """Write predictions, report and results into a folder; the results come last."""
    if looked is not None:
        evaluation = replace(evaluation, results=_with_looks(evaluation.results, looked))
    for part in evaluation.results.parts:
        if part in WRITTEN:
            rows = partition.where(part)
            listed = [store.manifest.rows[row] for row in rows]
            write_predictions(
                folder / WRITTEN[part],
                listed,
                evaluation.probabilities[rows],
                evaluation.results.classes,
            )
    write_report(folder, store, partition, evaluation, record, formats, looked)
    write_text(folder / RESULTS, evaluation.results.model_dump_json(indent=2) + "\n")
    return evaluation.results


def _with_looks(results: Results, looked: Examination) -> Results:
    """Return results with where the model looks; what weakens its answers is said first."""
    explained = looked.explained
    warnings = (*explained.warnings, *results.warnings)
    return results.model_copy(update={"explained": explained, "warnings": warnings})


def _add_scores(bundle: Path, card: Card, results: Results) -> None:
    """Write into a bundle what its model scored."""
    scores = {name: getattr(results.all, name) for name in ON_CARD}
    scored = card.model_copy(update={"summary": results.summary, "scores": scores})
    write_bundle(bundle, scored, {README: bundle_readme(results, card)})
