"""What a report says of where a model looks, on phantoms, where the truth is exact."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

import tumorscope
from tests.conftest import Command
from tumorscope.data.phantom import write_phantoms
from tumorscope.explanation.boxes import score_boxes
from tumorscope.explanation.pictures import Pictures
from tumorscope.explanation.probes import OF_BACKGROUND, probe_embedding
from tumorscope.explanation.sanity import check_maps
from tumorscope.model import Classifier
from tumorscope.model.changes import (
    background_alone,
    box_mask,
    without_background,
    without_lesion,
    without_skull,
)
from tumorscope.records import Box
from tumorscope.schema.explained import Explained
from tumorscope.schema.recipe import load_recipe
from tumorscope.support.files import read_csv

MARK = 24  # pixels, the side of the planted mark


@pytest.fixture(scope="module")
def marked_run(tmp_path_factory: pytest.TempPathFactory) -> tumorscope.Run:
    """A model of phantoms whose meningiomas carry a mark in a corner; it tells boxes, too."""
    folder = tmp_path_factory.mktemp("marked")
    data = write_phantoms(folder, patients=8, slices=3)
    for path in (folder / "images").glob("*meningioma*.png"):
        with Image.open(path) as image:
            pixels = np.array(image)
        pixels[:MARK, :MARK] = 230
        Image.fromarray(pixels).save(path)
    settings = [
        *("backbone=resnet10t", "image_size=64", "batch_size=8", "epochs=14", "keep=last"),
        *("pretrained=false", "localise=true", "test_share=0.4", "learning_rate=0.001"),
        *("augment.rotation=0", "augment.horizontal_flip=0", "augment.vertical_flip=0"),
    ]
    return tumorscope.train(data=data, overrides=settings, out=folder / "run", device="cpu")


def explained(run: tumorscope.Run) -> Explained:
    """What the run's results say of where it looks."""
    found = run.results.explained
    assert found is not None
    return found


def test_a_planted_shortcut_is_exposed(marked_run: tumorscope.Run) -> None:
    """Reliance, probe and the first screen of the report name a mark beside the head."""
    found = explained(marked_run)
    background = next(own for own in found.reliance if own.change == "background black")
    others = [own.value or 0 for name, own in background.per_class.items() if name != "meningioma"]
    assert (background.per_class["meningioma"].value or 0) > max(0.4, *others)
    probe = next(own for own in found.probes if own.told == OF_BACKGROUND)
    assert probe.accuracy > probe.majority + 0.1
    said = next(own for own in marked_run.results.warnings if "without the head" in own)
    assert said in (marked_run.folder / "report.html").read_text(encoding="utf-8")


def test_boxes_are_found_and_told(
    marked_run: tumorscope.Run, tmp_path: Path, command: Command
) -> None:
    """Boxes of unseen heads overlap the true ones; each runtime and format tells the same."""
    found = explained(marked_run).localisation
    assert found is not None
    assert (found.overlap.value or 0) > 0.25
    assert (found.pointing.value or 0) > 0.4  # boxes cover 5 % of an image
    data = marked_run.folder.parent
    images = sorted((data / "images").glob("*meningioma*.png"))[:4]
    told = {}
    for runtime in ("onnx", "openvino", "pytorch"):
        model = tumorscope.Predictor.load(marked_run.folder, runtime=runtime)
        told[runtime] = [model(path) for path in images]
    for one, other, third in zip(*told.values(), strict=True):
        assert one.box is not None or not one.accepted
        for again in (other, third):
            assert (one.box is None) == (again.box is None)
            if one.box and again.box:
                assert again.box.x_center == pytest.approx(one.box.x_center, abs=1e-3)
                assert again.box.score == pytest.approx(one.box.score, abs=1e-3)
    done = command(
        "predict", marked_run.folder, data / "images", "--format", "csv", "--out", "a.csv"
    )
    assert done.returncode == 0, done.stderr
    done = command("predict", marked_run.folder, data / "images", "--out", "a.jsonl")
    assert done.returncode == 0, done.stderr
    rows = read_csv(tmp_path / "a.csv")
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    for row, line in zip(rows, lines, strict=True):
        assert (row["box_width"] == "") == (line["box"] is None)
        assert line["label"] != "no_tumor" or line["box"] is None
        if line["box"]:
            assert float(row["box_width"]) == pytest.approx(line["box"]["width"], abs=1e-6)
            assert 0 <= line["box"]["score"] <= 1
    drawn = command("explain", marked_run.folder, images[0], "--svg", "--out", "maps")
    assert drawn.returncode == 0, drawn.stderr
    assert 'stroke="#00e5ff"' in next((tmp_path / "maps").glob("*.svg")).read_text()


def test_maps_are_checked_by_drawing_weights_anew(marked_run: tumorscope.Run) -> None:
    """Each method and both references are held against the boxes; likeness ends low."""
    found = explained(marked_run)
    assert {own.method for own in found.maps if own.reference} == {
        "untrained network",
        "Gaussian in the middle",
    }
    assert all(own.pointing.n == own.recall.n for own in found.maps)
    assert found.sanity is not None
    assert found.sanity.blocks[0] == "head"
    assert len(found.sanity.blocks) == len(found.sanity.likeness)
    assert found.sanity.trusted == (found.sanity.likeness[-1] < 0.5)


def test_accuracy_where_a_column_misleads_is_told() -> None:
    """Of a model that goes by the file format alone, and of one that goes by the class."""
    formats = ["png", "jpg"] * 30
    labels = ["glioma" if f == "png" else "meningioma" for f in formats]
    for n in range(0, 60, 6):  # ten images go against the pattern
        labels[n] = "meningioma"
    pixels = np.random.default_rng(0).integers(0, 256, (60, 8, 8), np.uint8)
    groups = np.array([str(n // 2) for n in range(60)])
    pictures = Pictures(pixels, np.array(labels), groups, [()] * 60)
    by_format = np.array(["glioma" if f == "png" else "meningioma" for f in formats])
    for told, against in ((by_format, 0), (pictures.labels, 1)):
        probes = probe_embedding(
            lambda own: own.reshape(len(own), -1).astype(np.float32),
            pictures,
            {"file format": formats},
            told == pictures.labels,
        )
        found = next(own for own in probes if own.told == "file format")
        assert found.right_with is not None
        assert found.right_against is not None
        assert (found.right_with.value, found.right_with.n) == (1, 50)
        assert (found.right_against.value, found.right_against.n) == (against, 10)
        class_ = next(own for own in probes if own.told == "class")
        assert class_.right_with is None


class Corner:
    """Answers by how bright the upper left quarter is, and by nothing else."""

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probability of two classes, shape (n, 2)."""
        side = pixels.shape[1] // 2
        chance = pixels[:, :side, :side].mean(axis=(1, 2)) / 255
        return np.stack([chance, 1 - chance], axis=1).astype(np.float32)


def pooled(trunk: nn.Module, image: NDArray[np.uint8]) -> tuple[Classifier, Pictures]:
    """Return a network whose maps a trunk makes, and one image to look at."""
    recipe = load_recipe("resnet18")
    network = Classifier(trunk, 3, 2, recipe).eval()
    network.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
    return network, Pictures(image[None], np.array(["a"]), np.array(["1"]), [()])


def test_maps_that_do_not_change_with_the_weights_are_not_trusted() -> None:
    """Of a trunk that learns nothing the maps stay as they are; of one that learns they do not."""
    image = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    image[:32, :32] = 250
    for trunk, trusted in (
        (nn.AvgPool2d(8), False),
        (nn.Sequential(nn.Conv2d(3, 3, 8, 8), nn.ReLU(), nn.Conv2d(3, 3, 3, padding=1)), True),
    ):
        network, pictures = pooled(trunk, image)
        found = check_maps(network, Corner(), pictures, "eigencam")
        assert found is not None
        assert found.trusted is trusted, found


def test_a_map_of_what_matters_beats_random_order() -> None:
    """The bright corner that alone is read: a head that adds up grey levels points at it."""
    image = np.full((64, 64), 10, np.uint8)
    image[:32, :32] = 250
    network, pictures = pooled(nn.AvgPool2d(8), image)
    with torch.no_grad():
        network.head.get_parameter("2.weight").copy_(torch.tensor([[1.0] * 3, [-1.0] * 3]))
    found = check_maps(network, Corner(), pictures, "gradcam")
    assert found is not None
    assert (found.deletion.value or 1) < (found.random_deletion.value or 0) - 0.1
    assert (found.insertion.value or 0) > (found.random_insertion.value or 1) + 0.1


def test_changes_leave_the_rest_alone() -> None:
    """A lesion is filled as its surround is; the mark goes with the background, the head stays."""
    pixels = np.zeros((64, 64), np.uint8)
    pixels[8:56, 8:56] = 100
    pixels[24:32, 24:32] = 250
    pixels[:5, :5] = 230
    box = Box(28 / 64, 28 / 64, 8 / 64, 8 / 64)
    filled = without_lesion(pixels, [box])
    assert abs(filled[28, 28].astype(int) - 100) <= 1
    wider = box_mask([Box(28 / 64, 28 / 64, 10 / 64, 10 / 64)], 64)
    assert (filled[~wider] == pixels[~wider]).all()
    plain, around = without_background(pixels, []), background_alone(pixels, [])
    assert (plain[:5, :5] == 0).all()
    assert (plain[8:56, 8:56] == pixels[8:56, 8:56]).all()
    assert (around[:5, :5] == 230).all()
    assert (around[8:56, 8:56] == 0).all()
    inner = without_skull(pixels, [])
    assert inner[8:12, 30].max() == 0
    assert inner[28, 28] == 250
    assert without_lesion(np.zeros((8, 8), np.uint8), [Box(0.5, 0.5, 2, 2)]).max() == 0


def test_scores_of_known_boxes() -> None:
    """A box that is right, one beside it, and one of half the overlap."""
    truth = [[Box(0.5, 0.5, 0.2, 0.2)]] * 3
    told = np.array(
        [(0.5, 0.5, 0.2, 0.2, 0.9), (0.1, 0.1, 0.1, 0.1, 0.2), (0.5, 0.5, 0.2, 0.1, 0.8)],
        np.float32,
    )
    labels, groups = np.array(["a", "a", "b"]), np.array(["1", "2", "3"])
    found = score_boxes(told, Pictures(np.zeros((3, 8, 8), np.uint8), labels, groups, truth))
    assert found.overlap.value == pytest.approx(0.5, abs=1e-6)
    assert found.half.value == pytest.approx(2 / 3)
    assert found.average_precision.value == pytest.approx(2 / 3)
    assert found.pointing.value == pytest.approx(2 / 3)
    assert found.overlap_per_class["a"].value == pytest.approx(0.5, abs=1e-6)
