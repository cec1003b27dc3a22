"""Exports: the halves and the whole, every runtime and every precision, the same answers."""

import re
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

import tumorscope
from tumorscope.data.read import read_image
from tumorscope.data.resize import filter_weights, resize
from tumorscope.errors import MissingExtra, UsageError
from tumorscope.export import ExportError
from tumorscope.export.graph import make_graph, split_graph
from tumorscope.export.parity import Agreement, check_half, open_onnx
from tumorscope.export.precision import halved
from tumorscope.export.write import checked_onnx
from tumorscope.inference.bundle import GRAPH, NETWORK, WEIGHTS, open_bundle
from tumorscope.inference.predict import Predictor
from tumorscope.inference.runtimes import open_engine
from tumorscope.model import Classifier
from tumorscope.model.deployed import DeployedModel, GateLayer, Network, Preprocess
from tumorscope.model.gate import Views, fit_gate
from tumorscope.runs.conversion import _objection
from tumorscope.schema.card import Conversion
from tumorscope.schema.recipe import load_recipe
from tumorscope.schema.scores import Score

SIZE = 32
RUNTIMES = ("onnx", "openvino", "pytorch")


@pytest.fixture(scope="module")
def slices(real_data: Path) -> list[NDArray[np.float32]]:
    """Real slices of odd sizes, as they are decoded."""
    files = sorted((real_data / "yesno").rglob("*.*"))[::8]
    return [read_image(path).pixels.astype(np.float32) for path in files]


@pytest.fixture(scope="module")
def whole(tiny_run: tumorscope.Run) -> onnx.ModelProto:
    """The graph of a small training."""
    return onnx.load_from_string(open_bundle(tiny_run.folder).read(GRAPH))


@pytest.mark.parametrize("size", [32, 96, 224])
def test_weights_of_the_resize_follow_from_any_size(size: int) -> None:
    """The module that is exported makes the weights that NumPy does, to the bit."""
    module = Preprocess(size)
    for source in (*range(1, 40), 95, 96, 97, 130, 223, 224, 225, 283, 509, 512, 630, 1427):
        np.testing.assert_array_equal(module.weights(source), filter_weights(source, size))


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_runtime_resizes_to_the_same_bits(
    runtime: str, slices: list[NDArray[np.float32]]
) -> None:
    """One preprocessing: NumPy's pixels in PyTorch, ONNX Runtime and OpenVINO."""
    module = Preprocess(SIZE)
    answer = _preprocess_in(runtime, module)
    for own in slices:
        np.testing.assert_array_equal(answer(own[None])[0], resize(own, SIZE))


def test_halves_and_whole_answer_alike(
    whole: onnx.ModelProto, slices: list[NDArray[np.float32]]
) -> None:
    """What the parts give one after another is what the whole gives, to the bit."""
    parts, answer = split_graph(whole), open_onnx(whole)
    first, second = open_onnx(parts.preprocess), open_onnx(parts.network)
    for own in slices:
        pixels = first(own[None])[0]
        np.testing.assert_array_equal(pixels[0], resize(own, SIZE))
        expected = answer(own[None])
        np.testing.assert_array_equal(second(pixels)[0], expected[0])
        np.testing.assert_array_equal(answer(pixels)[0], expected[0])  # the right size is kept


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_runtime_answers_alike(
    runtime: str, tiny_run: tumorscope.Run, slices: list[NDArray[np.float32]]
) -> None:
    """Probabilities, embedding and strangeness of a slice do not depend on what runs the model."""
    bundle = open_bundle(tiny_run.folder)
    first = open_engine(bundle, "onnx", 1)
    second = open_engine(bundle, runtime, 1)  # type: ignore[arg-type]
    for own in slices:
        expected, found = first(own[None]), second(own[None])
        assert np.abs(expected.probabilities - found.probabilities).max() <= 1e-4
        np.testing.assert_allclose(found.embedding, expected.embedding, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(found.strangeness, expected.strangeness, rtol=1e-3)


def test_nothing_of_this_machine_is_in_a_graph(whole: onnx.ModelProto) -> None:
    """The exporter's notes, which name source files, are taken out."""
    content = whole.SerializeToString()
    assert b"site-packages" not in content
    assert b"/home" not in content
    assert str(Path(tumorscope.__file__).parent).encode() not in content


@pytest.mark.parametrize(
    ("to", "precision"),
    [
        ("onnx", "fp32"),
        ("onnx", "fp16"),
        ("openvino", "fp32"),
        ("openvino", "fp16"),
    ],
)
def test_exports_answer_like_the_original(
    to: str, precision: str, tiny_run: tumorscope.Run, tmp_path: Path, real_data: Path
) -> None:
    """Each export is a bundle whose zip answers as the run does, and says how it compares."""
    made = tumorscope.export_run(
        run=tiny_run.folder,
        to=to,  # type: ignore[arg-type]
        precision=precision,  # type: ignore[arg-type]
        out=tmp_path / "made",
        licence="CC BY 4.0",
    )
    assert made.card.licence == "CC BY 4.0"
    assert made.card.conversion
    assert made.card.conversion.images == 12
    assert made.card.conversion.changed == 0
    if precision == "fp16":
        assert made.card.conversion.bytes < 0.6 * made.card.conversion.bytes_before
    assert (NETWORK in open_bundle(made.zip)) == (to == "openvino")
    image = sorted((real_data / "yesno" / "yes").iterdir())[0]
    found, expected = Predictor.load(made.zip)(image), Predictor.load(tiny_run.folder)(image)
    difference = [found.probabilities[n] - p for n, p in expected.probabilities.items()]
    assert np.abs(difference).max() <= (1e-4 if precision == "fp32" else 1e-2)
    text = (made.folder / "README.md").read_text()
    assert "Licence: CC BY 4.0" in text
    assert "`slices` (input) | float32" in text


def test_eight_bits_are_refused_where_too_few_images_judge_them(
    tiny_run: tumorscope.Run, tmp_path: Path
) -> None:
    """Twelve validation images show nothing; a forced export's card says so."""
    with pytest.raises(ExportError, match=r"(would be enough|loses .*)\. It was not kept"):
        tumorscope.export_run(run=tiny_run.folder, precision="int8", out=tmp_path / "small")
    assert not (tmp_path / "small").exists()
    made = tumorscope.export_run(
        run=tiny_run.folder, precision="int8", out=tmp_path / "small", force=True
    )
    told = made.card.conversion
    assert told
    assert told.bytes < 0.4 * told.bytes_before
    assert re.search("cannot exclude|loses", told.forced)


@pytest.mark.parametrize(
    ("loss", "speeds", "words"),
    [
        ((0.02, 0.01, 0.03), (100, 300), "loses 2.0% of accuracy"),
        ((0.0, -0.09, 0.09), (100, 300), "800 validation images in 736 groups cannot exclude"),
        ((0.0, -0.02, 0.02), (100, 300), "about 12,800 would be enough"),
        ((0.0, -0.003, 0.003), (100, 99), "no faster here"),
        ((0.0, -0.003, 0.003), (100, 300), "^$"),
    ],
)
def test_eight_bits_that_do_not_pay(
    loss: tuple[float, float, float], speeds: tuple[float, float], words: str
) -> None:
    """A loss that is too large or may be, or no gain in speed, speaks against the export."""
    value, low, high = loss
    accuracy = Score(value=0.9, n=100)
    told = Conversion(
        images=800,
        largest=0.1,
        changed=3,
        loss=Score(value=value, low=low, high=high, n=800),
        accuracy=accuracy,
        accuracy_before=accuracy,
        bytes=1,
        bytes_before=2,
        speed=speeds[1],
        speed_before=speeds[0],
    )
    assert re.search(words, _objection(told, groups=736))


def test_half_precision_may_not_change_a_clear_class() -> None:
    """A change between two that are nearly equal is allowed; any other is not."""
    check_half("exported", Agreement(images=9, largest=0.01, changed=1, changed_clear=0))
    with pytest.raises(ExportError, match="1 of 9 images"):
        check_half("exported", Agreement(images=9, largest=0.3, changed=1, changed_clear=1))


def test_halved_weights_stay_finite(whole: onnx.ModelProto) -> None:
    """Numbers beyond the range of half precision are cut to its ends."""
    network = split_graph(whole).network
    large = max(network.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    values = onnx.numpy_helper.to_array(large).copy()
    values.flat[0] = 1e6
    large.CopyFrom(onnx.numpy_helper.from_array(values, large.name))
    pixels = np.zeros((1, SIZE, SIZE), np.float32)
    assert np.isfinite(open_onnx(halved(network))(pixels)[0]).all()


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
    drawn = np.random.default_rng(0).random((30, 256)).astype(np.float32)
    views = Views(drawn, drawn[:, :32], drawn[:, :2])
    gate = fit_gate(views, views)
    deployed = DeployedModel(Preprocess(16), Network(model), GateLayer(gate, 16)).eval()
    with pytest.raises(ExportError, match="differs from the model"):
        checked_onnx(deployed, examples)


def test_a_missing_package_is_named(
    tiny_run: tumorscope.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without OpenVINO or NNCF the message is the command that installs them."""
    missing = ("openvino", "nncf")
    monkeypatch.setattr(
        "tumorscope.support.extras.find_spec",
        lambda name: None if name in missing else find_spec(name),
    )
    with pytest.raises(MissingExtra, match=r"\.\[openvino\]"):
        tumorscope.export_run(run=tiny_run.folder, to="openvino")
    with pytest.raises(MissingExtra, match=r"\.\[quantize\]"):
        tumorscope.export_run(run=tiny_run.folder, precision="int8")


def test_an_export_does_not_overwrite(tiny_run: tumorscope.Run, tmp_path: Path) -> None:
    """A folder with something in it is left alone."""
    Image.new("L", (9, 9)).save(tmp_path / "mine.png")
    with pytest.raises(UsageError, match="exists"):
        tumorscope.export_run(run=tiny_run.folder, out=tmp_path)


def test_bundles_of_one_runtime_say_so(tiny_run: tumorscope.Run, tmp_path: Path) -> None:
    """A bundle for OpenVINO alone tells whoever asks for ONNX Runtime or PyTorch what to do."""
    made = tumorscope.export_run(run=tiny_run.folder, to="openvino", out=tmp_path / "made")
    for runtime in ("onnx", "pytorch"):
        with pytest.raises(tumorscope.TumorscopeError, match=r"--runtime|bundle"):
            Predictor.load(made.folder, runtime=runtime)
    assert WEIGHTS not in open_bundle(made.folder)


def _preprocess_in(runtime: str, module: Preprocess):  # type: ignore[no-untyped-def]
    """Return what resizes with the exported module in a runtime."""
    if runtime == "pytorch":
        return lambda own: module(torch.from_numpy(own)).numpy()
    part = make_graph(_around(module)).preprocess
    if runtime == "onnx":
        return lambda own: open_onnx(part)(own)[0]
    from tumorscope.support.extras import import_openvino  # noqa: PLC0415

    core = import_openvino().Core()
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(core.read_model(part.SerializeToString()), "CPU", settings)
    return lambda own: compiled([own])[0]


def _around(module: Preprocess) -> DeployedModel:
    """Return a whole around a resize, of which only that is looked at."""
    drawn = np.random.default_rng(0).random((30, 256)).astype(np.float32)
    views = Views(drawn, drawn[:, :32], drawn)
    gate = fit_gate(views, views)

    class Flat(torch.nn.Module):
        """Stands for a network."""

        def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            seen = pixels[:, :16, :16].flatten(1)
            return seen[:, :2], seen

    flat: SimpleNamespace | torch.nn.Module = Flat()
    return DeployedModel(module, flat, GateLayer(gate, module.size)).eval()  # type: ignore[arg-type]
