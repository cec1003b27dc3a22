"""The model that comes with the package: found by its name or by none, and as good as it says."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Command
from tumorscope.data.layouts import read_manifest
from tumorscope.data.read import read_image
from tumorscope.inference.bundle import open_bundle
from tumorscope.inference.examples import Examples
from tumorscope.inference.predict import Predictor
from tumorscope.inference.shipped import DEFAULT, shipped_names, shipped_zip

MOST_BYTES = 8_000_000


def test_an_image_is_answered_without_a_bundle(
    command: Command, real_data: Path, tmp_path: Path
) -> None:
    """It says what it can tell; named, it answers the same; a listed image works like a file."""
    row = next(
        row for row in read_manifest(real_data / "cheng" / "slices.csv").rows if row.fold == 1
    )
    image = real_data / "cheng" / row.image
    alone = command("predict", image, "--json")
    assert alone.returncode == 0, alone.stderr
    assert f"{DEFAULT}: tells glioma, meningioma and pituitary tumour apart" in alone.stderr
    named = command("predict", DEFAULT, image, "--json")
    assert named.stderr == ""
    first, second = (json.loads(ran.stdout) for ran in (alone, named))
    assert set(first["probabilities"]) == {"glioma", "meningioma", "pituitary"}
    assert first["probabilities"] == second["probabilities"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["runs/mistyped", "."], "runs/mistyped is not a bundle: give a run"),
        ([DEFAULT], f"{DEFAULT} is a model: name the images"),
        (["nothing.jpg"], "1 of 1 files could not be read"),
    ],
)
def test_a_mistake_gets_a_sentence(command: Command, words: list[str], said: str) -> None:
    """A mistyped run is not taken for an image, nor a mistyped image for a run."""
    ran = command("predict", *words)
    assert ran.returncode in (1, 2)
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr


def test_the_model_knows_which_of_its_slices_look_like_a_new_one(real_data: Path) -> None:
    """Of 30 slices that it never saw, most have a nearest slice of the class that it answers."""
    rows = [row for row in read_manifest(real_data / "cheng" / "slices.csv").rows if row.fold == 1][
        ::18
    ][:30]
    predictor, examples = Predictor.load(DEFAULT), Examples(open_bundle(DEFAULT))
    pixels = [read_image(real_data / "cheng" / row.image).pixels for row in rows]
    answers = predictor.answer_all([("", own) for own in pixels])
    nearest = [examples.nearest(features, 1)[0].label for _, features in answers]
    chances = [answer.probabilities for answer, _ in answers]
    found = [max(own, key=lambda name: own[name]) for own in chances]
    assert len(set(found)) == 3
    assert sum(a == b for a, b in zip(nearest, found, strict=True)) >= 27


def test_models_are_listed(command: Command) -> None:
    """With size, accuracy, other sets and what they can tell; as JSON, their cards."""
    shown = " ".join(command("models").stdout.split())
    for name in shipped_names():
        card = open_bundle(name).card
        assert name in shown
        assert card.scope in shown
        assert card.scores["accuracy"].low is not None
        assert set(card.elsewhere) == {"sartaj", "boxes"}
        assert "CC BY 4.0" in card.licence
        assert card.recipe.weights == "mobilenetv2_100_imagenet.safetensors"  # and no place
        assert shipped_zip(name).stat().st_size < MOST_BYTES
    assert set(json.loads(command("models", "--json").stdout)) == set(shipped_names())


def test_it_is_right_on_patients_it_has_not_seen(real_data: Path) -> None:
    """Every ninth slice of its test fold, about as often as its card says."""
    rows = [r for r in read_manifest(real_data / "cheng" / "slices.csv").rows if r.fold == 1][::9]
    predictor = Predictor.load()
    answers = list(predictor.predict(real_data / "cheng" / row.image for row in rows))
    right = np.mean([a.label == row.label for a, row in zip(answers, rows, strict=True)])
    stated = predictor.card.scores["accuracy"]
    assert stated.value is not None
    assert right > stated.value - 0.1
