"""A frozen layer is run once: exactly in single precision, closely in half, or the plain way."""

import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.training.runs import train_only
from tumorscope.data.layouts import read_manifest
from tumorscope.data.store import open_store
from tumorscope.model import build_classifier, split_trunk
from tumorscope.schema.recipe import load_recipe
from tumorscope.support.files import read_csv

STAGED = (
    *("backbone=test_resnet", "pretrained=false", "image_size=48", "batch_size=8", "epochs=3"),
    *("patience=null", "views=2", "weight_averaging=0.8", "keep=last", "dropout=0.2"),
    "flip_averaging=true",  # of the answer, which the outputs of the front do not take part in
    # Adam would magnify what is only rounding, wherever a gradient is next to nothing.
    *("precision=single", "optimizer=sgd", "learning_rate=0.01"),
)


def train(data: Path, out: Path, *more: str, resume: bool = False) -> tuple[Path, list[str]]:
    """Train two stages, of which the first learns the head and the second the last block too."""
    overrides = [*STAGED, *more]
    return out, train_only(data, out, overrides, "mobilenetv2-staged", resume=resume)


@pytest.fixture(scope="module")
def plain(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same views, with nothing kept: every layer runs in every epoch."""
    out, lines = train(phantoms, tmp_path_factory.mktemp("plain") / "run", "cache_limit=0")
    assert any("over the 0 bytes of cache_limit: they are computed every epoch" in x for x in lines)
    return out


@pytest.fixture(scope="module")
def whole(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The outputs of the frozen layers kept in half precision, as by default; never stopped."""
    return train(phantoms, tmp_path_factory.mktemp("whole") / "run")[0]


def weights(run: Path) -> dict[str, torch.Tensor]:
    """The weights that a run kept."""
    return load_file(run / "checkpoints" / "best.safetensors")


def probabilities(run: Path, data: Path) -> torch.Tensor:
    """What the kept network says of all images."""
    recipe = load_recipe(run / "recipe.yaml")
    store = open_store(read_manifest(data), recipe.image_size)
    model = build_classifier(recipe, len(store.manifest.classes)).eval()
    model.load_state_dict(weights(run))
    pixels = torch.from_numpy(store.pixels(range(len(store)))).unsqueeze(1).float()
    with torch.inference_mode():
        return model.probabilities(pixels)


def test_in_single_precision_it_is_exact(phantoms: Path, tmp_path: Path, plain: Path) -> None:
    """Both stages end with the weights, and every epoch with the scores, of the plain way."""
    out, lines = train(phantoms, tmp_path / "run", "cache_precision=single")
    assert sum("of disk for this stage and a later one" in line for line in lines) == 1
    assert lines.count("The outputs of the frozen layers are those kept before.") == 1
    expected = weights(plain)
    for name, value in weights(out).items():
        torch.testing.assert_close(value, expected[name], atol=1e-5, rtol=1e-4)
    for row, other in zip(
        read_csv(out / "metrics.csv"), read_csv(plain / "metrics.csv"), strict=True
    ):
        assert [float(v) for v in row.values()] == pytest.approx(
            [float(v) for v in other.values()], abs=1e-4
        )
    assert not (out / "checkpoints" / "front").exists()


def test_in_half_precision_it_is_close(phantoms: Path, plain: Path, whole: Path) -> None:
    """Probabilities stay within 0.01."""
    difference = probabilities(whole, phantoms) - probabilities(plain, phantoms)
    assert difference.abs().max() < 0.01


def test_a_resumed_stage_computes_its_front_again(
    phantoms: Path, tmp_path: Path, whole: Path
) -> None:
    """Stopped between the epochs of the second stage, it ends as if it had not been."""
    out = tmp_path / "run"
    command = [sys.executable, "-m", "tumorscope", "train", str(phantoms), *STAGED]
    command += ["--recipe", "mobilenetv2-staged", "--out", str(out), "--device", "cpu"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("epoch 4/"):
                process.kill()
                break
    assert 3 < len(read_csv(out / "metrics.csv")) < 6, "stopped too early or too late"
    train(phantoms, out, resume=True)
    expected = weights(whole)
    assert all(torch.equal(value, expected[name]) for name, value in weights(out).items())
    assert (out / "metrics.csv").read_bytes() == (whole / "metrics.csv").read_bytes()


def test_a_full_disk_means_the_plain_way(phantoms: Path, tmp_path: Path) -> None:
    """A sentence, and the training goes on."""
    out = tmp_path / "run"
    # Above the checkpoint's 4.1 MB and below the 6.8 MB of the second stage's outputs.
    with limited_files(5 * 2**20):
        _, lines = train(phantoms, out, "epochs=1", "views=80")
    said = "No space is left for the outputs of the frozen layers"
    assert sum(said in line for line in lines) == 1
    assert {row["stage"] for row in read_csv(out / "metrics.csv")} == {"0", "1"}


@contextmanager
def limited_files(limit: int) -> Iterator[None]:
    """Let no file of this process grow beyond some bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    kept = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # an error instead of an end
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, kept)


@pytest.mark.parametrize(
    ("backbone", "size", "blocks", "can"),
    [
        ("resnet18", 64, ["head"], True),
        ("resnet18", 64, ["last_block", "head"], True),
        ("mobilenetv2_050", 64, ["last_block", "head"], True),
        ("cnn", 64, ["last_block", "head"], True),
        ("resnet18", 64, ["all"], False),
        ("vit_tiny_patch16_224", 224, ["blocks.11", "head"], False),
    ],
)
def test_networks_are_cut_only_where_they_can_be(
    backbone: str, size: int, blocks: list[str], can: bool
) -> None:
    """The halves answer as the whole; a network that is no chain of modules is not cut."""
    recipe = load_recipe("resnet18", [f"backbone={backbone}", f"image_size={size}"])
    model = build_classifier(recipe, 3).eval()
    model.set_trainable(blocks)
    halves = split_trunk(model, size)
    assert (halves is not None) == can
    if halves is not None:
        pixels = torch.randint(0, 256, (3, 1, size, size)).float()
        torch.testing.assert_close(halves.logits(halves.front(pixels)), model(pixels))
