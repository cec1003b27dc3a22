"""Many inputs to one file of answers: in parts, so that what was answered is never done again.

A part is written whole under a name that holds a digest of the model and of the part's inputs.
Starting the same command again goes on behind the last part; other inputs or another model make
other parts. The parts are joined at the end, in order.
"""

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import asdict, astuple, dataclass
from itertools import islice
from pathlib import Path

from tumorscope.errors import UsageError
from tumorscope.inference.bundle import Runtime
from tumorscope.inference.predict import Predictor
from tumorscope.records import FoundBox, Prediction, SeriesPrediction
from tumorscope.schema.card import Card
from tumorscope.support.files import explained, replacing
from tumorscope.support.interruption import resumable
from tumorscope.support.progress import Progress

PART = 500  # inputs; a kill loses at most one part a worker
FORMATS = (".jsonl", ".csv")
BOX_COLUMNS = ("box_x_center", "box_y_center", "box_width", "box_height", "box_score")


@dataclass(frozen=True)
class Chunk:
    """Some inputs that are answered together.

    Attributes:
        path: the file of their answers.
        inputs: their names.
    """

    path: Path
    inputs: tuple[str, ...]


Runner = Callable[[str, Iterator[Chunk], Runtime | None, int | None], Iterator[Chunk]]


Answer = Prediction | SeriesPrediction


@dataclass
class ArchiveCounts:
    """What scoring an archive came to.

    Attributes:
        inputs: how many there were.
        failed: how many could not be read.
        refused: how many were read and are not answered.
    """

    inputs: int = 0
    failed: int = 0
    refused: int = 0

    def count(self, answer: Answer) -> None:
        """Count an answer."""
        self.inputs += 1
        self.failed += answer.error is not None
        self.refused += answer.error is None and not answer.accepted


def score_archive(
    bundle: str | Path,
    inputs: Iterable[str],
    out: Path,
    *,
    runtime: Runtime | None = None,
    workers: int | None = None,
    run: Runner | None = None,
    progress: Progress,
) -> ArchiveCounts:
    """Answer many inputs and write one file of answers, in order.

    Args:
        bundle: the model.
        inputs: names of image files; a list, where the time left is to be told.
        out: a file that ends in `.jsonl` or `.csv`; its parts lie next to it until it is complete.
        runtime: what runs the model.
        workers: how many work at once; as many as there are cores unless given.
        run: what answers the parts: `run_here` unless given, or `run_on_ray` of `inference.ray`.
        progress: where to report.

    Raises:
        UsageError: `out` is there already or has another ending.
        BundleError: the bundle cannot be used.
        MissingExtra: the runtime is not installed.
    """
    check_out(out)
    card = Predictor.load(bundle, runtime=runtime, threads=1).card
    digest = hashlib.sha256(repr((card, runtime)).encode()).hexdigest()
    folder = out.with_name(out.name + ".parts")
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    paths, parts = [], cut(inputs, folder, digest)
    total = len(inputs) if isinstance(inputs, Sized) else None
    go_on = f"Stopped: answers so far are kept in {folder}, and the same command does the rest."
    with resumable(go_on), progress.task("answering", total) as task:
        for part in (run or run_here)(str(bundle), parts, runtime, workers):
            paths.append(part.path)
            task.advance(len(part.inputs))
    scored = write_answers(_written(sorted(paths)), out, card)
    shutil.rmtree(folder)
    return scored


def cut(inputs: Iterable[str], folder: Path, digest: str) -> Iterator[Chunk]:
    """Yield inputs as parts, whose names follow from the model's digest and the inputs."""
    offered = iter(inputs)
    number = 0
    while names := tuple(islice(offered, PART)):
        own = hashlib.sha256(repr((digest, names)).encode()).hexdigest()[:16]
        yield Chunk(folder / f"{number:07}-{own}.jsonl", names)
        number += 1


def run_here(
    bundle: str, parts: Iterator[Chunk], runtime: Runtime | None, workers: int | None
) -> Iterator[Chunk]:
    """Answer the parts that are not there yet, one after another on all cores."""
    predictor = Predictor.load(bundle, runtime=runtime, threads=1)
    for part in parts:
        if not part.path.is_file():
            answer_part(part, predictor, workers or os.cpu_count())
        yield part


def answer_part(part: Chunk, predictor: Predictor, workers: int | None) -> None:
    """Answer the inputs of a part and write its file."""
    with replacing(part.path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for answer in predictor.predict(part.inputs, workers=workers):
            file.write(as_json(answer) + "\n")


def as_json(answer: Answer) -> str:
    """Return an answer as a line of JSON."""
    return json.dumps(asdict(answer), ensure_ascii=False)


def csv_header(card: Card) -> tuple[str, ...]:
    """Return the names of the columns of `csv_row`."""
    chances = (f"probability_{name}" for name in card.classes)
    boxes = BOX_COLUMNS if card.recipe.localise else ()
    return ("input", "label", "accepted", "reason", "error", "set", *chances, "seconds", *boxes)


def csv_row(answer: Answer, card: Card) -> tuple[str, ...]:
    """Return an answer as cells; what it does not have is empty."""
    chances = (
        f"{answer.probabilities[name]:.6f}" if answer.probabilities else "" for name in card.classes
    )
    labels = ";".join(answer.set or ())
    told = (str(answer.accepted).lower(), answer.reason, answer.error or "", labels)
    boxes: tuple[str, ...] = ()
    if card.recipe.localise:
        box = answer.box
        boxes = tuple(f"{v:.6f}" for v in astuple(box)) if box else ("",) * len(BOX_COLUMNS)
    return (answer.input, answer.label, *told, *chances, f"{answer.seconds:.6f}", *boxes)


def write_answers(answers: Iterable[Answer], out: Path, card: Card) -> ArchiveCounts:
    """Write answers into one file, in order, and count what they say.

    Args:
        answers: taken one by one.
        out: the file, which ends in `.jsonl` or `.csv`.
        card: of the model.
    """
    scored = ArchiveCounts()
    with replacing(out) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n") if out.suffix == ".csv" else None
        if writer:
            writer.writerow(csv_header(card))
        for answer in answers:
            scored.count(answer)
            if writer:
                writer.writerow(csv_row(answer, card))
            else:
                file.write(as_json(answer) + "\n")
    return scored


def _written(paths: Iterable[Path]) -> Iterator[Prediction]:
    """Yield the answers of the parts."""
    for path in paths:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                told = json.loads(line)
                box = FoundBox(**told.pop("box")) if told.get("box") else None
                yield Prediction(**{**told, "box": box})


def check_out(out: Path) -> None:
    """Refuse a file of answers that is there already or has another ending.

    Raises:
        UsageError: it is or has.
    """
    if out.suffix not in FORMATS:
        raise UsageError(f"--out {out} must end in {' or '.join(FORMATS)}.")
    if out.exists():
        raise UsageError(f"{out} exists: move it, or choose another file with --out.")
