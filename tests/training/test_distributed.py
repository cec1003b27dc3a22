"""Two processes that train together, against one: the same batches give the same network."""

import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.conftest import Command
from tests.training.runs import train_only
from tumorscope.support.files import read_csv

# Layer norm instead of batch norm, and no dropout: nothing depends on how a batch is divided.
WHOLE = ("backbone=test_convnext", "image_size=32", "optimizer=sgd", "learning_rate=0.01")
HEAD = ("backbone=cnn", "image_size=32", "stages.0.train=[head]", "stages.0.views=2")
COMMON = (
    *("epochs=2", "batch_size=10", "pretrained=false", "dropout=0", "class_weights=balanced"),
    *("precision=single", "label_smoothing=0.1", "weight_averaging=0.8"),
)
CPU = ("--device", "cpu")


@pytest.mark.slow
def test_two_processes_train_as_one_does(phantoms: Path, process: Command, tmp_path: Path) -> None:
    """All layers learn, without batch norm; started by the command itself."""
    train_only(phantoms, tmp_path / "run-1", [*WHOLE, *COMMON])
    out = tmp_path / "run-2"
    ran = process("train", phantoms, *WHOLE, *COMMON, *CPU, "--out", out, "--devices", "2")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("Report:") == 1  # one of them reports
    assert_equal_trainings(tmp_path / "run-1", tmp_path / "run-2")


@pytest.mark.slow
def test_two_machines_train_as_one_does(phantoms: Path, tmp_path: Path) -> None:
    """The head learns on frozen batch norm; started by `torchrun`, here twice on one machine."""
    train_only(phantoms, tmp_path / "run-1", [*HEAD, *COMMON])
    arguments = ("train", str(phantoms), *HEAD, *COMMON, *CPU)
    torchrun = (
        *(sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1"),
        *("--rdzv-backend", "c10d", "--rdzv-endpoint", f"localhost:{free_port()}"),
        *("-m", "tumorscope", *arguments, "--out", str(tmp_path / "run-2"), "--nodes", "2"),
    )
    machines = [
        subprocess.Popen(torchrun, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = [machine.communicate(timeout=300) for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], answers
    assert sum(answer.count("Report:") for answer, _ in answers) == 1
    assert_equal_trainings(tmp_path / "run-1", tmp_path / "run-2")


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as found:
        found.bind(("localhost", 0))
        port: int = found.getsockname()[1]
        return port


def assert_equal_trainings(one: Path, other: Path) -> None:
    """Weights and every epoch's scores agree within float tolerance."""
    expected, found = (load_file(run / "checkpoints" / "best.safetensors") for run in (one, other))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=2e-4, err_msg=name)
    rows = zip(read_csv(one / "metrics.csv"), read_csv(other / "metrics.csv"), strict=True)
    for first, second in rows:
        for name, score in first.items():
            assert float(second[name]) == pytest.approx(float(score), abs=1e-4), name


def test_a_mistake_ends_all_processes_with_one_code(process: Command, tmp_path: Path) -> None:
    """Found by the leader once they have joined; the exit code is that of one, in a sentence."""
    (tmp_path / "empty").mkdir()
    ran = process("train", str(tmp_path / "empty"), "--devices", "2")
    assert ran.returncode == 2
    assert "has no known layout" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_several_machines_need_torchrun(phantoms: Path, command: Command) -> None:
    """The message names the command."""
    ran = command("train", str(phantoms), "--devices", "2", "--nodes", "2")
    assert ran.returncode == 2
    assert "torchrun --nnodes 2 --nproc-per-node 2" in ran.stderr


def test_seeds_are_trained_one_after_the_other(phantoms: Path, command: Command) -> None:
    """Both at once are refused."""
    ran = command("train", str(phantoms), "--devices", "2", "--seeds", "2")
    assert ran.returncode == 2
    assert "--seeds" in ran.stderr
