"""A finished training judged: on its own test part again, or on another data set."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tumorscope.bundle import README, Card, Scored, write_bundle
from tumorscope.errors import DataError
from tumorscope.evaluation import Asked, Evaluation, Known, evaluate_store
from tumorscope.evaluation.mapping import ClassMap, MappedPredictor, map_classes
from tumorscope.extras import require_training
from tumorscope.files import explained, write_text
from tumorscope.layouts import read_manifest
from tumorscope.predict import Predictor
from tumorscope.prepare import known_images, read_store
from tumorscope.progress import Progress, Quiet
from tumorscope.recipe import load_recipe
from tumorscope.records import Part, Partition
from tumorscope.report.page import Made, write_report
from tumorscope.report.papers import model_card, usage
from tumorscope.results import Results
from tumorscope.run import (
    RECIPE,
    RESULTS,
    check_data,
    is_same_data,
    read_environment,
    read_history,
    read_results,
    read_run_partition,
    refuse_inside,
    write_predictions,
)
from tumorscope.store import Store, join_stores, open_store, pick_rows
from tumorscope.survey import Rules, Survey

TOLD = ("accuracy", "balanced_accuracy", "macro_f1", "macro_auroc", "log_loss")
PREDICTIONS: dict[Part, str] = {
    "test": "predictions.csv",
    "validation": "predictions-validation.csv",
}


def evaluate(
    *,
    run: str | Path,
    data: str | Path | None = None,
    classes: Mapping[str, str] | None = None,
    by: Sequence[str] = (),
    prevalence: Mapping[str, float] | None = None,
    robustness: bool = False,
    progress: Progress | None = None,
) -> Results:
    """Score a finished training again, from its bundle, on its own data or on another set.

    On its own data, which may have been moved, the run's results and report are written anew. On
    another set all its images are test images, less those that have a copy, a near copy or a slice
    of the same patient in training or validation; results and report go to `external/<set>` in the
    run's folder.

    Args:
        run: the folder of a training.
        data: where its data set is now, or another set.
        classes: for another set, its label by class of the model, where names do not tell.
        by: columns of the manifest to break accuracy down by.
        prevalence: of classes where the model is to be used, for predictive values.
        robustness: also change the test images in eight ways at five strengths.
        progress: where to report; nowhere unless given.

    Raises:
        TumorscopeError: the run or the data cannot be used.
    """
    require_training("tumorscope evaluate")
    progress, folder = progress or Quiet(), Path(run)
    asked = Asked(by, prevalence, robustness)
    home = Path(read_environment(folder)["data"]["path"])
    recipe = Predictor.load(folder).card.recipe
    if data is not None and Path(data).resolve() != home:
        other = open_store(read_manifest(data), recipe.image_size, progress=progress)
        if not home.exists():
            check_data(folder, other)  # without its own data no other can be told from it
        if not is_same_data(folder, other):
            return _evaluate_elsewhere(folder, home, other, Path(data), classes, asked, progress)
        home = Path(data)
    store, found = run_data(folder, home, progress)
    return assess_run(folder, Survey(store), found, asked=asked, progress=progress)


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
    asked: Asked | None = None,
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
    store, known = survey.store, known_images(survey, found)
    made = evaluate_store(predictor, store, found, known, asked=asked, progress=progress)
    title = f"{predictor.card.provenance.data}, {predictor.card.recipe.name}"
    _write(folder, folder, predictor, store, found, made, title)
    _tell_bundle(folder / "bundle", predictor.card, made.results)
    return made.results


def _tell_bundle(folder: Path, card: Card, results: Results) -> None:
    """Write into a bundle what its model scored."""
    scores = {
        name: Scored(value=score.value, low=score.low, high=score.high, images=score.n)
        for name in TOLD
        for score in (getattr(results, name),)
    }
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
    made = Made(
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
    asked: Asked,
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
) -> tuple[Partition, Known]:
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
    known = known_images(survey, Partition(tuple(parts), groups, "external", ""))
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
