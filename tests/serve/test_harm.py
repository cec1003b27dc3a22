"""What a server outlives: kills at any moment, and a disk that fills."""

import contextlib
import io
import os
import socket
import subprocess
from collections.abc import Iterator
from multiprocessing.context import SpawnProcess
from pathlib import Path

import httpx
import pytest
from fuzz.kills import kill_often, look_at_disk

import tumorscope
from tests.conftest import Command
from tests.server import Server
from tumorscope.serve.content import ContentFolder
from tumorscope.serve.expendable import ExpendableProcess
from tumorscope.serve.limits import RefusedUpload


def test_what_was_confirmed_outlives_kills(
    tiny_run: tumorscope.Run, images: list[Path], tmp_path: Path
) -> None:
    """SIGKILL of the server and of what reads, while requests come in: nothing lost, all whole."""
    told = kill_often(tiny_run.folder, tmp_path, images, 4)
    assert told["cases in the log"] >= told["cases confirmed"] > 0
    assert told["kills of the server"] == told["kills of its readers"] == 2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no 'mount' here")
    if done.returncode:
        pytest.skip(f"no disk of our own here: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_process_that_cannot_start_is_started_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many processes at one moment: a refusal then, and an answer to the next upload."""
    process = ExpendableProcess(memory=1 << 30, seconds=60)

    def fails(_: SpawnProcess) -> None:
        """Start nothing."""
        raise BlockingIOError("no more processes")

    with monkeypatch.context() as patch:
        patch.setattr(SpawnProcess, "start", fails)
        with pytest.raises(RefusedUpload):
            process.run(int)
    assert process.run(int, "7") == 7
    process.end()


def test_a_secret_that_cannot_be_kept_is_told_at_the_start(
    command: Command, tiny_run: tumorscope.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever starts the server reads it, and no client reads the server's paths."""
    (tmp_path / "file").touch()
    monkeypatch.delenv("TUMORSCOPE_SALT", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    done = command("serve", tiny_run.folder, "--log", tmp_path / "log", "--port", "0")
    assert done.returncode == 2
    assert "TUMORSCOPE_SALT" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_store_that_cannot_be_written_is_told_at_the_start(
    command: Command, tiny_run: tumorscope.Run, tmp_path: Path
) -> None:
    """No upload is the first to meet it."""
    (tmp_path / "file").touch()
    done = command(
        *("serve", tiny_run.folder, "--log", tmp_path / "log", "--port", "0"),
        *("--store", tmp_path / "file" / "images"),
    )
    assert done.returncode == 2
    assert "choose another place with --store" in " ".join(done.stderr.split())


def test_a_port_that_is_taken_is_a_sentence(
    command: Command, tiny_run: tumorscope.Run, tmp_path: Path
) -> None:
    """So is a host that is no machine's."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for words in (["--port", port], ["--port", "0", "--host", "nowhere.invalid"]):
            done = command("serve", tiny_run.folder, "--log", tmp_path / "log", *words)
            assert done.returncode == 2
            assert "choose another --host or --port" in " ".join(done.stderr.split())


def test_what_a_kill_leaves_in_the_store_is_removed(tmp_path: Path) -> None:
    """Half-written files of an hour ago go; what is whole, or being written, stays."""
    store = ContentFolder(tmp_path)
    address = store.put(io.BytesIO(b"whole"))
    old, new = (tmp_path / address[:2] / f".{address}.{end}" for end in ("a1", "b2"))
    for path in (old, new):
        path.write_bytes(b"ha")
    os.utime(old, (0, 0))
    store = ContentFolder(tmp_path)
    content = store.open(address)
    assert content is not None
    with content:
        assert content.read() == b"whole"
    assert (old.exists(), new.exists()) == (False, True)


def test_a_full_disk_for_temporary_files_is_a_sentence(
    small_disk: Path, tiny_run: tumorscope.Run, images: list[Path], tmp_path: Path
) -> None:
    """An upload that is too large for it is refused; small ones, which need none, are answered."""
    server = Server(tiny_run.folder, tmp_path, environment={"TMPDIR": str(small_disk)})
    try:
        for count in (1, 2):
            large = [("files", (f"{n}.bmp", b"BM" + bytes(9 << 20))) for n in range(count)]
            refused = httpx.post(f"{server.address}/api/cases", files=large, timeout=60)
            assert (refused.status_code, "disk may be full" in refused.text) == (503, True)
            assert str(small_disk) not in refused.text
        answered = httpx.post(
            f"{server.address}/api/cases", files={"files": images[0].read_bytes()}, timeout=30
        )
        assert answered.status_code == 201
        assert not list(small_disk.glob("tumorscope-*"))
    finally:
        server.kill()


def test_a_full_disk_is_a_sentence(
    small_disk: Path, tiny_run: tumorscope.Run, images: list[Path]
) -> None:
    """Nothing that was kept is damaged, and with room again the server goes on as it was."""
    server = Server(tiny_run.folder, small_disk, log=small_disk / "log")
    filler = small_disk / "filler"

    def send(path: Path) -> httpx.Response:
        """Send an image."""
        return httpx.post(
            f"{server.address}/api/cases", files={"files": path.read_bytes()}, timeout=30
        )

    try:
        before = send(images[0])
        assert before.status_code == 201
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        refused = [own for path in images[1:] * 20 if (own := send(path)).status_code != 201]
        assert refused
        for own in refused:
            assert own.status_code == 503, own.text
            assert "disk may be full" in own.json()["detail"]
            assert str(small_disk) not in own.text
        filler.unlink()
        assert send(images[2]).status_code == 201
        case = before.json()[0]
        again = httpx.get(f"{server.address}/api/cases/{case['id']}").json()
        assert again["answer"] == case["answer"]
    finally:
        server.kill()
    look_at_disk(server.log)
