"""A trained classifier to a bundle, its graph compared with the original before it is written."""

import hashlib
import logging
import warnings
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor, nn

from tumorscope._version import __version__
from tumorscope.bundle import (
    GRAPH,
    WEIGHTS,
    Calibrated,
    Card,
    Preprocessing,
    Provenance,
    write_bundle,
)
from tumorscope.calibration import TINY, fit_temperature, tempered
from tumorscope.conformal import ERROR_RATE, class_thresholds
from tumorscope.errors import TumorscopeError
from tumorscope.labels import canonical
from tumorscope.model import Classifier
from tumorscope.model.weights import weights_digest
from tumorscope.recipe import Recipe
from tumorscope.records import PARTS, Partition
from tumorscope.store import Store, batches

EXAMPLES = 64  # real images on which an exported graph must agree with the model
TOLERANCE = 1e-4  # float32 sums in another order; a class that changes fails in any case


class ExportError(TumorscopeError):
    """The exported graph does not answer as the original does."""


class Deployed(nn.Module):
    """A classifier from the store's grey levels to probabilities, with its temperature."""

    def __init__(self, classifier: Classifier, temperature: float = 1.0) -> None:
        super().__init__()
        self.classifier = classifier
        self.temperature = temperature

    def forward(self, pixels: Tensor) -> Tensor:
        """Return probabilities, float32, shape (n, classes), of uint8 (n, side, side)."""
        chances = self.classifier.probabilities(pixels.unsqueeze(1).float())
        if self.temperature == 1:
            return chances
        return (chances.clamp_min(TINY).log() / self.temperature).softmax(dim=1)


def export_bundle(
    folder: Path,
    model: Classifier,
    kept_epoch: int,
    store: Store,
    partition: Partition,
    recipe: Recipe,
) -> None:
    """Write a trained classifier as a bundle.

    Args:
        folder: the bundle's folder.
        model: on the CPU, in evaluation mode.
        kept_epoch: the epoch whose weights it has.
        store: the data it was trained on.
        partition: which rows were used for what.
        recipe: how it was trained.

    Raises:
        ExportError: the graph does not answer as the model does.
    """
    examples = store.pixels(partition.where("validation")[:EXAMPLES])
    calibration = calibrate(model, store, partition)
    weights = {name: value.contiguous() for name, value in model.state_dict().items()}
    classes = store.manifest.classes
    card = Card(
        classes=classes,
        canonical=tuple(canonical(name) for name in classes),
        preprocessing=Preprocessing(image_size=recipe.image_size, normalize=recipe.normalize),
        recipe=recipe,
        calibration=calibration,
        provenance=Provenance(
            tumorscope=__version__,
            data=store.manifest.root.resolve().name,
            data_digest=store.digest,
            partition_digest=hashlib.sha256(repr(partition.parts).encode()).hexdigest(),
            images={part: len(partition.where(part)) for part in PARTS},
            kept_epoch=kept_epoch,
            weights=_origin(recipe),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        ),
        files={},
    )
    graph = export_onnx(model, examples, calibration.temperature)
    write_bundle(folder, card, {WEIGHTS: save(weights), GRAPH: graph})


def calibrate(model: Classifier, store: Store, partition: Partition) -> Calibrated:
    """Learn from the validation part how sure a model may be.

    Args:
        model: on the CPU, in evaluation mode.
        store: the images.
        partition: which of them are the validation part.
    """
    rows = partition.where("validation")
    classes = store.manifest.classes
    place = {name: number for number, name in enumerate(classes)}
    truth = np.array([place[store.manifest.rows[row].label] for row in rows], np.intp)
    plain = Deployed(model).eval()
    with torch.inference_mode():
        answers = [
            plain(torch.from_numpy(store.pixels(rows[numbers]))).numpy()
            for numbers in batches(len(rows), EXAMPLES)
        ]
    chances = np.concatenate(answers)
    temperature, note = fit_temperature(truth, chances)
    return Calibrated(
        temperature=temperature,
        note=note,
        error_rate=ERROR_RATE,
        thresholds=class_thresholds(truth, tempered(chances, temperature)),
        images=tuple(np.bincount(truth, minlength=len(classes)).tolist()),
    )


def _origin(recipe: Recipe) -> str | None:
    """Say what weights a training started from."""
    if recipe.weights:
        path = Path(recipe.weights)
        return f"{path.name}, SHA-256 {weights_digest(path)}"
    return f"published weights of {recipe.backbone}" if recipe.pretrained else None


def export_onnx(
    classifier: Classifier, examples: NDArray[np.uint8], temperature: float = 1.0
) -> bytes:
    """Return a classifier as an ONNX graph with input `pixels` and output `probabilities`.

    Args:
        classifier: on the CPU, in evaluation mode.
        examples: real images on which graph and original must agree, shape (n, side, side).
        temperature: what the logarithms of the probabilities are divided by.

    Raises:
        ExportError: they do not agree within 1e-4, or not on the class.
    """
    deployed = Deployed(classifier, temperature).eval()
    pixels = torch.from_numpy(examples)
    content = _export(deployed, pixels[:2])
    with torch.inference_mode():
        expected = deployed(pixels).numpy()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    found = session.run(["probabilities"], {"pixels": examples})[0]
    largest = float(np.abs(found - expected).max())
    top = np.sort(expected, axis=1)
    clear = top[:, -1] - top[:, -2] > 2 * TOLERANCE
    same = (found.argmax(axis=1) == expected.argmax(axis=1))[clear].all()
    if largest > TOLERANCE or not same:
        raise ExportError(
            f"The ONNX graph differs from the model by {largest:.2g} in probability; "
            f"{TOLERANCE:g} is allowed, so it was not kept. Please report this with the recipe."
        )
    return content


def _export(deployed: Deployed, example: Tensor) -> bytes:
    if len(example) < 2:  # a batch of one would be taken for a constant
        example = example.repeat(2, 1, 1)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # the exporter warns of its own internals
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            deployed,
            (example,),
            dynamo=True,
            input_names=["pixels"],
            output_names=["probabilities"],
            dynamic_shapes=({0: torch.export.Dim("images")},),
            verbose=False,
        )
    assert program is not None
    content: bytes = program.model_proto.SerializeToString()
    return content
