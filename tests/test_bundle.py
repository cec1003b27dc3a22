"""Bundles: what was tampered with, cut off or made by another version is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import tumorscope
from tumorscope.bundle import CARD, GRAPH, open_bundle
from tumorscope.errors import BundleError
from tumorscope.export import ExportError, export_onnx
from tumorscope.layouts import read_manifest
from tumorscope.model import Classifier, build_classifier
from tumorscope.predict import Predictor
from tumorscope.recipe import load_recipe
from tumorscope.store import open_store


@pytest.fixture
def bundle(tiny_run: tumorscope.Run, tmp_path: Path) -> Path:
    """A copy of a bundle that may be harmed."""
    return Path(shutil.copytree(tiny_run.folder / "bundle", tmp_path / "bundle"))


def test_run_and_bundle_open_alike(tiny_run: tumorscope.Run, bundle: Path) -> None:
    """A run folder stands for its bundle."""
    card = open_bundle(tiny_run.folder).card
    assert card == open_bundle(bundle).card
    assert card.classes == ("glioma", "meningioma", "no_tumor", "pituitary")
    assert "Not a medical device" in card.intended_use
    assert card.provenance.images == {"train": 24, "validation": 12, "test": 12}


@pytest.mark.parametrize("name", [GRAPH, CARD])
@pytest.mark.parametrize("harm", ["missing", "empty", "cut", "changed"])
def test_harm_is_noticed_before_anything_is_built(bundle: Path, name: str, harm: str) -> None:
    """Each file of a bundle is checked before it is used."""
    path = bundle / name
    content = bytearray(path.read_bytes())
    if harm == "missing":
        path.unlink()
    elif harm == "empty":
        path.write_bytes(b"")
    elif harm == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)
    with pytest.raises(BundleError, match=r"bundle|card"):
        Predictor.load(bundle)


@pytest.mark.parametrize(
    "change",
    [{"format": 2}, {"classes": ["a"]}, {"surprise": 1}, {"classes": ["a", "a", "b", "c"]}],
)
def test_cards_of_another_schema_are_refused(bundle: Path, change: dict[str, object]) -> None:
    """A newer format or an impossible card is named, not guessed at."""
    card = json.loads((bundle / CARD).read_text()) | change
    (bundle / CARD).write_text(json.dumps(card))
    with pytest.raises(BundleError, match=r"card\.json"):
        open_bundle(bundle)


def test_a_folder_that_is_no_bundle(tmp_path: Path) -> None:
    """Any other folder is refused with what to give."""
    with pytest.raises(BundleError, match="give a run folder"):
        open_bundle(tmp_path)


def test_store_file_graph_and_weights_answer_alike(
    tiny_run: tumorscope.Run, real_data: Path
) -> None:
    """One preprocessing: from the store, from the file, in ONNX Runtime and in PyTorch."""
    predictor = Predictor.load(tiny_run.folder)
    store = open_store(read_manifest(real_data / "yesno"), 32)
    rows = np.arange(0, len(store), 3)
    from_store = predictor.probabilities(store.pixels(rows))
    names = [str(store.manifest.root / store.manifest.rows[row].image) for row in rows]
    answers = list(predictor.predict_files(names))
    classes = predictor.card.classes
    from_file = np.array([[a.probabilities[c] for c in classes] for a in answers])
    assert np.abs(from_store - from_file).max() <= 1e-3
    from safetensors.torch import load_file  # noqa: PLC0415

    model = build_classifier(predictor.card.recipe, len(classes))
    model.load_state_dict(load_file(tiny_run.folder / "bundle" / "weights.safetensors"))
    with torch.inference_mode():
        logits = model.eval()(torch.from_numpy(store.pixels(rows)).unsqueeze(1).float())
    assert predictor.card.calibration.temperature != 1
    logits = logits / predictor.card.calibration.temperature
    assert np.abs(torch.softmax(logits, 1).numpy() - from_store).max() <= 1e-4


def test_an_export_that_answers_otherwise_is_not_kept() -> None:
    """A network whose graph cannot be faithful is refused."""

    class Fickle(torch.nn.Module):
        """Answers otherwise when it is traced than when it runs."""

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            base = pixels.mean(dim=(1, 2, 3)).unsqueeze(1).repeat(1, 2)
            sign = 1.0 if torch.compiler.is_compiling() else -1.0
            return base * torch.tensor([sign, -sign])

    recipe = load_recipe("resnet18")
    examples = np.full((4, 16, 16), 200, np.uint8)
    model = Classifier(Fickle(), features=2, classes=2, recipe=recipe)
    model.head = torch.nn.Identity()
    with pytest.raises(ExportError, match="differs from the model"):
        export_onnx(model, examples)
