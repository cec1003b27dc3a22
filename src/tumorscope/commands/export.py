"""A run's model in another form: compared with the original before it is written."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray

from tumorscope.data.store import Store, batches
from tumorscope.errors import UsageError
from tumorscope.evaluation.scores import Cases, share_score
from tumorscope.export import ExportError
from tumorscope.export.graph import split_graph
from tumorscope.export.parity import CLEAR, TOLERANCE, agreement, check_half, check_single
from tumorscope.export.precision import SAMPLES, halved, in_openvino, quantized
from tumorscope.inference.bundle import (
    GATE,
    GRAPH,
    NETWORK,
    NETWORK_WEIGHTS,
    README,
    WEIGHTS,
    Bundle,
    open_bundle,
    write_bundle,
    zip_bundle,
)
from tumorscope.inference.predict import BATCH, Predictor
from tumorscope.metrics.intervals import paired_gain
from tumorscope.records import Partition
from tumorscope.report.model_card import model_card, usage
from tumorscope.runs.assessment import run_data
from tumorscope.runs.folder import read_results
from tumorscope.schema.card import Card, Conversion, Precision
from tumorscope.schema.scores import Score
from tumorscope.support.extras import require_extra
from tumorscope.support.progress import Progress, Quiet

Target = Literal["onnx", "openvino"]

MOST_LOSS = 0.005  # of accuracy, for eight bits
FEWEST = (
    100  # validation images that eight bits are judged on, apart from those they were fitted to
)
PAUSE = 0.05  # seconds
ROUNDS = 7  # of timing, original and export in turn
NEEDED = {"openvino": "openvino", "int8": "quantize"}  # the extra of a target or a precision


@dataclass(frozen=True)
class Exported:
    """A model in another form.

    Attributes:
        folder: the bundle.
        zip: the same as one file.
        card: what it is; `card.conversion` holds the comparison with the original.
    """

    folder: Path
    zip: Path
    card: Card


@dataclass(frozen=True)
class ExportImages:
    """The images that an export is fitted to, judged and told by.

    Attributes:
        store: the run's data.
        partition: of the run.
        judged: validation rows, which decide whether the export is kept; quantisation takes the
            ranges of numbers from some of them, without their labels.
        tested: the test part, which decides nothing.
    """

    store: Store
    partition: Partition
    judged: NDArray[np.intp]
    tested: NDArray[np.intp]


def export_run(
    *,
    run: str | Path,
    to: Target = "onnx",
    precision: Precision = "fp32",
    data: str | Path | None = None,
    out: str | Path | None = None,
    licence: str | None = None,
    progress: Progress | None = None,
) -> Exported:
    """Write the model of a run as a bundle for a runtime and in a precision, and the zip of it.

    The export answers the run's validation images and is held against the original: `fp32` must
    give the same classes and probabilities within 1e-4, `fp16` the same class wherever the two best
    are more than 0.02 apart, `int8` must lose at most half a point of accuracy and be faster here.
    What fails is not written.

    Args:
        run: the folder of a training.
        to: `onnx` or `openvino`.
        precision: `fp32`; `fp16` for half the size; `int8` for speed.
        data: where the run's data is now, if it was moved.
        out: the bundle's folder; `exports/<to>-<precision>` in the run's unless given.
        licence: under which the model may be used, for its card.
        progress: where to report.

    Raises:
        ExportError: the export does not answer as it must, or is not worth it.
        TumorscopeError: the run or its data cannot be used.
    """
    require_extra("train", "tumorscope export")
    for form in (to, precision):
        if form in NEEDED:
            require_extra(NEEDED[form], f"An export to {form}")
    progress, original = progress or Quiet(), open_bundle(run)
    folder = Path(out) if out else Path(run) / "exports" / f"{to}-{precision}"
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} exists: move it, or choose another folder with --out.")
    results = read_results(Path(run))
    material = _material(Path(run), data, progress)
    contents = _contents(original, to, precision, material, progress)
    changes = {"precision": precision, "licence": licence or original.card.licence}
    card = original.card.model_copy(update={**changes, "files": _promised(contents)})
    made = Bundle(folder, card, contents.__getitem__)
    conversion = _compare(original, made, precision, contents, material, progress)
    told = card.model_copy(update={"conversion": conversion})
    contents[README] = f"{model_card(results, told)}\n{usage(told)}".encode()
    write_bundle(folder, told, contents)
    return Exported(folder, zip_bundle(folder), told)


def _material(run: Path, data: str | Path | None, progress: Progress) -> ExportImages:
    store, partition = run_data(run, Path(data) if data else None, progress)
    judged = partition.where("validation")
    if not len(judged):
        raise UsageError(f"{run} has no validation images, which an export is held against.")
    return ExportImages(store, partition, judged, partition.where("test"))


def _contents(
    original: Bundle, to: Target, precision: Precision, material: ExportImages, progress: Progress
) -> dict[str, bytes]:
    """Return the files of an export but its card and README."""
    whole = onnx.load_from_string(original.read(GRAPH))
    if precision != "fp32":
        parts = split_graph(whole)
        progress.say(f"converting the network to {precision}")
        network = (
            halved(parts.network)
            if precision == "fp16"
            else quantized(parts.network, material.store.pixels(_spread(material.judged)))
        )
        whole = replace(parts, network=network).whole()
    if to == "openvino":
        network_file, weights = in_openvino(whole)
        return {NETWORK: network_file, NETWORK_WEIGHTS: weights}
    if precision == "fp32":
        return {name: original.read(name) for name in (GRAPH, WEIGHTS, GATE)}
    return {GRAPH: whole.SerializeToString()}


def _spread(rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return as many rows as quantisation looks at, from all over."""
    return rows[np.linspace(0, len(rows) - 1, min(SAMPLES, len(rows))).astype(np.intp)]


def _promised(contents: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}


def _compare(
    original: Bundle,
    made: Bundle,
    precision: Precision,
    contents: Mapping[str, bytes],
    material: ExportImages,
    progress: Progress,
) -> Conversion:
    """Let original and export answer the same images; refuse an export that answers otherwise."""
    before, after = Predictor(original), Predictor(made)
    judged, tested = material.judged, material.tested
    rows = np.concatenate([judged, tested])
    answers = [_answers(each, material.store, rows, progress) for each in (before, after)]
    expected, found = (each[: len(judged)] for each in answers)
    exact = precision == "fp32"
    agreed = agreement(expected, found, 2 * TOLERANCE if exact else CLEAR)
    if exact:
        check_single("exported", agreed)
    elif precision == "fp16":
        check_half("exported", agreed)
    first, second = (_cases(material, judged, each) for each in (expected, found))
    gain, ends = paired_gain(second.right, first.right, first.groups)
    speeds = _speeds((before, after), material.store.pixels(judged[:BATCH]))
    if precision == "int8":
        _check_worth(gain, speeds)
    tests = [_cases(material, tested, each[len(judged) :]) for each in answers]
    before_score, after_score = (share_score(each.right, each.clusters) for each in tests)
    return Conversion(
        images=agreed.images,
        largest=agreed.largest,
        changed=agreed.changed,
        loss=Score(
            value=gain,
            low=ends and ends[0],
            high=ends and ends[1],
            n=agreed.images,
        ),
        accuracy=after_score,
        accuracy_before=before_score,
        bytes=sum(len(contents[name]) for name in contents if name not in (WEIGHTS, GATE)),
        bytes_before=len(original.read(GRAPH)),
        speed=speeds[1],
        speed_before=speeds[0],
    )


def _check_worth(loss: float, speeds: Sequence[float]) -> None:
    """Refuse eight bits that cost too much or bring nothing.

    Raises:
        ExportError: they do.
    """
    if loss > MOST_LOSS:
        raise ExportError(
            f"In eight bits the model loses {loss:.1%} of accuracy on validation images; at most "
            f"{MOST_LOSS:.1%} is allowed, so it was not kept: use --precision fp16."
        )
    if speeds[1] <= speeds[0]:
        raise ExportError(
            f"In eight bits the model is no faster here ({speeds[1]:.0f} against {speeds[0]:.0f} "
            "images a second), so it was not kept: use --precision fp16."
        )


def _answers(
    predictor: Predictor, store: Store, rows: NDArray[np.intp], progress: Progress
) -> NDArray[np.float32]:
    found = []
    with progress.task("answering", len(rows)) as task:
        for numbers in batches(len(rows), 4 * BATCH):
            found.append(predictor.probabilities(store.pixels(rows[numbers])))
            task.advance(len(numbers))
    return np.concatenate(found)


def _cases(material: ExportImages, rows: NDArray[np.intp], answers: NDArray[np.float32]) -> Cases:
    truth = material.store.manifest.class_numbers()[rows]
    return Cases(truth, answers, [material.partition.groups[row] for row in rows])


def _speeds(predictors: Sequence[Predictor], pixels: NDArray[np.uint8]) -> list[float]:
    """Return images a second of each, the median of rounds in which they take turns."""
    seconds: list[list[float]] = [[] for _ in predictors]
    for _ in range(ROUNDS):
        for predictor, own in zip(predictors, seconds, strict=True):
            predictor.probabilities(pixels[:1])  # wakes its threads up
            time.sleep(PAUSE)  # and lets those of the other, which wait actively, go to sleep
            started = time.perf_counter()
            predictor.probabilities(pixels)
            own.append(time.perf_counter() - started)
    return [len(pixels) / float(np.median(own)) for own in seconds]
