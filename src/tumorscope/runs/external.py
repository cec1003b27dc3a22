"""A run scored on a data set that it was not trained on."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np

from tumorscope.data.dataset import read_store
from tumorscope.data.store import Store, join_stores, pick_rows
from tumorscope.errors import DataError
from tumorscope.evaluation import EvaluationOptions, evaluate_store
from tumorscope.evaluation.mapping import ClassMap, MappedModel, map_classes
from tumorscope.explanation.examine import examine
from tumorscope.explanation.explain import Explainer
from tumorscope.grouping.origins import Origins, image_origins
from tumorscope.grouping.partition import group_names
from tumorscope.grouping.survey import Survey
from tumorscope.inference.bundle import open_bundle
from tumorscope.inference.predict import Predictor
from tumorscope.records import Part, Partition
from tumorscope.runs.evaluation import run_record, write_evaluation
from tumorscope.runs.folder import check_data, layout_options, read_environment, read_run_partition
from tumorscope.schema.results import Results
from tumorscope.support.files import explained, refuse_inside, write_json
from tumorscope.support.progress import Progress, Quiet

ORIGIN = "data.json"  # which set a folder under external/ is of


def external_folder(run: Path, data: Path) -> Path:
    """Return where scores of another set belong: `external/<set>`, numbered where names collide."""
    path = data.resolve()
    for number in count(1):
        folder = run / "external" / (path.stem if number == 1 else f"{path.stem}-{number}")
        origin = folder / ORIGIN
        if not folder.exists() or (
            origin.is_file() and json.loads(origin.read_text())["data"] == str(path)
        ):
            break
    return folder


def evaluate_elsewhere(
    folder: Path,
    other: Store,
    data: Path,
    *,
    classes: Sequence[tuple[str, str]],
    options: EvaluationOptions,
    formats: Sequence[str] = (),
    progress: Progress,
) -> Results:
    """Score a run on another data set, less what that shares with training or validation.

    Args:
        folder: the run.
        other: the other set, at the model's size.
        data: where it is; its name becomes that of the folder under `external/`.
        classes: class of the model and label of the set, where names do not tell.
        options: what to look at beyond the defaults.
        formats: of the figures besides PNG.
        progress: where to report.

    Raises:
        DataError: the run's own data has changed, or no image of the other set is new.
        UsageError: the classes cannot be mapped.
    """
    predictor = Predictor.load(folder)
    home = Path(read_environment(folder)["data"]["path"])
    own = read_store(
        home, predictor.card.recipe, Quiet(), strict=False, layout=layout_options(folder)
    )
    check_data(folder, own)
    mapping = map_classes(predictor.card.classes, other.manifest.classes, classes)
    joint = _join(own, other, mapping, data.name)
    trained = read_run_partition(folder, "", "")
    unknown = _unknown_labels(other, mapping)
    partition, origins = _new_images(Survey(joint), trained, mapping, data)
    progress.say(partition.note)
    for sentence in unknown_sentences(unknown, len(other)):
        progress.say(f"Note: {sentence}")
    model = MappedModel(predictor, mapping)
    evaluation = evaluate_store(
        model, joint, partition, origins, options=options, parts=("test",), progress=progress
    )
    results = evaluation.results
    results = results.model_copy(
        update={
            "warnings": (*unknown_sentences(unknown, len(other)), *results.warnings),
            "images": results.images.model_copy(update={"other_classes": unknown}),
        }
    )
    evaluation = replace(evaluation, results=results)
    out = external_folder(folder, data)
    refuse_inside(out, data)
    with explained(out):
        out.mkdir(parents=True, exist_ok=True)
    write_json(out / ORIGIN, {"data": str(data.resolve()), "digest": other.digest})
    record = run_record(folder, model, data.name)
    explainer = Explainer(open_bundle(folder))
    looked = examine(explainer, joint, partition, progress, mapped=model)
    return write_evaluation(out, joint, partition, evaluation, record, formats, looked)


def _join(own: Store, other: Store, mapping: ClassMap, name: str) -> Store:
    """Put a run's data and another set together, labelled with the classes that are scored.

    Images of the other set whose class the model does not know are left out.
    """
    known = [n for n, row in enumerate(other.manifest.rows) if row.label in mapping.of_set]
    joint = join_stores(own, pick_rows(other, known))
    first, second = joint.manifest.rows[: len(own)], joint.manifest.rows[len(own) :]
    rows = [replace(row, label=mapping.of_model[row.label]) for row in first]
    rows += [
        replace(row, image=f"{name}/{row.image}", label=mapping.of_set[row.label]) for row in second
    ]
    return replace(joint, manifest=replace(joint.manifest, rows=tuple(rows)))


def _unknown_labels(other: Store, mapping: ClassMap) -> dict[str, int]:
    """Return how many images have each label that the model does not know."""
    counts = Counter(row.label for row in other.manifest.rows)
    return {label: n for label, n in sorted(counts.items()) if label not in mapping.of_set}


def unknown_sentences(unknown: Mapping[str, int], offered: int) -> tuple[str, ...]:
    """Say how many of the images that another set offers cannot be scored, where some cannot."""
    if not unknown:
        return ()
    listed = ", ".join(f"{label} {count}" for label, count in unknown.items())
    return (
        f"{sum(unknown.values()):,} of {offered:,} images are not scored: the model has no class "
        f"for them ({listed}). --classes MODEL=SET names one.",
    )


def _new_images(
    survey: Survey, trained: Partition, mapping: ClassMap, data: Path
) -> tuple[Partition, Origins]:
    """Take all images of another set for test images, less those that training has seen.

    Args:
        survey: both sets as one, the run's own first.
        trained: the run's own partition.
        mapping: of the classes.
        data: where the other set is.

    Raises:
        DataError: none of them is new.
    """
    groups = group_names(survey.groups())
    seen: tuple[Part, ...] = ("train", "validation")
    parts: list[Part] = [part if part in seen else "out" for part in trained.parts]
    parts += ["test"] * (len(survey.rows) - len(parts))
    origins = image_origins(survey, Partition(tuple(parts), groups, "external", ""))
    kept = tuple("out" if leaks else p for p, leaks in zip(parts, origins.leaking, strict=True))
    if "test" not in kept:
        raise DataError(
            f"No image of {data} is new to the model: each has a copy, a near copy or a slice of "
            "its patient in training or validation."
        )
    note = (
        f"All images of {data.name} are test images, except {origins.leaking.sum()} that have a "
        "copy, a near copy or a slice of the same patient in what the model was trained or chosen "
        f"on. {mapping.note}"
    )
    partition = Partition(kept, groups, "external", note)
    return partition, replace(origins, leaking=np.zeros(len(kept), np.bool_))
