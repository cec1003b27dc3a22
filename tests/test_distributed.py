"""Two processes that train together, against one: the same batches give the same network."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.conftest import Command
from tumorscope.files import read_csv

# Layer norm instead of batch norm, and no dropout: nothing depends on how a batch is divided.
WHOLE = ("backbone=convnext_atto", "image_size=32", "optimizer=sgd", "learning_rate=0.01")
HEAD = ("backbone=resnet18", "image_size=32", "stages.0.train=[head]", "stages.0.views=2")
COMMON = (
    *("epochs=2", "batch_size=10", "pretrained=false", "dropout=0", "class_weights=balanced"),
    *("precision=single", "label_smoothing=0.1", "weight_averaging=0.8"),
)


@pytest.mark.parametrize("settings", [WHOLE, HEAD], ids=["layer norm", "frozen batch norm"])
def test_two_processes_train_as_one_does(
    settings: tuple[str, ...], phantoms: Path, command: Command, tmp_path: Path
) -> None:
    """Weights and scores agree within float tolerance."""
    for devices in ("1", "2"):
        done = command(
            *("train", str(phantoms), *settings, *COMMON),
            *("--out", str(tmp_path / devices), "--devices", devices, "--device", "cpu"),
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("On ") == 1  # only one of them reports
    one, two = (load_file(tmp_path / n / "checkpoints" / "best.safetensors") for n in "12")
    assert one.keys() == two.keys()
    for name, value in one.items():
        np.testing.assert_allclose(two[name], value, atol=2e-4, err_msg=name)
    for first, second in zip(*(read_csv(tmp_path / n / "metrics.csv") for n in "12"), strict=True):
        for name, score in first.items():
            assert float(second[name]) == pytest.approx(float(score), abs=1e-4), name


def test_a_mistake_ends_all_processes_with_one_code(command: Command, tmp_path: Path) -> None:
    """The exit code is that of one process, and there is no traceback."""
    done = command("train", str(tmp_path / "nowhere"), "--devices", "2")
    assert done.returncode == 2
    assert "nowhere" in done.stderr
    assert "Traceback" not in done.stderr


def test_several_machines_need_torchrun(phantoms: Path, command: Command) -> None:
    """The message names the command."""
    done = command("train", str(phantoms), "--devices", "2", "--nodes", "2")
    assert done.returncode == 2
    assert "torchrun --nnodes 2 --nproc-per-node 2" in done.stderr


def test_seeds_are_trained_one_after_the_other(phantoms: Path, command: Command) -> None:
    """Both at once are refused."""
    done = command("train", str(phantoms), "--devices", "2", "--seeds", "2")
    assert done.returncode == 2
    assert "--seeds" in done.stderr
