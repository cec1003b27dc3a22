"""The stages put together: what the command line and the public names call."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from tumorscope._version import __version__
from tumorscope.bundle import GRAPH, WEIGHTS, Card, Preprocessing, Provenance, write_bundle
from tumorscope.errors import DataError, MissingExtra, UsageError
from tumorscope.files import explained, read_csv, write_text
from tumorscope.labels import canonical
from tumorscope.layouts import read_manifest
from tumorscope.predict import Predictor
from tumorscope.progress import Progress, Quiet
from tumorscope.recipe import Recipe, dump_recipe, load_recipe
from tumorscope.records import PARTS, Part, Partition
from tumorscope.results import Results
from tumorscope.run import (
    RECIPE,
    RESULTS,
    check_data,
    check_resumable,
    create_run,
    next_run,
    read_environment,
    read_results,
    read_run_partition,
    refuse_folder,
    write_predictions,
)
from tumorscope.store import MIDDLE, Store, open_store

TRAINING_PACKAGES = ("torch", "timm", "lightning", "sklearn", "scipy", "faiss", "seaborn", "jinja2")
DEMO_SETTINGS = (
    *("image_size=64", "batch_size=16", "epochs=12", "schedule=one_cycle"),
    *("weight_averaging=0.95", "augment.rotation=10", "augment.vertical_flip=0"),
)
PLANTED = 8  # copies that the demo hides for the audit to find
EXAMPLES = 64  # real images on which an exported graph must agree with the model


@dataclass(frozen=True)
class Run:
    """A finished training.

    Attributes:
        folder: where everything it left lies.
        results: its scores, as in `results.json`.
    """

    folder: Path
    results: Results


def train(
    *,
    data: str | Path,
    recipe: str | Path | Recipe = "resnet18",
    overrides: Sequence[str] = (),
    out: str | Path | None = None,
    partition: str | Path | None = None,
    keep_test: bool = False,
    published_split: bool = False,
    test_fold: int | None = None,
    device: str = "auto",
    loggers: Sequence[str] = (),
    strict: bool = False,
    overwrite: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Train a classifier on a data set and go all the way to its report.

    Args:
        data: a folder of images or a manifest CSV, in any layout that is known.
        recipe: the name of a recipe, a YAML file, or a recipe.
        overrides: `field=value` each, to change fields of the recipe.
        out: the run's folder; `runs/<data>-<recipe>-<n>` unless given.
        partition: a file of `tumorscope split`; parts are drawn by group unless given.
        keep_test: honour the published test part and take out of training what leaks into it.
        published_split: use the published split as it is; the results then count its leaks.
        test_fold: test on this fold of the partition or of the manifest.
        device: `auto`, `cpu`, `cuda` or `mps`.
        loggers: where each epoch's scores go beside `metrics.csv`: `tensorboard`, `mlflow`.
        strict: take the first file that cannot be read for an error.
        overwrite: replace a run that is in `out`.
        resume: go on with the run that is in `out`, or with the last one of its name.
        progress: where to report; nowhere unless given.

    Raises:
        TumorscopeError: something cannot be used; the message says what, and what to do.
    """
    require_training("tumorscope train")
    from tumorscope.evaluation import class_numbers  # noqa: PLC0415 (imports scikit-learn)
    from tumorscope.model import build_classifier, build_trunk, check_stages  # noqa: PLC0415 (imports PyTorch)
    from tumorscope.prepare import Choice, choose_partition, read_store  # noqa: PLC0415 (SciPy)
    from tumorscope.survey import Survey  # noqa: PLC0415
    from tumorscope.training import fit, open_loggers, resolve_device  # noqa: PLC0415

    progress = progress or Quiet()
    chosen = recipe if isinstance(recipe, Recipe) else load_recipe(recipe, overrides)
    place = Path(data)
    folder = Path(out) if out else next_run(f"{_stem(place)}-{chosen.name}", resume=resume)
    refuse_folder(folder, place, overwrite=overwrite, resume=resume)
    used_device = resolve_device(device)
    choice = Choice(Path(partition) if partition else None, keep_test, published_split, test_fold)
    choice.check()
    trunk = build_trunk(chosen)  # before the data is read: it may not be there, or not fit
    check_stages(chosen, trunk)
    store = read_store(place, chosen, progress, strict=strict)
    survey = Survey(store)
    found = choose_partition(survey, chosen, choice)
    counts = ", ".join(f"{len(found.where(part))} {part}" for part in PARTS)
    progress.say(f"{found.note} {counts}.")
    model = build_classifier(chosen, len(store.manifest.classes), trunk)
    if resume:
        check_resumable(folder, chosen, store)
    else:
        create_run(folder, chosen, store, found, used_device, place)
    fitted = fit(
        model,
        store,
        class_numbers(store),
        found,
        chosen,
        folder,
        device=used_device,
        progress=progress,
        loggers=open_loggers(loggers, folder),
    )
    _write_bundle(folder / "bundle", fitted.model, int(fitted.best["epoch"]), store, found, chosen)
    _evaluate_into(folder, store, found, progress)
    return Run(folder, read_results(folder))


def _stem(data: Path) -> str:
    return data.resolve().stem if data.suffix else data.resolve().name


def _write_bundle(
    folder: Path, model: object, kept: int, store: Store, found: Partition, recipe: Recipe
) -> None:
    from safetensors.torch import save  # noqa: PLC0415 (imports PyTorch)

    from tumorscope.export import export_onnx  # noqa: PLC0415
    from tumorscope.model import Classifier  # noqa: PLC0415

    assert isinstance(model, Classifier)
    examples = store.pixels(found.where("validation")[:EXAMPLES])
    weights = {name: value.contiguous() for name, value in model.state_dict().items()}
    classes = store.manifest.classes
    card = Card(
        classes=classes,
        canonical=tuple(canonical(name) for name in classes),
        preprocessing=Preprocessing(image_size=recipe.image_size, normalize=recipe.normalize),
        recipe=recipe,
        provenance=Provenance(
            tumorscope=__version__,
            data=store.manifest.root.resolve().name,
            data_digest=store.digest,
            partition_digest=hashlib.sha256(repr(found.parts).encode()).hexdigest(),
            images={part: len(found.where(part)) for part in PARTS},
            kept_epoch=kept,
            weights=_weights_note(recipe),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        ),
        files={},
    )
    write_bundle(folder, card, {WEIGHTS: save(weights), GRAPH: export_onnx(model, examples)})


def _weights_note(recipe: Recipe) -> str | None:
    from tumorscope.model.weights import weights_digest  # noqa: PLC0415 (imports PyTorch)

    if recipe.weights:
        path = Path(recipe.weights)
        return f"{path.name}, SHA-256 {weights_digest(path)}"
    return f"published weights of {recipe.backbone}" if recipe.pretrained else None


def evaluate(
    *, run: str | Path, data: str | Path | None = None, progress: Progress | None = None
) -> Results:
    """Score a finished training again, from its bundle, and write its results and report anew.

    Args:
        run: the folder of a training.
        data: where its data set is now, if it was moved.
        progress: where to report; nowhere unless given.

    Raises:
        TumorscopeError: the run or its data cannot be used.
    """
    require_training("tumorscope evaluate")
    from tumorscope.prepare import read_store  # noqa: PLC0415 (imports SciPy)

    folder = Path(run)
    place = Path(data or read_environment(folder)["data"]["path"])
    predictor = Predictor.load(folder)
    store = read_store(place, predictor.card.recipe, progress or Quiet(), strict=False)
    check_data(folder, store)
    before = _split_note(folder)
    found = read_run_partition(folder, *before)
    _evaluate_into(folder, store, found, progress or Quiet())
    return read_results(folder)


def _split_note(folder: Path) -> tuple[str, str]:
    if (folder / RESULTS).is_file():
        split = read_results(folder).split
        return split.method, split.note
    raise DataError(
        f"{folder} was not trained to its end: go on with 'tumorscope train … --resume'."
    )


def _evaluate_into(folder: Path, store: Store, found: Partition, progress: Progress) -> None:
    """Write results, predictions, figures and report of a run, reading only its bundle."""
    from tumorscope.evaluation import evaluate_store  # noqa: PLC0415 (imports scikit-learn)
    from tumorscope.prepare import count_leaks  # noqa: PLC0415
    from tumorscope.report.page import Made, write_report  # noqa: PLC0415 (imports matplotlib)
    from tumorscope.survey import Survey  # noqa: PLC0415

    predictor = Predictor.load(folder)
    leaks = count_leaks(Survey(store), found)
    evaluation = evaluate_store(predictor, store, found, leaks=leaks, progress=progress)
    names: dict[Part, str] = {
        "test": "predictions.csv",
        "validation": "predictions-validation.csv",
    }
    for part, name in names.items():
        rows = found.where(part)
        write_predictions(
            folder / name,
            [store.manifest.rows[row].image for row in rows],
            [store.manifest.rows[row].label for row in rows],
            evaluation.probabilities[rows],
            store.manifest.classes,
        )
    history = [{k: float(v) for k, v in row.items()} for row in read_csv(folder / "metrics.csv")]
    made = Made(
        title=f"{predictor.card.provenance.data}, {predictor.card.recipe.name}",
        recipe=dump_recipe(load_recipe(folder / RECIPE)),
        environment=read_environment(folder),
        history=history,
        kept_epoch=predictor.card.provenance.kept_epoch,
    )
    write_report(folder, store, found, evaluation, made)
    write_text(folder / RESULTS, evaluation.results.model_dump_json(indent=2) + "\n")


def demo(*, out: str | Path | None = None, progress: Progress | None = None) -> Run:
    """Draw synthetic head slices, train on them and go all the way to a report.

    Args:
        out: a folder for the slices and the run; `runs/demo-<n>` unless given.
        progress: where to report; nowhere unless given.
    """
    require_training("tumorscope demo")
    from tumorscope.phantom import write_phantoms  # noqa: PLC0415 (only needed here)
    from tumorscope.prepare import audit  # noqa: PLC0415 (imports SciPy)

    progress = progress or Quiet()
    folder = Path(out) if out else next_run("demo", resume=False)
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} exists: choose another folder with --out.")
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    manifest = write_phantoms(folder / "phantoms", copies=PLANTED, progress=progress)
    audited = audit(data=manifest, out=folder / "audit", progress=progress)
    progress.say(
        f"Audit: {PLANTED} copies were planted under other patients' names, and "
        f"{_found_copies(manifest)} of them were found. See {audited.folder / 'audit.html'}"
    )
    return train(
        data=manifest,
        recipe="resnet18",
        overrides=DEMO_SETTINGS,
        out=folder / "run",
        progress=progress,
    )


def _found_copies(manifest: Path) -> int:
    """Count the planted copies that are held together with the slice they were made from."""
    from tumorscope.survey import Survey  # noqa: PLC0415 (imports SciPy)

    survey = Survey(open_store(read_manifest(manifest), MIDDLE))
    group = {row.image: survey.same_image[n] for n, row in enumerate(survey.rows)}
    copies = [image for image in group if "/copy-of-" in image]
    return sum(group[image] == group[image.replace("copy-of-", "")] for image in copies)


def require_training(what: str) -> None:
    """Refuse to start what needs the training packages where they are not installed.

    Raises:
        MissingExtra: they are not; the message names the command that installs them.
    """
    if any(find_spec(name) is None for name in TRAINING_PACKAGES):
        raise MissingExtra(what, "train")
