"""Predictions: every way in, every way out, and the gate between."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import tumorscope
from tests.conftest import TINY, Command
from tumorscope.data.phantom import write_phantoms
from tumorscope.data.read.image import decode_image
from tumorscope.errors import UnreadableImage, UsageError
from tumorscope.inference.archive import PART, score_archive
from tumorscope.inference.inputs import list_inputs
from tumorscope.inference.predict import Predictor
from tumorscope.support.progress import Quiet, Task


@pytest.fixture(scope="module")
def predictor(tiny_run: tumorscope.Run) -> Predictor:
    """The model of a small training."""
    return Predictor.load(tiny_run.folder)


@pytest.fixture(scope="module")
def images(phantoms: Path) -> list[str]:
    """The slices of a data set."""
    return [str(path) for path in sorted(phantoms.parent.rglob("*.png"))]


@pytest.fixture
def mixed(tmp_path: Path, images: list[str]) -> Path:
    """A folder of a slice, an empty file, a photograph cut off and a blank picture."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    content = Path(images[0]).read_bytes()
    (folder / "good.png").write_bytes(content)
    (folder / "empty.png").write_bytes(b"")
    (folder / "cut.png").write_bytes(content[: len(content) // 2])
    Image.new("L", (30, 20), 90).save(folder / "blank.png")
    return folder


def test_path_picture_and_array_answer_alike(predictor: Predictor, images: list[str]) -> None:
    """An image may come as a file, as Pillow's or as an array."""
    path = images[0]
    expected = predictor(path)
    with Image.open(path) as picture:
        array = np.asarray(picture.convert("L"))
        found = [predictor(picture), predictor(array), predictor(array.astype(np.float32))]
    assert expected.input == path
    assert expected.seconds > 0
    for each in found:
        assert each.probabilities == expected.probabilities
        assert each.input == ""
    assert sum(expected.probabilities.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((3, 3, 3), np.uint8),
        np.zeros((0, 3), np.uint8),
        np.zeros((3, 3), np.int64),
        np.full((3, 3), np.nan, np.float32),
    ],
)
def test_arrays_that_are_no_slice(predictor: Predictor, array: NDArray[np.uint8]) -> None:
    """Another shape or type, nothing, or nan is refused in words."""
    with pytest.raises(UnreadableImage, match="array"):
        predictor(array)


def test_many_are_answered_like_one(predictor: Predictor, images: list[str]) -> None:
    """Order and answers are those of single calls, whatever the number of workers."""
    for workers in (1, 3):
        found = list(predictor.predict(images, workers=workers))
        assert [each.input for each in found] == images
        for each in found[::5]:
            alone = predictor(each.input).probabilities
            for name, value in each.probabilities.items():
                assert value == pytest.approx(alone[name], abs=1e-6)


def test_threads_may_share_a_predictor(predictor: Predictor, images: list[str]) -> None:
    """Eight threads at once get the answers of one."""
    expected = [predictor(path).probabilities for path in images[:8]]
    found: dict[int, object] = {}

    def work(number: int) -> None:
        for _ in range(5):
            found[number] = predictor(images[number]).probabilities

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, value in found.items():
        assert value == pytest.approx(expected[number], abs=1e-6)


def test_few_images_are_held_at_once(predictor: Predictor) -> None:
    """The pipeline takes inputs as it needs them, and memory stays flat."""
    drawn = np.random.default_rng(0).integers(0, 256, (64, 300, 300), np.uint8)
    taken = 0

    def stream() -> Iterator[NDArray[np.uint8]]:
        nonlocal taken
        for number in range(4000):
            taken += 1
            yield drawn[number % len(drawn)]

    process, sizes = psutil.Process(), []
    for number, _ in enumerate(predictor.predict(stream(), workers=2)):
        assert taken - number <= 200
        if number % 1000 == 999:
            sizes.append(process.memory_info().rss)
    assert sizes[-1] - sizes[0] < 30_000_000


def test_sets_hold_labels_above_their_thresholds(predictor: Predictor, images: list[str]) -> None:
    """The set of an answer follows from the thresholds on the card."""
    thresholds = predictor.card.calibration.thresholds
    answer = predictor(images[0])
    expected = tuple(
        name
        for name, threshold in zip(predictor.card.classes, thresholds, strict=True)
        if threshold is None or answer.probabilities[name] >= threshold
    )
    assert answer.set == expected


def test_the_gate_lets_slices_in_and_keeps_others_out(tmp_path: Path) -> None:
    """Of new phantoms few are refused; noise, text-like stripes and photographs' likes all are."""
    manifest = write_phantoms(tmp_path / "data", patients=12, slices=4)
    run = tumorscope.train(data=manifest, overrides=TINY, out=tmp_path / "run", device="cpu")
    predictor = Predictor.load(run.folder)
    new = write_phantoms(tmp_path / "new", patients=6, slices=4, first=100)
    files = sorted(new.parent.rglob("*.png"))
    refused = [not each.accepted for each in predictor.predict(files)]
    assert np.mean(refused) <= 0.2
    generator = np.random.default_rng(0)
    strangers = [
        generator.integers(0, 256, (90, 120), np.uint8),
        np.tile(np.array([[255] * 6 + [0] * 2], np.uint8), (200, 20)),
        255 - np.asarray(Image.open(files[0]).convert("L")),
        np.linspace(0, 255, 10_000).reshape(100, 100).astype(np.uint8),
    ]
    for answer in predictor.predict(strangers):
        assert not answer.accepted
        assert answer.label == ""
        assert "does not look like the training slices" in answer.reason


UTF_8 = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}


def test_a_name_stays_on_its_line_and_steers_no_terminal(
    command: Command, tiny_run: tumorscope.Run, images: list[str], tmp_path: Path
) -> None:
    """Newlines and escape sequences in file names are shown as what they are."""
    name = tmp_path / "a\nb\x1b[31m.png"
    name.write_bytes(Path(images[0]).read_bytes())
    ran = command("predict", tiny_run.folder, name)
    assert ran.returncode == 0, ran.stderr
    assert "\x1b" not in ran.stdout
    (line,) = [line for line in ran.stdout.splitlines() if "b" in line and ".png" in line]
    assert line.startswith(f"{tmp_path}/a\\nb\\x1b[31m.png\t")


def test_names_that_are_no_text_are_escaped(
    process: Command, command: Command, tiny_run: tumorscope.Run, images: list[str], tmp_path: Path
) -> None:
    """Of a file and of the folder of a data set, on a strict output and in every file written."""
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/set\xff"))
    for number, image in enumerate(images[:8]):
        place = folder / "ab"[number % 2] / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(image, place)
    strange = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xfe.png"))
    shutil.copy(images[0], strange)
    shown = process("predict", tiny_run.folder, strange, "--format", "csv", env=UTF_8)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert f"{tmp_path}/\\xfe.png," in shown.stdout
    assert command("predict", tiny_run.folder, strange, "--out", "a.jsonl").returncode == 0
    assert json.loads((tmp_path / "a.jsonl").read_text())["input"] == f"{tmp_path}/\\xfe.png"
    assert command("audit", folder, "--out", "audit").returncode == 0
    assert json.loads((tmp_path / "audit" / "audit.json").read_text())["data"] == "set\\xff"


def test_formats_say_the_same(command: Command, tiny_run: tumorscope.Run, mixed: Path) -> None:
    """Table, lines of JSON and CSV of the same inputs; each bad file is a row with its error."""
    lines = command("predict", tiny_run.folder, mixed, "nothing.png", "--format", "jsonl")
    assert lines.returncode == 1
    assert "3 of 5 files could not be read" in lines.stderr
    answers = {Path(a["input"]).name: a for a in map(json.loads, lines.stdout.splitlines())}
    assert answers["empty.png"]["error"] == "empty file"
    assert answers["nothing.png"]["error"] == "file not found"
    assert answers["blank.png"]["reason"].startswith("blank")
    assert not answers["blank.png"]["accepted"]
    assert answers["good.png"]["error"] is None
    assert set(answers["good.png"]) == {
        *("input", "label", "probabilities", "set", "accepted", "reason", "error", "seconds", "box")
    }
    as_json = command("predict", tiny_run.folder, mixed, "nothing.png", "--json")
    assert len(as_json.stdout.splitlines()) == 5
    table = command("predict", tiny_run.folder, mixed, "nothing.png", "--format", "csv")
    for row in csv.DictReader(io.StringIO(table.stdout)):
        answer = answers[Path(row["input"]).name]
        assert (row["label"], row["reason"]) == (answer["label"], answer["reason"])
        assert row["error"] == (answer["error"] or "")
        for name, value in answer["probabilities"].items():
            assert float(row[f"probability_{name}"]) == pytest.approx(value, abs=1e-5)
    plain = command("predict", tiny_run.folder, mixed)
    header, *rows = [line.split("\t") for line in plain.stdout.splitlines()]
    assert header == ["input", "class", "probability", "note"]
    assert {row[1] for row in rows} >= {"error", "refused"}


def test_lists_patterns_and_folders(tmp_path: Path, images: list[str]) -> None:
    """A list on standard input, a pattern and a folder name the same files."""
    folder = Path(images[0]).parent
    below = [path for path in images if str(folder) in path]
    assert list(list_inputs([str(folder)])) == below
    assert list(list_inputs([str(folder / "**" / "*.png")])) == below
    assert list(list_inputs(["-"], io.StringIO("\n".join(below) + "\n\n"))) == below
    assert list(list_inputs([str(tmp_path / "*.nothing")])) == [str(tmp_path / "*.nothing")]
    odd = tmp_path / "a[1].png"
    odd.write_bytes(b"")
    assert list(list_inputs([str(odd)])) == [str(odd)]


def test_a_list_on_standard_input(
    process: Command, tiny_run: tumorscope.Run, images: list[str]
) -> None:
    """`-` reads the names from standard input."""
    run = process("predict", tiny_run.folder, "-", "--format", "jsonl", input="\n".join(images[:3]))
    assert run.returncode == 0
    assert [json.loads(line)["input"] for line in run.stdout.splitlines()] == images[:3]


def test_all_cores_answer_unless_told_otherwise(
    command: Command,
    tiny_run: tumorscope.Run,
    images: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On standard output as in a file."""
    asked = []
    predict = Predictor.predict

    def noted(self: Predictor, pictures: list[str], *, workers: int | None = None) -> Iterator[Any]:
        asked.append(workers)
        return predict(self, pictures, workers=workers)

    monkeypatch.setattr(Predictor, "predict", noted)
    for options in ([], ["--out", "answers.csv"], ["--workers", "1"]):
        assert command("predict", tiny_run.folder, *images[:2], *options).returncode == 0
    assert asked == [os.cpu_count(), os.cpu_count(), 1]


def test_output_that_nobody_can_take(tiny_run: tumorscope.Run, images: list[str]) -> None:
    """A full device is an error in a sentence; a reader who has left is none."""
    words = [sys.executable, "-m", "tumorscope", "predict", str(tiny_run.folder), *images[:3]]
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ran.returncode == 2
    assert ran.stderr.splitlines()[-1].endswith(
        "cannot be read or written (No space left on device)."
    )
    assert "Traceback" not in ran.stderr
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.close()
        assert process.wait(timeout=120) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere", "x.png"], "is not a bundle"),
        (["RUN", "--engine", "ray", "x.png"], "--out"),
        (["RUN", "--out", "answers.txt", "x.png"], "must end in .jsonl or .csv"),
        (["RUN", "empty"], "no files in empty"),
    ],
)
def test_predict_refuses_in_a_sentence(
    command: Command, tiny_run: tumorscope.Run, tmp_path: Path, arguments: list[str], words: str
) -> None:
    """A user's mistake ends with a sentence and exit code 2."""
    (tmp_path / "empty").mkdir()
    given = [str(tiny_run.folder) if word == "RUN" else word for word in arguments]
    run = command("predict", *given)
    assert run.returncode == 2
    assert words in run.stderr
    assert "Traceback" not in run.stderr


class Watched(Quiet):
    """A progress that keeps the totals of what it follows."""

    def __init__(self) -> None:
        self.totals: list[int | None] = []

    @contextmanager
    def task(self, title: str, total: int | None, unit: str = "images") -> Iterator[Task]:
        """Keep the total."""
        self.totals.append(total)
        yield self


def test_an_archive_is_answered_in_order(
    tiny_run: tumorscope.Run, tmp_path: Path, images: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts are joined in order, as lines of JSON and as CSV, and are gone afterwards."""
    monkeypatch.setattr("tumorscope.inference.archive.PART", 7)
    names = [*images[:20], "missing.png", *images[20:]]
    for suffix in ("jsonl", "csv"):
        out = tmp_path / f"answers.{suffix}"
        watched = Watched()
        scored = score_archive(tiny_run.folder, names, out, progress=watched)
        assert watched.totals == [len(names)]
        assert (scored.inputs, scored.failed) == (len(names), 1)
        assert sorted(path.name for path in tmp_path.glob(f"*{suffix}*")) == [out.name]
        with pytest.raises(UsageError, match="exists"):
            score_archive(tiny_run.folder, names, out, progress=Quiet())
    lines = (tmp_path / "answers.jsonl").read_text().splitlines()
    assert [json.loads(line)["input"] for line in lines] == names
    with (tmp_path / "answers.csv").open() as file:
        assert [row["input"] for row in csv.DictReader(file)] == names


def _start(folder: Path, listing: Path, out: Path, *more: str) -> "subprocess.Popen[bytes]":
    words = ["predict", str(folder), "-", "--out", str(out), "--quiet", *more]
    with listing.open("rb") as names:
        return subprocess.Popen([sys.executable, "-m", "tumorscope", *words], stdin=names)


def _wait_for_parts(out: Path, count: int, process: "subprocess.Popen[bytes]") -> list[Path]:
    folder = out.with_name(out.name + ".parts")
    for _ in range(6000):
        if len(found := sorted(folder.glob("0*.jsonl"))) >= count:
            return found
        assert process.poll() is None
        time.sleep(0.05)
    raise AssertionError("no part was written")


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_archive_goes_on(
    tiny_run: tumorscope.Run, tmp_path: Path, images: list[str], sign: signal.Signals
) -> None:
    """After kill -9 or Ctrl-C the same command answers what is missing, and nothing twice."""
    names = [images[number % len(images)] for number in range(12 * PART + 5)]
    listing, out = tmp_path / "names.txt", tmp_path / "answers.jsonl"
    listing.write_text("\n".join(names))
    first = _start(tiny_run.folder, listing, out)
    done = _wait_for_parts(out, 2, first)
    first.send_signal(sign)
    assert first.wait() == (130 if sign == signal.SIGINT else -sign)
    assert not out.exists()
    stamps = {path: path.stat().st_mtime_ns for path in done}
    again = _start(tiny_run.folder, listing, out)
    _wait_for_parts(out, len(done) + 1, again)
    assert {path: path.stat().st_mtime_ns for path in done} == stamps
    assert again.wait(timeout=120) == 0
    assert [json.loads(line)["input"] for line in out.read_text().splitlines()] == names


def test_ray_gives_the_same_answers_though_a_worker_dies(
    tiny_run: tumorscope.Run, tmp_path: Path, images: list[str]
) -> None:
    """Two workers of a local cluster, one of them killed midway: order, count and answers hold."""
    pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    names = [images[number % len(images)] for number in range(8 * PART)]
    names[3] = str(tmp_path / "missing.png")
    listing, out = tmp_path / "names.txt", tmp_path / "answers.jsonl"
    listing.write_text("\n".join(names))
    process = _start(tiny_run.folder, listing, out, "--engine", "ray", "--workers", "2")
    _wait_for_parts(out, 1, process)
    workers = [
        each
        for each in psutil.Process(process.pid).children(recursive=True)
        if any("MapWorker" in word for word in each.cmdline())
    ]
    assert workers
    os.kill(workers[0].pid, signal.SIGKILL)
    assert process.wait(timeout=300) == 1  # a file is missing
    answers = [json.loads(line) for line in out.read_text().splitlines()]
    assert [answer["input"] for answer in answers] == names
    assert [n for n, answer in enumerate(answers) if answer["error"]] == [3]
    alone = Predictor.load(tiny_run.folder)(names[100]).probabilities
    assert answers[100]["probabilities"] == pytest.approx(alone, abs=1e-6)


@given(place=st.integers(0, 10_000), content=st.binary(min_size=1, max_size=64))
@settings(max_examples=300, deadline=None)
def test_no_bytes_crash_the_readers(real_data: Path, place: int, content: bytes) -> None:
    """Real files with some bytes overwritten are read, or refused in words."""
    for name in ("yesno/yes/Y1.jpg", "yesno/no/10 no.jpg"):
        harmed = bytearray((real_data / name).read_bytes())
        place %= len(harmed)
        harmed[place : place + len(content)] = content
        try:
            found = decode_image(bytes(harmed))
        except UnreadableImage:
            continue
        assert found.pixels.ndim == 2
