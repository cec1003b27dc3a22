"""A network's trace is kept without weights, and trusted only where it answers as the network."""

import shutil
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import ModelProto

from tumorscope.export import network as exported
from tumorscope.export.network import export_network
from tumorscope.export.parity import open_onnx
from tumorscope.model import build_classifier
from tumorscope.model.deployed import Network
from tumorscope.schema.recipe import load_recipe

SIZE = 32


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the trace of one network."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUMORSCOPE_CACHE", str(folder))
        export_network(network(0), SIZE)
    return folder


@pytest.fixture
def graphs(traced: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of traces, with that of one network."""
    shutil.copytree(traced, tmp_path / "cache")
    monkeypatch.setenv("TUMORSCOPE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "graphs"


def network(seed: int, temperature: float = 1.0, *settings: str) -> Network:
    """Return a small network with batch norm, whose weights are drawn with a seed."""
    recipe = load_recipe("cnn-baseline", [f"image_size={SIZE}", *settings])
    torch.manual_seed(seed)
    return Network(build_classifier(recipe, classes=3), temperature).eval()


def refuse_tracing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the test fail if a network is traced."""
    monkeypatch.setattr(torch.onnx, "export", lambda *_, **__: pytest.fail("traced again"))


def assert_answers_alike(graph: ModelProto, expected: Network) -> None:
    """Probabilities and embedding agree on noise."""
    pixels = np.random.default_rng(1).uniform(0, 255, (5, SIZE, SIZE)).astype(np.float32)
    with torch.inference_mode():
        answers = expected(torch.from_numpy(pixels))
    for value, wanted in zip(open_onnx(graph)(pixels), answers, strict=True):
        np.testing.assert_allclose(value, wanted.numpy(), atol=1e-5, rtol=1e-5)


def test_an_architecture_is_traced_once(graphs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other weights and other constants go into the same trace, which holds none of them."""
    (outline,) = graphs.iterdir()
    assert outline.stat().st_size < 50_000
    refuse_tracing(monkeypatch)
    for other in (network(1), network(1, 1.0, "normalize.std=[1, 1, 1]")):
        assert_answers_alike(export_network(other, SIZE), other)


def test_what_computes_otherwise_is_traced_itself(
    graphs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A temperature and a mean over mirrored images; another temperature is a weight again."""
    views = ("flip_averaging=true", "smooth_answers=true")
    other = network(0, 2.0, *views)
    traced_now = export_network(other, SIZE)
    assert_answers_alike(traced_now, other)
    assert len(list(graphs.iterdir())) == 2
    refuse_tracing(monkeypatch)
    cold = network(0, 0.5, *views)
    assert_answers_alike(export_network(cold, SIZE), cold)
    again = export_network(other, SIZE)
    assert again.SerializeToString() == traced_now.SerializeToString()


def test_a_copy_of_the_source_that_is_not_installed_exports(
    graphs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package's own version comes from its source, not from what was installed."""

    def version(name: str) -> str:
        if name == "tumorscope":
            raise PackageNotFoundError(name)
        return installed(name)

    monkeypatch.setattr(exported, "version", version)
    refuse_tracing(monkeypatch)
    assert_answers_alike(export_network(network(1), SIZE), network(1))


@pytest.mark.parametrize("damage", ["half", "empty", "of another network"])
def test_a_trace_that_cannot_be_trusted_is_made_again(
    graphs: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    """Half a file, nothing, and a graph that answers otherwise are replaced."""
    (path,) = graphs.iterdir()
    if damage == "of another network":
        monkeypatch.setattr(exported, "_key", lambda *_: path.stem)
        export_network(network(0, 3.0), SIZE)
    else:
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2] if damage == "half" else b"")
    assert_answers_alike(export_network(network(2), SIZE), network(2))
    refuse_tracing(monkeypatch)
    assert_answers_alike(export_network(network(3), SIZE), network(3))
