"""Does the model look at the tumour? Maps of test images held against the boxes around lesions.

For each run of a recipe on a fold of `cheng` and each of its test images: whether the highest place
of a map lies in the box (pointing), the share of the map in it (energy), and how well the box drawn
from the map overlaps it (IoU). Two references: a Gaussian in the middle of the image, and Grad-CAM
of the same network before training. Intervals are over patients.

    python experiments/explained.py $TUMORSCOPE_DATA/cheng/slices.csv RUN RUN … \
        --save docs/results/explained-best.csv
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tumorscope.data.layouts import read_manifest
from tumorscope.data.read import read_image
from tumorscope.data.resize import resize
from tumorscope.explanation.class_maps import ATTENTION, CLASS_MAPS, class_maps
from tumorscope.explanation.explain import enlarged
from tumorscope.explanation.measures import (
    box_mask,
    centred_gaussian,
    energy_inside,
    hot_box,
    overlap,
    points_inside,
)
from tumorscope.inference.bundle import open_bundle
from tumorscope.inference.runtimes.pytorch import load_deployed
from tumorscope.metrics.intervals import Clusters, interval
from tumorscope.model import Classifier, build_classifier
from tumorscope.model.heads import AttentionPool
from tumorscope.records import Row
from tumorscope.schema.card import Card
from tumorscope.support.files import read_csv, write_csv

MEASURES = ("pointing", "energy", "iou")
COLUMNS = (
    *("method", "class", "images"),
    *(f"{measure}{end}" for measure in MEASURES for end in ("", "_low", "_high")),
)
CHUNK = 16
UNTRAINED, GAUSSIAN = "gradcam, untrained network", "Gaussian in the middle"

Found = dict[str, list[tuple[float, float, float]]]


def main() -> None:
    """Measure every run and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--save", type=Path, required=True)
    asked = parser.parse_args()
    manifest = read_manifest(asked.data)
    named = {row.image: row for row in manifest.rows}
    found: Found = {}
    labels: list[str] = []
    patients: list[str] = []
    for run in asked.runs:
        tested = [named[line["image"]] for line in read_csv(run / "predictions.csv")]
        tested = [row for row in tested if row.boxes]
        for name, own in measured(run, manifest.root, tested).items():
            found.setdefault(name, []).extend(own)
        labels += [row.label for row in tested]
        patients += [str(row.patient_id) for row in tested]
        print(run, len(tested), flush=True)
    rows = summed_up(found, np.array(labels), patients)
    write_csv(asked.save, COLUMNS, rows)
    for row in rows:
        print(*row, sep="\t")


def measured(run: Path, root: Path, rows: list[Row]) -> Found:
    """Return the measures of each method on each of some images."""
    bundle = open_bundle(run)
    card = bundle.card
    trained = load_deployed(bundle).network.classifier
    torch.manual_seed(0)
    recipe = card.recipe.model_copy(update={"pretrained": False, "weights": None})
    untrained = build_classifier(recipe, len(card.classes)).eval()
    side = card.preprocessing.image_size
    found: Found = {}
    for start in range(0, len(rows), CHUNK):
        some = rows[start : start + CHUNK]
        pixels = np.stack([resize(read_image(root / row.image).pixels, side) for row in some])
        maps = looked(trained, untrained, card, pixels)
        for number, row in enumerate(some):
            mask = box_mask(row.boxes, side)
            for name, own in maps.items():
                whole = enlarged(own[number], side)
                values = (points_inside(whole, mask), energy_inside(whole, mask))
                found.setdefault(name, []).append((*values, overlap(hot_box(whole), mask)))
    return found


def looked(
    trained: Classifier, untrained: Classifier, card: Card, pixels: NDArray[np.uint8]
) -> Mapping[str, NDArray[np.float32]]:
    """Return the maps of some images by method, for the class that the model answers."""
    images = torch.from_numpy(pixels).float().unsqueeze(1)
    with torch.no_grad():
        answered = trained.probabilities(images).argmax(dim=1)
    attentive = isinstance(trained.pool, AttentionPool)
    methods = (*CLASS_MAPS, *([ATTENTION] if attentive else []))
    maps = class_maps(trained, images, answered, methods)
    blind = class_maps(untrained, images, answered, ("gradcam",))["gradcam"]
    bell = centred_gaussian(card.preprocessing.image_size)
    return {**maps, UNTRAINED: blind, GAUSSIAN: np.stack([bell] * len(pixels))}


def summed_up(
    found: Found, labels: NDArray[np.str_], patients: list[str]
) -> list[tuple[object, ...]]:
    """Return a row a method and class, and one for all classes."""
    rows: list[tuple[object, ...]] = []
    for method, own in found.items():
        values = np.nan_to_num(np.array(own, np.float64))  # an empty map has nothing in the box
        for label in ("all", *sorted(set(labels))):
            chosen = np.flatnonzero((labels == label) | (label == "all"))
            clusters = Clusters.of([patients[n] for n in chosen])
            cells: list[str] = []
            for column in range(len(MEASURES)):
                some = values[chosen, column]
                mean = float(some.mean())
                ends = interval(mean, clusters.means(some), clusters, np.ones(len(some)))
                cells += [f"{v:.4f}" for v in (mean, *(ends or (np.nan, np.nan)))]
            rows.append((method, label, len(chosen), *cells))
    return rows


if __name__ == "__main__":
    main()
