"""Every recipe runs from the command line on its own kind of set, few images of the real ones."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import tumorscope
from tests.conftest import Command
from tests.training.runs import train_only
from tumorscope.data.layouts import read_manifest
from tumorscope.data.store import open_store
from tumorscope.inference.predict import Predictor
from tumorscope.model import build_classifier, build_member, build_trunk, summarize_model
from tumorscope.schema.recipe import load_recipe, recipe_names
from tumorscope.support.files import read_csv

EACH = 8  # images of a class in a part
HOMES = {
    "resnet18": "sartaj",
    "resnet50-boxes": "boxes",
    "resnet50-two-phase": "sartaj",
    "resnet18-512": "sartaj",
    "cnn-baseline": "yesno",
    "resnet50-staged": "yesno",
    "mobilenetv2-staged": "yesno",
    "best": "boxes",
}
SMALL = ("pretrained=false", "epochs=1", "image_size=64", "batch_size=8")
SMALLER = {
    "resnet18": "test_resnet",
    "resnet18.tv_in1k": "test_resnet",
    "resnet50.tv_in1k": "test_resnet",
    "mobilenetv2_100": "test_efficientnet",
}


@pytest.fixture(scope="module")
def few(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a copy of a real set with few images: `few("boxes")`."""
    top = tmp_path_factory.mktemp("few")

    def copy(name: str) -> Path:
        place = top / name
        if not place.exists():
            seen: dict[tuple[str, str | None], int] = {}
            for row in read_manifest(real_data / name).rows:
                seen[row.label, row.split] = number = seen.get((row.label, row.split), 0) + 1
                if number <= EACH:
                    copy_image(real_data / name, place, row.image)
        return place

    return copy


def small(name: str) -> tuple[str, ...]:
    """Settings under which a recipe is quick: few pixels, and a smaller network of its family."""
    backbone = load_recipe(name).backbone
    fewer = ("train=[blocks.2, conv_head, bn2, head]",) if name == "best" else ()
    return (*SMALL, f"backbone={SMALLER.get(backbone, backbone)}", *fewer)


def copy_image(source: Path, target: Path, image: str) -> None:
    """Copy an image and its label file."""
    label = image.replace("/images/", "/labels/").rsplit(".", 1)[0] + ".txt"
    for name in {image, label}:
        if (source / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target / name)


def test_each_recipe_has_a_home_and_a_page() -> None:
    """No recipe without a test here, a summary, a source and a page that names what it scored."""
    assert set(HOMES) == set(recipe_names())
    pages = Path(__file__).parents[2] / "docs" / "recipes"
    for name in recipe_names():
        recipe = load_recipe(name)
        assert recipe.name == name
        assert recipe.summary
        assert recipe.source
        assert "## What it scored" in (pages / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("name", recipe_names())
def test_recipes_run_end_to_end(
    name: str, few: Callable[[str], Path], tmp_path: Path, command: Command
) -> None:
    """One epoch a stage on few real images, from the command line to the report."""
    data, out = few(HOMES[name]), tmp_path / "run"
    ran = command("train", data, "--recipe", name, "--out", out, "--device", "cpu", *small(name))
    assert ran.returncode == 0, ran.stderr
    told = r"epoch 1/\d+: loss \d\.\d+, accuracy \d+\.\d%; validation \d+\.\d+, \d+\.\d%"
    assert re.search(told, ran.stderr)
    history = read_csv(out / "metrics.csv")
    assert [row["stage"] for row in history] == [str(n) for n in range(len(history))]
    assert len(history) == len(load_recipe(name).stages)
    results = json.loads((out / "results.json").read_text())
    assert set(results["parts"]) == {"train", "validation", "test"}
    assert results["all"]["controls"]["majority"]["value"] is not None
    several = range(1, len(history) + 1) if len(history) > 1 else ()
    scores = [accuracy_of_stage(out, data, number) for number in several]
    assert [own["accuracy"]["value"] for own in results["stages"]] == pytest.approx(scores)
    for own, before, after in zip(results["stages"][1:], scores, scores[1:], strict=False):
        assert own["gain"]["value"] == pytest.approx(after - before)
    for figure in ("curves", "confusion", "class_distribution", "training_samples"):
        assert (out / "figures" / f"{figure}.png").stat().st_size > 5000
    assert "report.html" in ran.stdout
    if load_recipe(name).published_split:
        parts = {row["image"]: row["part"] for row in read_csv(out / "partition.csv")}
        assert results["split"]["method"] == "published, validation drawn"
        assert all((part == "test") == image.startswith("Val/") for image, part in parts.items())


@pytest.mark.parametrize("name", recipe_names())
def test_a_summary_counts_what_each_stage_trains(name: str) -> None:
    """Blocks sum to the whole, shapes end in the classes, and a frozen block counts nowhere."""
    recipe = load_recipe(name, small(name))
    found = summarize_model(recipe, 3)
    model = build_member(recipe, 3)
    assert found.parameters == sum(p.numel() for p in model.parameters())
    assert sum(block.parameters for block in found.blocks) == found.parameters
    assert found.blocks[-1].output == (3,)
    head = sum(block.parameters for block in found.blocks if block.name in ("pool", "head"))
    for stage in found.stages:
        if stage.train == ("all",):
            assert stage.parameters == found.parameters
        elif stage.train == ("head",):
            assert stage.parameters == head
        else:
            assert head < stage.parameters < found.parameters


def test_a_summary_is_of_one_recipe(command: Command) -> None:
    """As a table and as JSON; without a name, or with a block that is not there, a sentence."""
    shown = command("recipes", "mobilenetv2-staged", "--summary")
    assert "head\tSequential\t4\t5,124" in shown.stdout
    assert "2\tlast_block, head\t" in shown.stdout
    as_json = command("recipes", "cnn-baseline", "image_size=64", "--summary", "--json")
    assert json.loads(as_json.stdout)["input"] == [1, 64, 64]
    for words, said in (
        (["--summary"], "--summary is of one recipe"),
        (["best", "stages.0.train=[layer9]", "--summary"], "no block 'layer9'"),
    ):
        refused = command("recipes", *words)
        assert refused.returncode == 2
        assert said in refused.stderr


def accuracy_of_stage(run: Path, data: Path, number: int) -> float:
    """What the weights of a stage score on the test images."""
    recipe = load_recipe(run / "recipe.yaml")
    store = open_store(read_manifest(data), recipe.image_size)
    model = build_classifier(recipe, len(store.manifest.classes)).eval()
    model.load_state_dict(load_file(run / "checkpoints" / f"stage-{number}.safetensors"))
    part = {row["image"]: row["part"] for row in read_csv(run / "partition.csv")}
    rows = [n for n, row in enumerate(store.manifest.rows) if part[row.image] == "test"]
    with torch.inference_mode():
        chances = model.probabilities(torch.from_numpy(store.pixels(rows)).unsqueeze(1).float())
    right = chances.argmax(dim=1).numpy() == store.manifest.class_numbers()[rows]
    return float(right.mean())


def test_classes_can_come_from_the_boxes(few: Callable[[str], Path], tmp_path: Path) -> None:
    """Trains and evaluates on the numbers' names; its weights' licence travels to the card."""
    options = [*small("resnet50-boxes"), "box_classes=[g, m, n, p]"]
    path = tmp_path / "w.safetensors"
    said = {"source": "a lab's page", "licence": "non-commercial"}
    save_file(build_trunk(load_recipe("resnet50-boxes", options)).state_dict(), path, said)
    options.append(f"weights={path}")
    run = tumorscope.train(
        data=few("boxes"), recipe="resnet50-boxes", out=tmp_path / "run", overrides=options
    )
    assert set(run.results.classes) <= {"g", "m", "n", "p"}
    assert tumorscope.evaluate(run=run.folder).all.accuracy == run.results.all.accuracy
    origin = Predictor.load(run.folder).card.provenance
    assert (origin.weights_source, origin.weights_licence) == tuple(said.values())
    page = (run.folder / "bundle" / "README.md").read_text(encoding="utf-8")
    assert "weights (a lab's page) under this licence: non-commercial" in page


def test_a_frozen_stage_leaves_the_backbone_bit_identical(phantoms: Path, tmp_path: Path) -> None:
    """After a whole stage on the head, with averaged weights, the trunk is as it began."""
    overrides = [*small("mobilenetv2-staged"), "epochs=2", "weight_averaging=0.9", "keep=last"]
    recipe = load_recipe("mobilenetv2-staged", [*overrides, "stages.1.train=[head]"])
    train_only(phantoms, tmp_path / "run", (), recipe)
    began = build_classifier(recipe, classes=4).state_dict()
    ended = load_file(tmp_path / "run" / "checkpoints" / "best.safetensors")
    for name, value in ended.items():
        same = torch.equal(value, began[name])
        assert same == name.startswith("trunk."), name


def test_a_stage_that_stalls_ends_early_and_resumes_so(phantoms: Path, tmp_path: Path) -> None:
    """With no improvement that counts, the stage ends after its patience, also when resumed."""
    overrides = [
        *(*small("mobilenetv2-staged"), "epochs=9", "patience=2", "min_delta=9"),
        "stages.1.train=[head]",
    ]
    out = tmp_path / "run"
    train_only(phantoms, out, overrides, "mobilenetv2-staged")
    stages = [row["stage"] for row in read_csv(out / "metrics.csv")]
    assert stages == ["0"] * 3 + ["1"] * 3
    before = (out / "metrics.csv").read_bytes()
    train_only(phantoms, out, overrides, "mobilenetv2-staged", resume=True)
    assert (out / "metrics.csv").read_bytes() == before
