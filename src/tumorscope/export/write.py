"""The end of a run: calibration and gate are fitted, graph checked, bundle written."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto
from safetensors.torch import save
from torch import nn

from tumorscope._version import __version__
from tumorscope.data.read import read_image
from tumorscope.data.resize import resize
from tumorscope.data.store import Store, batches
from tumorscope.export.graph import make_graph
from tumorscope.export.parity import TOLERANCE, agreement, check_boxes, check_single, open_onnx
from tumorscope.inference.bundle import EXAMPLES, GATE, GRAPH, WEIGHTS, write_bundle
from tumorscope.inference.examples import drawn_examples, pack_examples
from tumorscope.metrics.calibration import fit_temperature, tempered
from tumorscope.metrics.conformal import ERROR_RATE, class_thresholds
from tumorscope.metrics.series import fit_count, members_of
from tumorscope.model import Classifier
from tumorscope.model.deployed import DeployedModel, GateLayer, GateViews, Network, Preprocess
from tumorscope.model.gate import Gate, Views, fit_gate
from tumorscope.model.weights import weights_origin
from tumorscope.records import PARTS, Partition
from tumorscope.schema.card import (
    Card,
    GateSummary,
    ModelCalibration,
    Preprocessing,
    Provenance,
    SeriesRule,
)
from tumorscope.schema.labels import canonical, healthy_class
from tumorscope.schema.recipe import Recipe
from tumorscope.support.files import shown_name

CHECKED = 64  # real images on which an exported graph must agree with the model
FILES = 8  # of them read again in their own size, for the resize in the graph
BATCH = 32
HELD_IMAGES = 20  # fewer validation images, and a quarter of the training images sets its limit
PACKAGES = ("torch", "timm", "onnx", "onnxruntime", "numpy", "pillow")


@dataclass(frozen=True)
class ModelOutputs:
    """A model's outputs on some images.

    Attributes:
        chances: probabilities, before any temperature, shape (n, classes).
        views: how the gate sees them; its features are the embedding.
    """

    chances: NDArray[np.float32]
    views: Views


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
    validation = partition.where("validation")
    held = run_model(model, store, validation)
    calibration = calibrate(held, store, validation)
    series = fit_series_rule(held, calibration, store, validation)
    drawn = drawn_examples(partition.where("train"))
    seen = _gate_views(model, store, drawn)
    gate = make_gate(seen, held)
    deployed = DeployedModel(
        Preprocess(recipe.image_size),
        Network(model, calibration.temperature),
        GateLayer(gate, recipe.image_size),
    ).eval()
    graph = checked_onnx(deployed, store.pixels(validation[:CHECKED]))
    check_resize(graph, store, validation[:FILES])
    classes = store.manifest.classes
    card = Card(
        classes=classes,
        canonical=tuple(canonical(name) for name in classes),
        embedding=held.views.features.shape[1],
        preprocessing=Preprocessing(image_size=recipe.image_size, normalize=recipe.normalize),
        recipe=recipe,
        calibration=calibration,
        series=series,
        gate=GateSummary(images=gate.images, held=gate.held, false_alarms=gate.false_alarms),
        provenance=Provenance(
            tumorscope=__version__,
            data=shown_name(store.manifest.root.resolve().name),
            data_digest=store.digest,
            partition_digest=hashlib.sha256(repr(partition.parts).encode()).hexdigest(),
            partition=partition.note,
            images={part: len(partition.where(part)) for part in PARTS},
            kept_epoch=kept_epoch,
            **_origin(recipe),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        ),
        versions={name: version(name) for name in PACKAGES},
        files={},
    )
    contents = {
        WEIGHTS: _saved(deployed.network.classifier),
        GATE: _saved(deployed.gate),
        GRAPH: graph.SerializeToString(),
        EXAMPLES: pack_examples(store.manifest.class_numbers()[drawn], seen.features),
    }
    write_bundle(folder, card, contents)


def _saved(module: nn.Module) -> bytes:
    return save({name: value.contiguous() for name, value in module.state_dict().items()})


def run_model(model: Classifier, store: Store, rows: NDArray[np.intp]) -> ModelOutputs:
    """Return the outputs of a model, on the CPU and in evaluation mode, on some images."""
    network, gaze = Network(model).eval(), GateViews(store.size)

    def parts(pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return probabilities, picture, texture and features of some images."""
        chances, embedding, *_ = network(pixels)
        return (chances, *gaze(pixels), embedding)

    chances, *views = _over_batches(parts, store, rows)
    return ModelOutputs(chances, Views(*views))


def _gate_views(model: Classifier, store: Store, rows: NDArray[np.intp]) -> Views:
    """Return what the gate sees of some images, for which no answer is needed."""
    gaze = GateViews(store.size)

    def look(pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return what the gate sees of images, and their features."""
        return *gaze(pixels), model.embed(model.prepared(pixels.unsqueeze(1)))

    return Views(*_over_batches(look, store, rows))


def _over_batches(
    parts: Callable[[torch.Tensor], tuple[torch.Tensor, ...]], store: Store, rows: NDArray[np.intp]
) -> list[NDArray[np.float32]]:
    """Return what a function makes of some images, batch by batch, part by part."""
    with torch.inference_mode():
        outputs = [tuple(part[:0] for part in parts(torch.zeros(1, store.size, store.size)))]
        outputs += [
            parts(torch.from_numpy(store.pixels(rows[numbers])).float())
            for numbers in batches(len(rows), BATCH)
        ]
    return [torch.cat(values).numpy() for values in zip(*outputs, strict=True)]


def calibrate(seen: ModelOutputs, store: Store, rows: NDArray[np.intp]) -> ModelCalibration:
    """Calibrate a model on validation images.

    Args:
        seen: the model's outputs on them.
        store: the data they are from.
        rows: which rows of it they are.
    """
    classes = store.manifest.classes
    truth = store.manifest.class_numbers()[rows]
    temperature, note = fit_temperature(truth, seen.chances)
    return ModelCalibration(
        temperature=temperature,
        note=note,
        error_rate=ERROR_RATE,
        thresholds=class_thresholds(truth, tempered(seen.chances, temperature)),
        images=tuple(np.bincount(truth, minlength=len(classes)).tolist()),
    )


def fit_series_rule(
    seen: ModelOutputs, calibration: ModelCalibration, store: Store, rows: NDArray[np.intp]
) -> SeriesRule:
    """Learn on validation series how many slices decide for a series.

    Args:
        seen: the model's outputs on validation images.
        calibration: what they gave.
        store: the data they are from.
        rows: which rows of it they are.
    """
    truth = store.manifest.class_numbers()[rows]
    healthy = healthy_class(store.manifest.classes)
    members = members_of([store.manifest.rows[row].series for row in rows])
    whole = [own for own in members if len(set(truth[own])) == 1]
    chances = tempered(seen.chances, calibration.temperature)
    labels = np.array([truth[own[0]] for own in whole], np.intp)
    count, note = fit_count(labels, [chances[own] for own in whole], healthy)
    return SeriesRule(slices=count, series=len(whole), note=note)


def make_gate(seen: Views, held: ModelOutputs) -> Gate:
    """Learn from training images what inputs must be like, and how strange from others."""
    if len(held.chances) >= HELD_IMAGES:
        return fit_gate(seen, held.views)
    last = max(1, len(seen.features) // 4)
    return fit_gate(seen.some(slice(last, None)), seen.some(slice(last)))


def checked_onnx(deployed: DeployedModel, examples: NDArray[np.uint8]) -> ModelProto:
    """Return a classifier as one ONNX graph, which answers as it does.

    Args:
        deployed: on the CPU, in evaluation mode.
        examples: real images on which they must agree, shape (n, side, side).

    Raises:
        ExportError: they do not agree within 1e-4, or not on the class.
    """
    slices = examples.astype(np.float32)
    with torch.inference_mode():
        expected = [part.numpy() for part in deployed(torch.from_numpy(slices))]
    graph = make_graph(deployed).whole()
    answers = open_onnx(graph)(slices)
    check_single("ONNX", agreement(expected[0], answers[0], 2 * TOLERANCE))
    if deployed.network.classifier.box_head is not None:
        check_boxes("ONNX", expected[-1], answers[-1])
    return graph


def check_resize(graph: ModelProto, store: Store, rows: NDArray[np.intp]) -> None:
    """Hold what the graph makes of files in their own size against what it makes of the store.

    Raises:
        ExportError: the answers differ by more than 1e-4.
    """
    answer = open_onnx(graph)
    for row in rows:
        own = read_image(store.manifest.root / store.manifest.rows[row].image).pixels
        small = resize(own, store.size)
        answers, expected = (answer(p[None].astype(np.float32))[0] for p in (own, small))
        check_single("ONNX", agreement(expected, answers, 2 * TOLERANCE))


def _origin(recipe: Recipe) -> dict[str, str | None]:
    """Say what weights a run started from, for the card."""
    if recipe.weights:
        origin = weights_origin(recipe)
        return {
            "weights": f"{origin.name}, SHA-256 {origin.digest}",
            "weights_source": origin.source or None,
            "weights_licence": origin.licence or None,
        }
    return {"weights": f"published weights of {recipe.backbone}" if recipe.pretrained else None}
