"""Audit and split: what happens to a data set before anything is trained on it."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tumorscope._version import __version__
from tumorscope.checks import run_checks
from tumorscope.checks.leaks import leaks_between
from tumorscope.checks.summary import Audit, summarize
from tumorscope.errors import UsageError
from tumorscope.evaluation import Known
from tumorscope.files import explained, write_bytes, write_text
from tumorscope.layouts import read_manifest
from tumorscope.layouts.box_labels import label_by_boxes, refuse_without_boxes
from tumorscope.lineage import add_table, load_tables
from tumorscope.partition import Mode, balance, fold_partition, make_folds, make_partition
from tumorscope.partition_file import read_partition_file, write_partition_file
from tumorscope.progress import Progress, Quiet
from tumorscope.recipe import Recipe
from tumorscope.records import PARTS, Part, Partition
from tumorscope.run import refuse_inside
from tumorscope.store import MIDDLE, Store, cache_folder, open_store
from tumorscope.survey import Rules, Survey, held_out


@dataclass(frozen=True)
class Choice:
    """How a training's parts are chosen.

    Attributes:
        partition: a partition file; else the parts are drawn here.
        keep_test: honour the published test part and take out what leaks into it.
        published: use the published split as it is.
        test_fold: test on this fold of the partition file or of the manifest.
    """

    partition: Path | None = None
    keep_test: bool = False
    published: bool = False
    test_fold: int | None = None

    def check(self) -> None:
        """Refuse choices that exclude each other.

        Raises:
            UsageError: more than one of them was made.
        """
        if self.keep_test and self.published:
            raise UsageError("--keep-test and --published-split exclude each other: choose one.")
        if self.partition and (self.keep_test or self.published):
            raise UsageError(
                "--partition says where each image goes: leave --keep-test and --published-split "
                "out."
            )
        if self.test_fold is not None and (self.keep_test or self.published):
            raise UsageError(
                "--test-fold makes a test part: leave --keep-test and --published-split out."
            )


def choose_partition(survey: Survey, recipe: Recipe, choice: Choice) -> Partition:
    """Return the parts of a training.

    Raises:
        DataError: the data cannot be divided so.
    """
    store = survey.store
    if choice.partition is not None:
        file = read_partition_file(choice.partition, store)
        if choice.test_fold is None:
            return file.partition()
        groups, folds = survey.groups(Rules()), list(file.folds or [None] * len(store))
    else:
        groups, folds = survey.groups(Rules()), [row.fold for row in survey.rows]
    if choice.test_fold is not None:
        return fold_partition(
            survey.rows,
            groups,
            folds,
            test_fold=choice.test_fold,
            seed=recipe.seed,
            validation_share=recipe.validation_share,
        )
    return make_partition(
        survey.rows,
        groups,
        seed=recipe.seed,
        mode=_mode(survey, recipe, choice),
        validation_share=recipe.validation_share,
        test_share=recipe.test_share,
    )


def cautions(survey: Survey, folds: Sequence[int | None] = ()) -> list[str]:
    """Say what about patients and folds makes a partition weaker than it looks.

    Args:
        survey: the data set.
        folds: the fold of each row, where there are folds.

    Returns:
        A sentence for each: patients that are known for some images only, patients with images of
        two classes, folds without a class.
    """
    sentences = []
    rows = survey.rows
    unknown = sum(row.patient_id is None for row in rows)
    if 0 < unknown < len(rows):
        sentences.append(
            f"{unknown} of {len(rows)} images have no patient: only copies, series and known "
            "public sets hold them together."
        )
    classes: dict[str, set[str]] = defaultdict(set)
    for row, patient in zip(rows, survey.patients, strict=True):
        if patient is not None:
            classes[patient].add(row.label)
    mixed = sorted(patient for patient, labels in classes.items() if len(labels) > 1)
    if mixed:
        sentences.append(
            f"Images of more than one class: {len(mixed)} of {len(classes)} patients (first: "
            f"{mixed[0]}); look at their labels with 'tumorscope audit'."
        )
    for fold in sorted({fold for fold in folds if fold is not None}):
        present = {row.label for row, own in zip(rows, folds, strict=True) if own == fold}
        missing = [name for name in survey.classes if name not in present]
        if missing:
            sentences.append(
                f"Fold {fold} has no image of {', '.join(missing)}: scores of that class are not "
                "defined there."
            )
    return sentences


def _mode(survey: Survey, recipe: Recipe, choice: Choice) -> Mode:
    if choice.keep_test:
        return "keep-test"
    asked = recipe.published_split and held_out(survey.rows) is not None
    return "published" if choice.published or asked else "redraw"


def known_images(survey: Survey, found: Partition) -> Known:
    """Return what a survey knows of each image that an evaluation asks for."""
    parts = np.array(found.parts)
    used = parts != "out"
    side = np.where(parts == "test", 1, np.where(used, 0, 2)).astype(np.intp)
    tested = parts == "test"
    side[~used] = 1  # what is in no part teaches nothing
    matches = survey.matches
    sources = [matches[n].set_name if n in matches else "none known" for n in range(len(parts))]
    doubtful = np.zeros(len(parts), np.bool_)
    doubtful[[match.row for match in survey.disagreements]] = True
    leaking = leaks_between(survey, side, tested).any
    return Known(leaking, survey.patients, sources, doubtful)


@dataclass(frozen=True)
class Audited:
    """A finished audit.

    Attributes:
        folder: where `audit.json` and `audit.html` lie.
        numbers: what was found, as in `audit.json`.
    """

    folder: Path
    numbers: Audit


def audit(
    *, data: str | Path, out: str | Path | None = None, progress: Progress | None = None
) -> Audited:
    """Look at a data set with every check and write `audit.json` and `audit.html`.

    Args:
        data: a folder of images or a manifest CSV.
        out: the folder to write into; `audits/<data>` unless given, and then written over.
        progress: where to report; nowhere unless given.

    Raises:
        TumorscopeError: the data cannot be read, or the folder not written.
    """
    progress = progress or Quiet()
    place = Path(data)
    folder = Path(out) if out else Path("audits") / place.resolve().stem
    refuse_inside(folder, place)
    if folder.is_file() or (
        folder.is_dir() and any(folder.iterdir()) and not (folder / "audit.json").is_file()
    ):
        raise UsageError(f"{folder} exists and is no audit: choose another folder with --out.")
    store = open_store(read_manifest(place), MIDDLE, progress=progress)
    kept = _kept_audit(store)
    if not (kept / "audit.html").is_file():
        with explained(kept):
            kept.mkdir(parents=True, exist_ok=True)
        _check_all(store, kept, progress)
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for name in ("audit.html", "audit.json"):
        write_bytes(folder / name, (kept / name).read_bytes())
    return Audited(folder, Audit.model_validate_json((kept / "audit.json").read_bytes()))


def _kept_audit(store: Store) -> Path:
    """Return where an audit of this data is kept: the same data need not be checked twice."""
    key = hashlib.sha256(f"{__version__} {store.digest} {store.manifest.root.resolve()}".encode())
    key.update(repr(store.manifest.left_out).encode())
    for table in load_tables():
        key.update(table.set_name.encode() + table.prints.tobytes())
    return cache_folder() / "audits" / key.hexdigest()[:32]


def _check_all(store: Store, folder: Path, progress: Progress) -> None:
    """Run every check; the page, which says that the audit is whole, comes last."""
    from tumorscope.report.audit_page import write_audit_page  # noqa: PLC0415 (imports Jinja)

    survey = Survey(store)
    findings = run_checks(survey, progress)
    groups = len(set(survey.groups(Rules()).tolist()))
    summary = summarize(survey, findings, groups)
    write_text(folder / "audit.json", summary.model_dump_json(indent=2) + "\n")
    write_audit_page(folder / "audit.html", store, summary, findings)


@dataclass(frozen=True)
class SplitMade:
    """What a split came to.

    Attributes:
        path: the partition file.
        note: how it came about.
        counts: images in each part or fold.
        groups: how many groups there are.
        stray: how far a class's share in a part strays from its share in all at most, in [0, 1].
        cautions: what makes it weaker than it looks, a sentence each.
    """

    path: Path
    note: str
    counts: dict[str, int]
    groups: int
    stray: float
    cautions: tuple[str, ...] = ()


def split(
    *,
    data: str | Path,
    out: str | Path,
    folds: int | None = None,
    validation_share: float = 0.15,
    test_share: float = 0.15,
    keep_test: bool = False,
    seed: int = 0,
    switched_off: Sequence[str] = (),
    progress: Progress | None = None,
) -> SplitMade:
    """Divide a data set so that nothing leaks, and write the partition.

    Args:
        data: a folder of images or a manifest CSV.
        out: the CSV to write.
        folds: draw so many folds instead of three parts.
        validation_share: how much goes to validation.
        test_share: how much goes to the test part.
        keep_test: honour a published test part and take out what leaks into it.
        seed: where the randomness comes from.
        switched_off: rules that shall not hold images together: `patients`, `lineage`, `copies`,
            `series`.
        progress: where to report; nowhere unless given.

    Raises:
        TumorscopeError: the data cannot be divided so, or the file not written.
    """
    path, used = Path(out), Rules(**dict.fromkeys(switched_off, False))
    _refuse_split(path, Path(data), folds, keep_test)
    store = open_store(read_manifest(data), MIDDLE, progress=progress)
    survey = Survey(store)
    groups = survey.groups(used)
    labels = [row.label for row in survey.rows]
    if folds is not None:
        numbers = make_folds(survey.rows, groups, folds=folds, seed=seed)
        note = f"{folds} folds were drawn from groups of images that belong together."
        weak = cautions(survey, numbers)
        counts = {f"fold {n}": numbers.count(n) for n in range(1, folds + 1)}
        places: list[int] | list[Part] = numbers
        stray = balance(labels, numbers)
    else:
        found = make_partition(
            survey.rows,
            groups,
            seed=seed,
            mode="keep-test" if keep_test else "redraw",
            validation_share=validation_share,
            test_share=test_share,
        )
        note, stray = found.note, balance(labels, found.parts)
        weak = cautions(survey)
        counts = {part: found.parts.count(part) for part in (*PARTS, "out")}
        places = list(found.parts)
    settings = {
        "folds": folds,
        "validation_share": validation_share,
        "test_share": test_share,
        "keep_test": keep_test,
        "seed": seed,
        "rules": asdict(used),
    }
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    names = [f"g{group}" for group in groups]
    write_partition_file(path, store, names, survey.patients, places, settings=settings, note=note)
    return SplitMade(path, note, counts, len(set(names)), stray, tuple(weak))


def _refuse_split(path: Path, data: Path, folds: int | None, keep_test: bool) -> None:
    if folds is not None and folds < 2:
        raise UsageError(f"--folds {folds} divides nothing: ask for two or more.")
    if folds is not None and keep_test:
        raise UsageError("--folds and --keep-test exclude each other: choose one.")
    if path.suffix != ".csv":
        raise UsageError(f"{path} does not end in .csv: a partition is a CSV file.")
    refuse_inside(path, data)


def add_lineage(name: str, manifest: str | Path, *, progress: Progress | None = None) -> Path:
    """Make a lineage table of one's own set, so that audits recognise its slices.

    Args:
        name: how to call the set.
        manifest: its manifest CSV, with `patient_id`.
        progress: where to report; nowhere unless given.

    Returns:
        The table's file.

    Raises:
        TumorscopeError: the name or the manifest cannot be used.
    """
    return add_table(name, open_store(read_manifest(manifest), MIDDLE, progress=progress))


def read_store(data: Path, recipe: Recipe, progress: Progress, *, strict: bool) -> Store:
    """Read a data set at a recipe's size and say what was found and left out.

    Raises:
        DataError: it cannot be read, or has no boxes where the recipe needs them.
    """
    manifest = read_manifest(data)
    if recipe.needs_boxes:
        refuse_without_boxes(manifest, "the recipe needs them")
    strays = f"; {manifest.strays} system files passed over" if manifest.strays else ""
    progress.say(
        f"{manifest.layout}: {len(manifest.rows)} images of {len(manifest.classes)} classes "
        f"({', '.join(manifest.classes)}){strays}"
    )
    if recipe.label_from == "boxes":
        manifest = label_by_boxes(manifest, recipe.box_classes)
        progress.say(manifest.note)
    store = open_store(manifest, recipe.image_size, progress=progress, strict=strict)
    left_out = store.manifest.left_out
    for file in left_out[:10]:
        progress.say(f"left out: {file.image}: {file.reason}")
    if len(left_out) > 10:
        progress.say(f"left out: … and {len(left_out) - 10} more files")
    return store
