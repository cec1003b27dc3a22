"""Networks: what is frozen stays, what does not fit is named, weights come from files or a hub."""

import hashlib
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save, save_file

from tumorscope.errors import RecipeError
from tumorscope.model import Classifier, build_classifier, build_trunk, check_stages
from tumorscope.schema.recipe import Recipe, load_recipe

SMALL = ("image_size=32", "backbone=resnet10t", "pretrained=false")


def small(*overrides: str) -> Recipe:
    """A recipe on the smallest residual network of timm."""
    return load_recipe("resnet18", [*SMALL, *overrides])


def step(model: Classifier) -> None:
    """Train one step with a large rate on noise."""
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.5)
    model.train()
    logits = model(torch.randint(0, 256, (6, 1, 32, 32)).float())
    torch.autograd.backward(torch.nn.functional.cross_entropy(logits, torch.arange(6) % 3))
    optimizer.step()


@pytest.mark.parametrize("backbone", ["resnet10t", "mobilenetv2_050", "cnn"])
@pytest.mark.parametrize("blocks", [("head",), ("last_block", "head")])
@pytest.mark.parametrize("statistics", ["learned", "fixed"])
def test_what_is_frozen_stays_as_it_is_to_the_bit(
    backbone: str, blocks: tuple[str, ...], statistics: str
) -> None:
    """Weights outside the trained blocks do not change, nor batch-norm statistics kept fixed."""
    model = build_classifier(small(f"backbone={backbone}", "dropout=0.2"), classes=3)
    model.set_trainable(blocks, statistics)
    learning = {name for name, p in model.named_parameters() if p.requires_grad}
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for _ in range(3):
        step(model)
    changed = {n for n, v in model.state_dict().items() if not torch.equal(v, before[n])}
    assert changed
    moving = {n for n in changed if n.endswith(("running_mean", "running_var", "tracked"))}
    assert changed - moving <= learning
    blocks_of = {name.rsplit(".", 1)[0] for name in learning}
    assert {name.rsplit(".", 1)[0] for name in moving} <= blocks_of
    assert bool(moving) == ("last_block" in blocks and statistics == "learned")
    norms = {n for n, m in model.named_modules() if isinstance(m, torch.nn.BatchNorm2d)}
    assert any(n.rsplit(".", 1)[0] in norms for n in changed) == ("last_block" in blocks)


def test_the_last_block_is_the_last_maps_and_what_follows() -> None:
    """In a MobileNet the layers after the last block learn with it."""
    model = build_classifier(small("backbone=mobilenetv2_050"), classes=2)
    model.set_trainable(["last_block"])
    tops = {n.split(".")[1] for n, p in model.named_parameters() if p.requires_grad}
    assert tops == {"blocks", "conv_head", "bn2"}
    numbers = {n.split(".")[2] for n, p in model.named_parameters() if p.requires_grad}
    assert "6" in numbers
    assert "5" not in numbers


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["stages.0.train=[layer9]"], "no block 'layer9' to train: choose from all, head"),
        (["stages.0.train=[act1]"], "trains nothing"),
        (["stages.0.train=[act1, head]"], "trains act1 trains nothing"),
        (["backbone=resnet10t.nope"], "timm knows no weights 'resnet10t.nope'"),
        (["backbone=resnet_18"], "timm has no backbone 'resnet_18'"),
        (["backbone=vit_tiny_patch16_224"], "cannot take images of 32 pixels"),
        (["backbone_options.pad_type=same"], "cannot take pad_type=same"),
        (["backbone=cnn", "pretrained=true"], "No weights of cnn are published"),
        (["backbone=resnet10t", "weights=nothing.safetensors"], "no weights file"),
    ],
)
def test_a_network_that_cannot_be_is_refused(overrides: list[str], message: str) -> None:
    """Before any image is read, with what there is to choose from."""
    recipe = small(*overrides)
    with pytest.raises(RecipeError, match=message):
        check_stages(recipe, build_trunk(recipe))


def test_a_transformer_takes_another_size_through_its_options() -> None:
    """What the message proposes works."""
    recipe = small("backbone=vit_tiny_patch16_224", "backbone_options.img_size=32")
    assert build_classifier(recipe, 3)(torch.zeros(2, 1, 32, 32)).shape == (2, 3)


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
def test_weights_come_from_a_file(tmp_path: Path, name: str) -> None:
    """A network saved with its last layer is taken over without it."""
    source = timm.create_model("resnet10t", num_classes=7)
    path = tmp_path / name
    if path.suffix == ".pth":
        torch.save({"state_dict": {f"module.{n}": v for n, v in source.state_dict().items()}}, path)
    else:
        save_file(source.state_dict(), path)
    trunk = build_trunk(small(f"weights={path}"))
    for key, value in trunk.state_dict().items():
        assert torch.equal(value, source.state_dict()[key]), key


@pytest.mark.parametrize("prefix", ["", "model."])
def test_our_own_weights_start_another_training(tmp_path: Path, prefix: str) -> None:
    """The weights of a bundle or a checkpoint, whatever its head, fit the backbone."""
    first = build_classifier(small("seed=3", "head=attention"), classes=4)
    state = {f"{prefix}{name}": value for name, value in first.state_dict().items()}
    save_file(state, tmp_path / "ours.safetensors")
    trunk = build_trunk(small(f"weights={tmp_path / 'ours.safetensors'}"))
    for key, value in trunk.state_dict().items():
        assert torch.equal(value, first.trunk.state_dict()[key]), key


def test_weights_under_head_that_the_backbone_keeps_are_kept(tmp_path: Path) -> None:
    """The last norm of a ConvNeXt lies beside the last layer, which alone is dropped."""
    source = timm.create_model("convnext_atto", num_classes=5)
    torch.nn.init.normal_(source.get_parameter("head.norm.weight"))
    save_file(source.state_dict(), tmp_path / "w.safetensors")
    weights = f"weights={tmp_path / 'w.safetensors'}"
    trunk = build_trunk(small("backbone=convnext_atto", weights))
    kept = "head.norm.weight"
    assert torch.equal(trunk.state_dict()[kept], source.state_dict()[kept])


@pytest.mark.parametrize(
    ("backbone", "inside", "outside"),
    [
        ("densenet121", "features.denseblock4.", "features.denseblock3."),
        ("legacy_xception", "conv4.", "block11."),
        ("resnet10t", "layer4.", "layer3."),
    ],
)
def test_a_last_block_has_convolutions(backbone: str, inside: str, outside: str) -> None:
    """Where timm's last maps are those of a norm or activation, the block before them counts."""
    model = build_classifier(small(f"backbone={backbone}", "image_size=64"), classes=2)
    model.set_trainable(["last_block"])
    learning = [n.removeprefix("trunk.") for n, p in model.named_parameters() if p.requires_grad]
    assert any(name.startswith(inside) for name in learning)
    assert not any(name.startswith(outside) for name in learning)


def test_weights_that_do_not_fit_name_the_layers(tmp_path: Path) -> None:
    """Missing, superfluous and misshapen layers are told apart."""
    state = timm.create_model("resnet10t").state_dict()
    state["extra.weight"] = torch.zeros(2)
    state["layer1.0.conv1.weight"] = torch.zeros(3)
    del state["layer2.0.bn1.weight"]
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(RecipeError) as caught:
        build_trunk(small(f"weights={tmp_path / 'w.safetensors'}"))
    text = str(caught.value)
    assert "missing in the file: layer2.0.bn1.weight" in text
    assert "not in the backbone: extra.weight" in text
    assert "of another shape: layer1.0.conv1.weight (3,)" in text


class Hostile:
    """Runs a command when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.mark}",)


def test_a_pickle_that_runs_code_is_refused_and_not_run(tmp_path: Path) -> None:
    """Weights are tensors; whatever wants more is not loaded."""
    mark = tmp_path / "ran"
    (tmp_path / "w.pth").write_bytes(pickle.dumps(Hostile(mark)))
    (tmp_path / "half.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{")
    with pytest.raises(RecipeError, match="no file of tensors alone"):
        build_trunk(small(f"weights={tmp_path / 'w.pth'}"))
    assert not mark.exists()
    with pytest.raises(RecipeError, match="cannot be read"):
        build_trunk(small(f"weights={tmp_path / 'half.safetensors'}"))


def test_the_shared_imagenet_weights_fit(real_data: Path) -> None:
    """Real published weights of a MobileNetV2 give other features than chance."""
    path = real_data.parent / "weights" / "mobilenetv2_100_imagenet.safetensors"
    if not path.is_file():
        pytest.skip(f"no weights at {path}")
    trunk = build_trunk(load_recipe("best", [f"weights={path}", "image_size=64"]))
    assert trunk.state_dict()["conv_stem.weight"].abs().sum() > 0


class Hub(BaseHTTPRequestHandler):
    """Serves one file under the paths that the hub's library asks for."""

    content = b""

    def _head(self) -> None:
        known = self.path.endswith("/resolve/main/model.safetensors")
        self.send_response(200 if known else 404)
        self.send_header("Content-Length", str(len(self.content) if known else 0))
        self.send_header("ETag", f'"{hashlib.sha256(self.content).hexdigest()}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.end_headers()

    def do_HEAD(self) -> None:
        self._head()

    def do_GET(self) -> None:
        self._head()
        self.wfile.write(self.content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def hub() -> Iterator[str]:
    """A server on this machine that has weights of resnet10t."""
    torch.manual_seed(0)
    Hub.content = save(timm.create_model("resnet10t").state_dict())
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


BUILD = (
    "from tumorscope.schema.recipe import load_recipe; from tumorscope.model import build_trunk;"
    "from tumorscope.errors import RecipeError\n"
    "r = load_recipe('resnet18', ['backbone=resnet10t', 'pretrained=true', 'image_size=32'])\n"
    "while input():\n"
    "    try: said = float(build_trunk(r).state_dict()['layer1.0.conv1.weight'].sum())\n"
    "    except RecipeError as error: said = str(error).replace(chr(10), ' ')\n"
    "    print(said, flush=True)"
)


@contextmanager
def builder(cache: Path, endpoint: str) -> Iterator[Callable[[], str]]:
    """A process whose hub is at another place: each call builds a network, for one line of it."""
    environment = {**os.environ, "HF_HOME": str(cache), "HF_ENDPOINT": endpoint}
    errors = cache / "errors.txt"
    with (
        errors.open("a") as heard,
        subprocess.Popen(
            [sys.executable, "-c", BUILD],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=heard,
            text=True,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        incoming, outgoing = process.stdin, process.stdout

        def build() -> str:
            incoming.write("build\n")
            incoming.flush()
            return outgoing.readline()

        late = threading.Timer(100, process.kill)
        late.start()
        try:
            yield build
        finally:
            late.cancel()
            process.kill()
    assert "Traceback" not in errors.read_text()


def test_published_weights_come_by_timms_own_loading(tmp_path: Path, hub: str) -> None:
    """A sentence without any hub; once from one on this machine, then from the cache without."""
    torch.manual_seed(0)
    whole = timm.create_model("resnet10t").state_dict()["layer1.0.conv1.weight"].sum()
    with builder(tmp_path, "http://nowhere.invalid") as build:
        refused = build()
        assert "timm/resnet10t" in refused
        for way in ("connect to a network", "weights=FILE", "pretrained=false"):
            assert way in refused
        with builder(tmp_path, hub) as build_connected:
            first = build_connected()
        assert float(first) == pytest.approx(float(whole), abs=1e-4)
        assert build() == first
        for cached in tmp_path.rglob("blobs/*"):
            cached.write_bytes(cached.read_bytes()[:1000])
        assert "in the cache are damaged" in build()
