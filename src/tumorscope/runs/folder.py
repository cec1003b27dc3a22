"""The folder that one training leaves, and the rules for making one."""

import json
import os
import platform
import shlex
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from tumorscope._version import __version__
from tumorscope.data.layouts import read_manifest
from tumorscope.data.store import Store
from tumorscope.errors import DataError, UsageError
from tumorscope.records import Manifest, Part, Partition, Row
from tumorscope.runs.options import TrainOptions
from tumorscope.schema.grouping import GroupingRules
from tumorscope.schema.labels import canonical
from tumorscope.schema.layout import LayoutOptions
from tumorscope.schema.recipe import Recipe, dump_recipe, load_recipe
from tumorscope.schema.results import FORMAT, Results
from tumorscope.support.files import (
    explained,
    read_csv,
    refuse_inside,
    shown_name,
    write_csv,
    write_json,
    write_text,
)

PACKAGES = ("torch", "timm", "lightning", "numpy", "pillow", "onnxruntime", "scikit-learn")
RECIPE, ENVIRONMENT, RESULTS = "recipe.yaml", "environment.json", "results.json"
PREDICTIONS, FOLDS, SEEDS = "predictions.csv", "folds.json", "seeds.json"
REVIEW, PARTITION = "review.csv", "partition.csv"
MANIFEST_COLUMNS = (
    *("image", "label", "canonical", "split", "patient_id", "fold", "boxes"),
    *("width", "height", "sha256"),
)


def is_run(folder: Path) -> bool:
    """Say whether a folder is a run."""
    return (folder / RECIPE).is_file() and (folder / ENVIRONMENT).is_file()


def next_run(stem: str, *, resume: bool) -> Path:
    """Return the folder `runs/<stem>-<n>`: the first free one, or the last one to resume.

    Raises:
        UsageError: there is none to resume.
    """
    number = 1
    while Path("runs", f"{stem}-{number}").exists():
        number += 1
    if not resume:
        return Path("runs", f"{stem}-{number}")
    if number == 1:
        raise UsageError(
            f"There is no run runs/{stem}-… to resume: name one with --out, or leave --resume out."
        )
    return Path("runs", f"{stem}-{number - 1}")


def refuse_folder(folder: Path, data: Path, *, overwrite: bool, resume: bool) -> None:
    """Refuse an output folder that would harm what is there.

    Raises:
        UsageError: it lies in the data, exists, or is not there to be resumed.
    """
    refuse_inside(folder, data)
    if overwrite and resume:
        raise UsageError("--overwrite and --resume exclude each other: choose one.")
    if resume and not is_run(folder):
        raise UsageError(f"{folder} is not a run to resume: leave --resume out to start one.")
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        if not is_run(folder):
            raise UsageError(
                f"{folder} exists and is not a tumorscope run, so it is left alone: "
                "choose another with --out."
            )
        if not (overwrite or resume):
            raise UsageError(
                f"{folder} exists: give --resume to continue it, --overwrite to replace it, "
                "or another --out."
            )


def refuse_series(
    folder: Path, runs: Sequence[Path], data: Path, *, overwrite: bool, resume: bool
) -> None:
    """Refuse a folder for several runs that would harm what is there.

    Raises:
        UsageError: it lies in the data, or holds runs that are neither to be resumed nor replaced.
    """
    refuse_inside(folder, data)
    if folder.exists() and not (folder.is_dir() and (resume or overwrite)):
        raise UsageError(
            f"{folder} exists: give --resume to continue it, --overwrite to replace it, "
            "or another --out."
        )
    for run in runs:
        if run.exists():
            refuse_folder(run, data, overwrite=overwrite, resume=resume)


def create_run(
    folder: Path,
    recipe: Recipe,
    store: Store,
    partition: Partition,
    *,
    device: str,
    options: TrainOptions,
) -> None:
    """Write the inputs of a run; an earlier run in the folder is removed.

    Raises:
        UsageError: the folder cannot be written to.
    """
    with explained(folder):
        if is_run(folder):
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
    write_manifest(folder / "manifest.csv", store)
    write_partition(folder / PARTITION, store, partition)
    rows = [(file.image, file.reason) for file in store.manifest.left_out]
    write_csv(folder / "left_out.csv", ("image", "reason"), rows)
    write_text(folder / RECIPE, dump_recipe(recipe))
    write_json(folder / ENVIRONMENT, environment(store, device, options, recipe.seed))


def resumed_recipe(folder: Path, recipe: Recipe, store: Store) -> Recipe:
    """Return the recipe that a run goes on with; settings and data must be those it began with.

    A precision that was left to the machine is the one that the run began with, here as there.

    Raises:
        UsageError: the recipe differs.
        DataError: the data changed since.
    """
    began = load_recipe(folder / RECIPE)
    if recipe.precision == "auto":
        recipe = recipe.model_copy(update={"precision": began.precision})
    if began != recipe:
        differing = [
            name for name in Recipe.model_fields if getattr(began, name) != getattr(recipe, name)
        ]
        raise UsageError(
            f"{folder} was started with another {', '.join(differing)}: resume with the same "
            "settings, or start again with --overwrite."
        )
    check_data(folder, store)
    return recipe


def check_data(folder: Path, store: Store) -> None:
    """Refuse data that is not what a run was made from.

    Raises:
        DataError: the digest differs.
    """
    if not is_same_data(folder, store):
        raise DataError(
            f"The data at {store.manifest.root} is not what {folder} was trained on (files or "
            "labels changed): restore it, or train again."
        )


def is_same_data(folder: Path, store: Store) -> bool:
    """Say whether a data set is the one that a run was made from, wherever it is now."""
    return bool(read_environment(folder)["data"]["digest"] == store.digest)


def write_manifest(path: Path, store: Store) -> None:
    """Write one row per image that can be read, with what reading it showed."""
    rows = [
        (
            *(row.image, row.label, canonical(row.label), row.split, row.patient_id, row.fold),
            ";".join(f"{b.x_center} {b.y_center} {b.width} {b.height}" for b in row.boxes),
            *(facts.width, facts.height, facts.sha256),
        )
        for row, facts in zip(store.manifest.rows, store.facts, strict=True)
    ]
    write_csv(path, MANIFEST_COLUMNS, rows)


def write_partition(path: Path, store: Store, partition: Partition) -> None:
    """Write which image went where."""
    rows = [
        (row.image, row.label, group, row.patient_id, part)
        for row, group, part in zip(
            store.manifest.rows, partition.groups, partition.parts, strict=True
        )
    ]
    write_csv(path, ("image", "label", "group", "patient_id", "part"), rows)


def read_run_partition(folder: Path, method: str, note: str) -> Partition:
    """Read back which image went where."""
    rows = read_csv(folder / PARTITION)
    parts: list[Part] = [row["part"] for row in rows]  # type: ignore[misc]
    return Partition(tuple(parts), tuple(row["group"] for row in rows), method, note)


def write_predictions(
    path: Path,
    rows: Sequence[Row],
    probabilities: NDArray[np.floating],
    classes: Sequence[str],
    folds: Sequence[int] | None = None,
) -> None:
    """Write the answers for some images.

    Args:
        path: the CSV file.
        rows: the images and their labels.
        probabilities: shape (images, classes).
        classes: class names, in the order of the columns.
        folds: the fold that each image was tested in, where there are folds.
    """
    fold_columns = [()] * len(rows) if folds is None else [(fold,) for fold in folds]
    header = ("image", "truth", "predicted", *(("fold",) if folds is not None else ()))
    lines = [
        (row.image, row.label, classes[int(own.argmax())], *fold, *(f"{p:.6f}" for p in own))
        for row, own, fold in zip(rows, probabilities, fold_columns, strict=True)
    ]
    write_csv(path, (*header, *(f"probability_{name}" for name in classes)), lines)


def read_probabilities(folder: Path, classes: Sequence[str]) -> NDArray[np.float64]:
    """Return the probabilities that a run or a cross-validation has written, a row an image."""
    rows = read_csv(folder / PREDICTIONS)
    return np.array([[float(row[f"probability_{name}"]) for name in classes] for row in rows])


def environment(store: Store, device: str, options: TrainOptions, seed: int) -> dict[str, Any]:
    """Return what a later reader needs to know of how and where a run was made."""
    return {
        "tumorscope": __version__,
        "command": shown_name(shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "device": device,
        "seed": seed,
        "packages": {name: _version(name) for name in PACKAGES},
        "data": {
            "path": str(options.data_path.resolve()),
            "layout": store.manifest.layout,
            "layout_options": options.layout.as_json(),
            "grouping": options.grouping.as_json(),
            "labels": store.manifest.note or "as found",
            "digest": store.digest,
        },
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def read_environment(folder: Path) -> dict[str, Any]:
    """Read `environment.json`.

    Raises:
        UsageError: the folder is no run.
    """
    try:
        content: dict[str, Any] = json.loads((folder / ENVIRONMENT).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(_not_a_run(folder)) from error
    return content


def layout_options(folder: Path) -> LayoutOptions:
    """Return what was said of the layout of a run's data when it began."""
    return LayoutOptions.from_json(read_environment(folder)["data"].get("layout_options", {}))


def grouping_rules(folder: Path) -> GroupingRules:
    """Return what held the images of a run's data together when it began."""
    return GroupingRules.from_json(read_environment(folder)["data"].get("grouping", {}))


def _not_a_run(folder: Path) -> str:
    """Say what a folder is that should be a run, and what to give instead."""
    if not folder.exists():
        return f"{folder} does not exist: give the folder of a run, such as one under runs/."
    for name, what in ((FOLDS, "a cross-validation"), (SEEDS, "several seeds")):
        if (folder / name).is_file():
            first = min(path.parent.name for path in folder.glob(f"*/{RECIPE}"))
            return f"{folder} holds {what}: give one of its runs, such as {folder / first}."
    return f"{folder} is not a run of 'tumorscope train': give a folder under runs/."


def is_cross_validation(folder: Path) -> bool:
    """Say whether a folder holds a cross-validation, which tests every image."""
    return (folder / FOLDS).is_file()


def representative_run(folder: Path) -> Path:
    """Return a run with what all of a folder's runs share: itself, or the first fold."""
    return folder / "fold-1" if is_cross_validation(folder) else folder


def run_manifest(folder: Path) -> Manifest:
    """Read the data again that a run, or a cross-validation, was made from.

    Raises:
        UsageError: the folder is no run, or the data is not where it was.
        DataError: the data can no longer be read.
    """
    own = representative_run(folder)
    data = Path(read_environment(own)["data"]["path"])
    if not data.exists():
        raise UsageError(f"The data of {folder} is not at {data} any more: restore it.")
    return read_manifest(data, layout_options(own))


def read_results(folder: Path, *, pooled: bool = False) -> Results:
    """Read `results.json`.

    Args:
        folder: of a finished run.
        pooled: whether that of a cross-validation will do too.

    Raises:
        UsageError: there is none, it is damaged, or another version wrote it.
    """
    path = folder / RESULTS
    if not is_run(folder) and not (path.exists() and (pooled or not is_cross_validation(folder))):
        raise UsageError(_not_a_run(folder))
    try:
        content = path.read_bytes()
        written: object = json.loads(content)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} is missing or damaged: run 'tumorscope train … --resume' or 'tumorscope "
            "evaluate' on it."
        ) from error
    version = written.get("format") if isinstance(written, dict) else None
    if version != FORMAT:
        raise UsageError(
            f"{path} has format {version} and this version reads format {FORMAT}: evaluate the "
            f"run again with 'tumorscope evaluate {folder}'."
        )
    try:
        return Results.model_validate(written)
    except ValidationError as error:
        raise UsageError(
            f"{path} is damaged: evaluate the run again with 'tumorscope evaluate {folder}'."
        ) from error


def read_history(folder: Path) -> list[dict[str, float]]:
    """Read each epoch's scores from `metrics.csv`."""
    return [{k: float(v) for k, v in row.items()} for row in read_csv(folder / "metrics.csv")]
