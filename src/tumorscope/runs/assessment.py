"""A finished training judged: on its own test part again, or on another data set."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from tumorscope.data.dataset import read_store
from tumorscope.data.store import Store, join_stores, pick_rows
from tumorscope.errors import DataError
from tumorscope.evaluation import Evaluation, EvaluationOptions, evaluate_store
from tumorscope.evaluation.mapping import ClassMap, MappedPredictor, map_classes
from tumorscope.grouping.origins import Origins, image_origins
from tumorscope.grouping.survey import Rules, Survey
from tumorscope.inference.bundle import README, write_bundle
from tumorscope.inference.predict import Predictor
from tumorscope.records import Part, Partition
from tumorscope.report.model_card import model_card, usage
from tumorscope.report.page import RunRecord, write_report
from tumorscope.runs.folder import (
    RECIPE,
    RESULTS,
    check_data,
    read_environment,
    read_history,
    read_results,
    read_run_partition,
    write_predictions,
)
from tumorscope.schema.card import Card
from tumorscope.schema.recipe import load_recipe
from tumorscope.schema.results import Results
from tumorscope.support.files import explained, refuse_inside, write_text
from tumorscope.support.progress import Progress, Quiet

TOLD = ("accuracy", "balanced_accuracy", "macro_f1", "macro_auroc", "log_loss")
PREDICTIONS: dict[Part, str] = {
    "test": "predictions.csv",
    "validation": "predictions-validation.csv",
}


def run_data(folder: Path, place: Path | None, progress: Progress) -> tuple[Store, Partition]:
    """Return the data that a finished run was made from, and which row was used for what.

    Args:
        folder: the run.
        place: where its data is now; where it was unless given.
        progress: where to report.

    Raises:
        DataError: the data is not there, or has changed.
    """
    home = place or Path(read_environment(folder)["data"]["path"])
    store = read_store(home, load_recipe(folder / RECIPE), progress, strict=False)
    check_data(folder, store)
    return store, read_run_partition(folder, *_split_note(folder))


def _split_note(folder: Path) -> tuple[str, str]:
    if (folder / RESULTS).is_file():
        split = read_results(folder).split
        return split.method, split.note
    raise DataError(
        f"{folder} was not trained to its end: go on with 'tumorscope train … --resume'."
    )


def assess_run(
    folder: Path,
    survey: Survey,
    found: Partition,
    *,
    asked: EvaluationOptions | None = None,
    progress: Progress,
) -> Results:
    """Write results, predictions, figures and report of a run, reading only its bundle.

    Args:
        folder: the run.
        survey: its data.
        found: which rows form which part.
        asked: what to look at beside the usual.
        progress: where to report.
    """
    predictor = Predictor.load(folder)
    store, known = survey.store, image_origins(survey, found)
    made = evaluate_store(predictor, store, found, known, asked=asked, progress=progress)
    title = f"{predictor.card.provenance.data}, {predictor.card.recipe.name}"
    _write(folder, folder, predictor, store, found, made, title)
    _tell_bundle(folder / "bundle", predictor.card, made.results)
    return made.results


def _tell_bundle(folder: Path, card: Card, results: Results) -> None:
    """Write into a bundle what its model scored."""
    scores = {name: getattr(results.all, name) for name in TOLD}
    told = card.model_copy(update={"summary": results.summary, "scores": scores})
    write_bundle(folder, told, {README: f"{model_card(results, card)}\n{usage(card)}".encode()})


def _write(
    run: Path,
    folder: Path,
    predictor: Predictor,
    store: Store,
    found: Partition,
    evaluation: Evaluation,
    title: str,
) -> None:
    """Write what an evaluation of a run found into a folder."""
    for part in evaluation.results.parts:
        if part in PREDICTIONS:
            rows = found.where(part)
            write_predictions(
                folder / PREDICTIONS[part],
                [store.manifest.rows[row].image for row in rows],
                [store.manifest.rows[row].label for row in rows],
                evaluation.probabilities[rows],
                evaluation.results.classes,
            )
    made = RunRecord(
        title=title,
        card=predictor.card,
        recipe=load_recipe(run / RECIPE),
        environment=read_environment(run),
        history=read_history(run),
    )
    write_report(folder, store, found, evaluation, made)
    write_text(folder / RESULTS, evaluation.results.model_dump_json(indent=2) + "\n")


def _evaluate_elsewhere(
    folder: Path,
    home: Path,
    other: Store,
    place: Path,
    given: Mapping[str, str] | None,
    asked: EvaluationOptions,
    progress: Progress,
) -> Results:
    """Score a run on a set that it was not trained on."""
    predictor = Predictor.load(folder)
    own = read_store(home, predictor.card.recipe, Quiet(), strict=False)
    check_data(folder, own)
    mapping = map_classes(predictor.card.classes, other.manifest.classes, given)
    joint = _join(own, other, mapping, place)
    trained = read_run_partition(folder, "", "")
    found, known = _new_images(Survey(joint), trained, len(other), mapping, place)
    progress.say(found.note)
    mapped = MappedPredictor(predictor, mapping)
    evaluation = evaluate_store(
        mapped, joint, found, known, asked=asked, parts=("test",), progress=progress
    )
    out = folder / "external" / place.resolve().stem
    refuse_inside(out, place)
    with explained(out):
        out.mkdir(parents=True, exist_ok=True)
    title = f"{predictor.card.provenance.data}, {predictor.card.recipe.name}, on {place.name}"
    _write(folder, out, mapped, joint, found, evaluation, title)
    return evaluation.results


def _join(own: Store, other: Store, mapping: ClassMap, place: Path) -> Store:
    """Put a run's data and another set together, labelled in the words of the latter.

    Images of the other set whose class the model does not know are left out.
    """
    labels, words = {label for _, label in mapping.pairs}, dict(mapping.pairs)
    told = [n for n, row in enumerate(other.manifest.rows) if row.label in labels]
    joint = join_stores(own, pick_rows(other, told))
    before, behind = joint.manifest.rows[: len(own)], joint.manifest.rows[len(own) :]
    rows = [replace(row, label=words.get(row.label, row.label)) for row in before]
    rows += [replace(row, image=f"{place.name}/{row.image}") for row in behind]
    return replace(joint, manifest=replace(joint.manifest, rows=tuple(rows)))


def _new_images(
    survey: Survey, trained: Partition, offered: int, mapping: ClassMap, place: Path
) -> tuple[Partition, Origins]:
    """Take all images of another set for test images, less those that training has seen.

    Args:
        survey: both sets as one, the run's own first.
        trained: the run's own partition.
        offered: how many images the other set has.
        mapping: of the classes.
        place: where the other set is.

    Raises:
        DataError: none of them is new.
    """
    groups = tuple(f"g{n}" for n in survey.groups(Rules()))
    seen: tuple[Part, ...] = ("train", "validation")
    parts: list[Part] = [part if part in seen else "out" for part in trained.parts]
    told = len(survey.rows) - len(parts)
    parts += ["test"] * told
    known = image_origins(survey, Partition(tuple(parts), groups, "external", ""))
    kept = tuple("out" if leaks else p for p, leaks in zip(parts, known.leaking, strict=True))
    if "test" not in kept:
        raise DataError(
            f"No image of {place} is new to the model: each has a copy, a near copy or a slice of "
            "its patient in training or validation."
        )
    strange = f", and {offered - told} of classes that it does not know" if offered > told else ""
    note = (
        f"All images of {place.name} are test images, less {known.leaking.sum()} that have a copy, "
        f"a near copy or a slice of the same patient in what the model was trained or chosen on"
        f"{strange}. {mapping.note}"
    )
    found = Partition(kept, groups, "external", note)
    return found, replace(known, leaking=np.zeros(len(kept), np.bool_))
