"""Bundles: what was tampered with, cut off or made by another version is refused."""

import contextlib
import hashlib
import json
import shutil
import tempfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from safetensors.torch import load, save

import tumorscope
from tumorscope.errors import BundleError
from tumorscope.inference.bundle import CARD, GRAPH, WEIGHTS, Runtime, open_bundle, zip_bundle
from tumorscope.inference.predict import Predictor
from tumorscope.schema.card import (
    Card,
    Conversion,
    GateSummary,
    ModelCalibration,
    Provenance,
)
from tumorscope.schema.scores import Score


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
    [
        {"format": 4},
        {"format": 2},
        {"format": 1},
        {"classes": ["a"]},
        {"surprise": 1},
        {"classes": ["a", "a", "b", "c"]},
    ],
)
def test_cards_of_another_schema_are_refused(bundle: Path, change: dict[str, object]) -> None:
    """A newer format or an impossible card is named, not guessed at."""
    card = json.loads((bundle / CARD).read_text()) | change
    (bundle / CARD).write_text(json.dumps(card))
    with pytest.raises(BundleError, match=r"card\.json"):
        open_bundle(bundle)


def test_a_folder_that_is_no_bundle(tmp_path: Path) -> None:
    """Any other folder is refused with what to give."""
    with pytest.raises(BundleError, match="give a run of"):
        open_bundle(tmp_path)


def test_the_zip_of_a_bundle_is_a_bundle(bundle: Path) -> None:
    """A zip opens like its folder, nothing is unpacked, and equal bundles are equal files."""
    packed = zip_bundle(bundle)
    first = packed.read_bytes()
    assert zip_bundle(bundle).read_bytes() == first
    shutil.rmtree(bundle)
    opened = open_bundle(packed)
    assert opened.read(GRAPH)[:2] != b"PK"
    assert [path.name for path in packed.parent.iterdir()] == ["bundle.zip"]
    blank = np.zeros((1, 32, 32), np.uint8)
    assert Predictor.load(packed).probabilities(blank).shape == (1, 4)


@pytest.mark.parametrize(
    ("member", "content", "words"),
    [
        ("../card.json", b"{}", "does not belong in a bundle"),
        ("/etc/passwd", b"x", "does not belong in a bundle"),
        ("weights.pkl", b"x", "does not belong in a bundle"),
        ("model.xml", b"\0" * 20_000_000, "zip bomb"),
        ("card.json", b"{}", "once"),
    ],
)
def test_zips_that_are_not_to_be_trusted(
    bundle: Path, member: str, content: bytes, words: str
) -> None:
    """Path traversal, strange files, bombs and doubled names are refused, by name."""
    packed = zip_bundle(bundle)
    with warnings.catch_warnings(), zipfile.ZipFile(packed, "a", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # zipfile warns of a doubled name
        archive.writestr(member, content)
    with pytest.raises(BundleError, match=words):
        open_bundle(packed)


def test_zips_that_are_none(tmp_path: Path, bundle: Path) -> None:
    """An empty file, a photograph and a zip cut off are refused."""
    packed = zip_bundle(bundle).read_bytes()
    for content in (b"", b"\xff\xd8\xff photograph", packed[: len(packed) // 2]):
        path = tmp_path / "some.zip"
        path.write_bytes(content)
        with pytest.raises(BundleError, match="not the zip of a bundle"):
            open_bundle(path)


def test_a_zip_that_lies_about_sizes(bundle: Path) -> None:
    """A member that holds more than its entry says is not read beyond what it says."""
    packed = zip_bundle(bundle)
    content = bytearray(packed.read_bytes())
    entry = content.rindex(b"PK\x01\x02", 0, content.rindex(GRAPH.encode()))
    size = int.from_bytes(content[entry + 24 : entry + 28], "little")
    content[entry + 24 : entry + 28] = (size - 100).to_bytes(4, "little")
    packed.write_bytes(content)
    with pytest.raises(BundleError, match=r"damaged|digest"):
        open_bundle(packed).read(GRAPH)


def test_a_graph_of_other_shapes_is_refused(bundle: Path) -> None:
    """A card that promises other outputs than the graph gives is not believed."""
    card = json.loads((bundle / CARD).read_text())
    (bundle / CARD).write_text(json.dumps(card | {"embedding": 7}))
    with pytest.raises(BundleError, match="other shapes"):
        Predictor.load(bundle)


def _replace(bundle: Path, name: str, content: bytes) -> None:
    """Put another file into a bundle, as somebody would who also corrects the card."""
    (bundle / name).write_bytes(content)
    card = json.loads((bundle / CARD).read_text())
    card["files"][name] = hashlib.sha256(content).hexdigest()
    (bundle / CARD).write_text(json.dumps(card))


def test_weights_of_other_shapes_are_refused(bundle: Path) -> None:
    """Weights that do not fit the recipe on the card are not built into a model."""
    weights = load((bundle / WEIGHTS).read_bytes())
    changed = {name: value[..., :1].clone() for name, value in weights.items() if value.ndim}
    for content in (save(changed), save({"x": torch.zeros(1)}), b"", b"\xff" * 64):
        _replace(bundle, WEIGHTS, content)
        with pytest.raises(BundleError, match="does not fit"):
            Predictor.load(bundle, runtime="pytorch")


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
@pytest.mark.parametrize("content", [b"", b"\x08\x0a", b"\xff" * 500])
def test_a_graph_that_is_none_is_refused(bundle: Path, runtime: Runtime, content: bytes) -> None:
    """Bytes that are no graph are refused by every runtime, also where the digest fits."""
    _replace(bundle, GRAPH, content)
    with pytest.raises(BundleError, match="take a fresh copy"):
        Predictor.load(bundle, runtime=runtime)


def test_a_graph_may_not_read_other_files(bundle: Path) -> None:
    """A graph whose weights are said to lie in another file of the machine is refused."""
    secret = bundle.parent / "secret.bin"
    secret.write_bytes(bytes(range(64)) * 1024)
    graph = onnx.load_from_string((bundle / GRAPH).read_bytes())
    tensor = next(t for t in graph.graph.initializer if len(t.raw_data) > 4096)
    size = len(tensor.raw_data)
    onnx.external_data_helper.set_external_data(tensor, str(secret), offset=0, length=size)
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    _replace(bundle, GRAPH, graph.SerializeToString())
    with pytest.raises(BundleError, match="take a fresh copy"):
        Predictor.load(bundle)


@given(content=st.binary(max_size=400), place=st.integers(0, 5000))
@settings(max_examples=200, deadline=None)
def test_no_bytes_get_through(tiny_run: tumorscope.Run, content: bytes, place: int) -> None:
    """Whatever bytes stand in a card or a zip, the loader refuses them or reads them."""
    folder = tiny_run.folder / "bundle"
    card = bytearray((folder / CARD).read_bytes())
    card[place % len(card) : place % len(card) + len(content)] = content
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / CARD).write_bytes(card)
        (Path(name) / "whole.zip").write_bytes(b"PK\x03\x04" + content)
        for harmed in (Path(name), Path(name) / "whole.zip"):
            with contextlib.suppress(BundleError):
                open_bundle(harmed)


@pytest.mark.parametrize(
    "part", [Card, ModelCalibration, Provenance, Conversion, GateSummary, Score]
)
def test_every_field_of_a_card_is_described(part: type[BaseModel]) -> None:
    """The page on card.json names each field."""
    page = (Path(__file__).parents[2] / "docs" / "card-json.md").read_text(encoding="utf-8")
    missing = [name for name in part.model_fields if f"`{name}`" not in page]
    assert not missing
