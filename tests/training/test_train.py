"""Training: repeatable, interruptible, and never chosen on what it is scored on."""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import tumorscope
from tests.conftest import TINY
from tests.training.runs import train_only
from tumorscope.errors import Diverged, OutOfMemory, UsageError
from tumorscope.schema.recipe import load_recipe
from tumorscope.support.files import read_csv
from tumorscope.support.progress import Quiet
from tumorscope.training import TrainingContext
from tumorscope.training.checkpoints import last_checkpoint, read_history
from tumorscope.training.data import Batches
from tumorscope.training.device import resolve_device
from tumorscope.training.fit import _readable_errors
from tumorscope.training.history import best_epoch

HARD = (
    *("backbone=cnn", "image_size=32", "epochs=8", "batch_size=4", "dropout=0.3"),
    "weight_averaging=0.9",
    *("schedule=one_cycle", "label_smoothing=0.1", "class_weights=balanced", "augment.shift=0.1"),
)


# Sends itself a signal in the middle of the third epoch.
STOPPED = """
import os, sys
from tumorscope.cli import main
from tumorscope.training.steps import Classification
step, sign = Classification.training_step, int(sys.argv.pop(1))
def stopped(self, batch, number):
    if (self.current_epoch, number) == (2, 3):
        os.kill(os.getpid(), sign)
    return step(self, batch, number)
Classification.training_step = stopped
main()
"""


def start(data: Path, out: Path, *python: str) -> "subprocess.Popen[str]":
    """Start a training in a process of its own, from Python's arguments."""
    return subprocess.Popen(
        [sys.executable, *python, "train", str(data), *HARD, "--out", str(out)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_interrupts,  # noqa: PLW1509 (it calls nothing that waits for a thread)
    )


def hear_interrupts() -> None:
    """Undo what a shell does to what it starts in the background: Ctrl-C is ignored there."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def finish(data: Path, out: Path) -> str:
    """Resume a run to its end and return what it reported."""
    return "\n".join(train_only(data, out, HARD, resume=True))


def wait_for_epoch(process: "subprocess.Popen[str]", epoch: int) -> None:
    """Return as soon as an epoch has been reported."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(f"epoch {epoch}/"):
            return
    pytest.fail("the training ended too early")


def assert_same_end(first: Path, second: Path) -> None:
    """Two runs have the same history, kept weights and optimiser, to the bit."""
    assert (first / "metrics.csv").read_bytes() == (second / "metrics.csv").read_bytes()
    weights = [load_file(run / "checkpoints" / "best.safetensors") for run in (first, second)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    last = [
        torch.load(run / "checkpoints" / "last.ckpt", weights_only=True) for run in (first, second)
    ]
    for name, value in last[0]["state_dict"].items():
        assert torch.equal(value, last[1]["state_dict"][name]), name
    for number, state in last[0]["optimizer_states"][0]["state"].items():
        other = last[1]["optimizer_states"][0]["state"][number]
        assert all(torch.equal(state[key], other[key]) for key in state)


@pytest.fixture(scope="module")
def uninterrupted(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing stopped."""
    out = tmp_path_factory.mktemp("whole") / "run"
    train_only(phantoms, out, HARD)
    return out


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_killed_in_mid_epoch_and_resumed_ends_bit_equal(
    phantoms: Path, tmp_path: Path, uninterrupted: Path, sign: signal.Signals
) -> None:
    """With dropout, weight averaging and a schedule on, a kill leaves no trace in the end."""
    out = tmp_path / "run"
    with start(phantoms, out, "-c", STOPPED, str(int(sign))) as process:
        _, rest = process.communicate()
        code = process.returncode
    assert [row["epoch"] for row in read_csv(out / "metrics.csv")] == ["1", "2"]
    if sign == signal.SIGINT:
        assert code == 130
        assert "--resume continues from there" in rest
        assert "Traceback" not in rest
    text = finish(phantoms, out)
    assert "epoch 8/8" in text
    assert "epoch 1/8" not in text
    assert_same_end(uninterrupted, out)


def test_a_resumed_run_ends_with_the_same_answers(
    phantoms: Path, tmp_path: Path, tiny_run: tumorscope.Run
) -> None:
    """Stopped between training and its report, it ends with the results of one never stopped."""
    out = tmp_path / "run"
    train_only(phantoms, out, TINY)
    tumorscope.train(data=phantoms, overrides=TINY, out=out, resume=True, device="cpu")
    for name in ("metrics.csv", "predictions.csv", "results.json"):
        assert (out / name).read_bytes() == (tiny_run.folder / name).read_bytes(), name


def test_the_same_seed_gives_the_same_run(
    phantoms: Path, tmp_path: Path, tiny_run: tumorscope.Run
) -> None:
    """Two trainings with one seed agree to the byte; another seed differs."""
    train_only(phantoms, tmp_path / "again", TINY)
    train_only(phantoms, tmp_path / "other", [*TINY, "seed=1"])
    first = (tiny_run.folder / "metrics.csv").read_bytes()
    assert (tmp_path / "again" / "metrics.csv").read_bytes() == first
    assert (tmp_path / "other" / "metrics.csv").read_bytes() != first


def test_a_disk_that_fills_up_leaves_a_run_that_goes_on(
    phantoms: Path, tmp_path: Path, uninterrupted: Path
) -> None:
    """When the second checkpoint finds no room, the first is still whole."""
    out = tmp_path / "run"
    with start(phantoms, out, "-m", "tumorscope") as process:
        wait_for_epoch(process, 1)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (9**7, 9**7))
        _, text = process.communicate()
    assert process.returncode == 2, text
    assert "No space is left" in text
    assert "Traceback" not in text
    finish(phantoms, out)
    assert_same_end(uninterrupted, out)


def test_a_finished_run_resumes_to_the_same_end(uninterrupted: Path, phantoms: Path) -> None:
    """Resuming what is done trains nothing and changes nothing."""
    before = (uninterrupted / "metrics.csv").read_bytes()
    assert "epoch" not in finish(phantoms, uninterrupted)
    assert (uninterrupted / "metrics.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("settings", "change_data", "message"),
    [
        ((*HARD, "batch_size=8"), False, "started with another batch_size"),
        (HARD, True, "is not what"),
    ],
)
def test_resume_refuses_other_settings_and_other_data(
    tmp_path: Path,
    uninterrupted: Path,
    phantoms: Path,
    settings: Sequence[str],
    change_data: bool,
    message: str,
) -> None:
    """Going on with something else would be no resumed run."""
    data = phantoms
    if change_data:
        data = phantoms.parent / "fewer.csv"
        data.write_text("".join(phantoms.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(tumorscope.TumorscopeError, match=message):
        tumorscope.train(data=data, overrides=settings, out=uninterrupted, resume=True)


def test_a_damaged_checkpoint_is_a_sentence(tmp_path: Path) -> None:
    """Half a checkpoint is named and not loaded, and neither is a pickle."""
    (tmp_path / "checkpoints").mkdir()
    assert read_history(tmp_path) == []
    for content in (b"PK\x03\x04 half", b"cos\nsystem\n(S'false'\ntR."):
        last_checkpoint(tmp_path).write_bytes(content)
        with pytest.raises(tumorscope.TumorscopeError, match="is damaged: start again"):
            read_history(tmp_path)


def test_a_loss_that_is_no_number_ends_the_run(phantoms: Path, tmp_path: Path) -> None:
    """With epoch, rate and what to try; nothing of it is kept, and resumed it ends so too."""
    settings = ["backbone=cnn", "image_size=32", "epochs=2", "learning_rate=1e30", "optimizer=sgd"]
    said = r"in epoch 1, at a learning rate of 1e\+30: lower it \(learning_rate=1e\+29\)"
    for resume in (False, True):
        with pytest.raises(Diverged, match=said):
            train_only(phantoms, tmp_path / "run", settings, resume=resume)
        assert not (tmp_path / "run" / "checkpoints" / "last.ckpt").exists()


def test_the_kept_epoch_is_the_best_on_validation(tiny_run: tumorscope.Run) -> None:
    """History, card and rule agree; the rule breaks ties by loss."""
    history = [
        {k: float(v) for k, v in r.items()} for r in read_csv(tiny_run.folder / "metrics.csv")
    ]
    card = json.loads((tiny_run.folder / "bundle" / "card.json").read_text())
    assert best_epoch(history)["epoch"] == card["provenance"]["kept_epoch"]
    tied = [
        {"epoch": n, "validation_accuracy": 0.5, "validation_loss": loss}
        for n, loss in ((1, 0.9), (2, 0.7), (3, 0.8))
    ]
    assert best_epoch(tied)["epoch"] == 2
    assert best_epoch(tied, "last")["epoch"] == 3
    uneven = [*tied, {"epoch": 4, "validation_accuracy": 0.4, "validation_loss": 0.6}]
    assert best_epoch(uneven, "loss")["epoch"] == 4


def test_batches_cover_the_part_once_in_an_order_of_the_epoch() -> None:
    """Each row once; another epoch another order; a remainder of one is left for later."""
    rows = np.arange(100, 130)
    first, second = (list(Batches(rows, 8, [0, 1, epoch])) for epoch in (0, 1))
    assert sorted(row for batch in first for row in batch) == rows.tolist()
    assert first != second
    assert list(Batches(rows, 8, [0, 1, 0])) == first
    assert next(iter(Batches(rows, 8, None))) == rows[:8].tolist()
    assert [len(b) for b in Batches(np.arange(9), 4, [0])] == [4, 4]
    assert [len(b) for b in Batches(np.arange(9), 4, None)] == [4, 4, 1]


def test_out_of_memory_says_what_to_lower(tmp_path: Path) -> None:
    """A real failed allocation becomes the names of two settings."""
    recipe = load_recipe("resnet18")
    with (
        pytest.raises(OutOfMemory, match=r"lower batch_size \(now 16\) or image_size \(now 224\)"),
        _readable_errors(recipe, TrainingContext(tmp_path, "cpu", Quiet()), []),
    ):
        torch.empty(10**15)


def test_a_device_that_is_not_here_is_refused() -> None:
    """Only what PyTorch finds can be asked for."""
    assert resolve_device("auto") in ("cpu", "cuda", "mps")
    for name in ("tpu", "cpu:1", "cuda:", "cuda:x"):
        with pytest.raises(UsageError, match=f"no device '{name}'"):
            resolve_device(name)
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="no cuda device here"):
            resolve_device("cuda:1")


@pytest.mark.skipif(os.environ.get("CUDA_VISIBLE_DEVICES") == "", reason="no GPU wanted")
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("staged", [False, True])
def test_training_on_a_gpu_learns_the_same(phantoms: Path, tmp_path: Path, staged: bool) -> None:
    """On a GPU the same recipe, with frozen layers too, ends with a bundle that answers here."""
    recipe = "mobilenetv2-staged" if staged else "resnet18"
    settings = [*TINY, "pretrained=false"]
    run = tumorscope.train(
        data=phantoms, recipe=recipe, overrides=settings, out=tmp_path / "gpu", device="cuda"
    )
    assert run.results.all.accuracy.value is not None
