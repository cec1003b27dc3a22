"""The round trip with a real archive (Orthanc): images in, reports back, whatever is killed."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import generate_uid

import tumorscope
from tests.conftest import Command
from tests.scans import write_series
from tumorscope.cli.archive import tls_contexts
from tumorscope.errors import ArchiveError
from tumorscope.pacs.dimse import Local, Node, has, receiving, send
from tumorscope.pacs.inbox import Inbox

needs_orthanc = pytest.mark.skipif(shutil.which("Orthanc") is None, reason="Orthanc is missing")

WEB_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@dataclass(frozen=True)
class Orthanc:
    """An archive that runs on this machine for a test."""

    web: str
    node: Node
    ours: int  # the port at which it thinks we are

    def ask(self, path: str, **body: Any) -> Any:
        """Ask its own interface."""
        data = json.dumps(body).encode() if body else None
        with urllib.request.urlopen(f"{self.web}{path}", data, timeout=20) as answer:  # noqa: S310
            return json.loads(answer.read())

    def upload(self, folder: Path) -> None:
        """Put images into it."""
        for path in folder.iterdir():
            request = urllib.request.Request(f"{self.web}/instances", path.read_bytes())  # noqa: S310
            urllib.request.urlopen(request, timeout=20).close()  # noqa: S310

    def reports(self) -> list[str]:
        """Return the instances that are no MR images."""
        found = [self.ask(f"/series/{own}") for own in self.ask("/series")]
        return [
            instance
            for own in found
            if own["MainDicomTags"]["Modality"] != "MR"
            for instance in own["Instances"]
        ]


def free_port() -> int:
    """Return a port that is free now."""
    with receiving(Local(), ("127.0.0.1", 0), ["X"], lambda *_: None) as port:
        return port


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Orthanc]:
    """A fresh archive, which knows us."""
    http, dicom, ours = free_port(), free_port(), free_port()
    settings = {
        "StorageDirectory": str(tmp_path / "orthanc"),
        "IndexDirectory": str(tmp_path / "orthanc"),
        "Plugins": [str(WEB_PLUGIN)],
        "HttpPort": http,
        "DicomPort": dicom,
        "DicomAet": "ORTHANC",
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomModalities": {"us": ["TUMORSCOPE", "127.0.0.1", ours]},
        "DicomWeb": {"Enable": True},
    }
    (tmp_path / "orthanc.json").write_text(json.dumps(settings), encoding="utf-8")
    log = (tmp_path / "orthanc.log").open("w")
    process = subprocess.Popen(["Orthanc", tmp_path / "orthanc.json"], stdout=log, stderr=log)
    found = Orthanc(f"http://127.0.0.1:{http}", Node("ORTHANC", "127.0.0.1", dicom), ours)
    try:
        wait(lambda: found.ask("/system"))
        yield found
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def wait(look: Any, seconds: float = 40) -> Any:
    """Return what a look finds, as soon as it finds something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if found := look():
                return found
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError("nothing came in time")


@contextmanager
def listening(
    run: tumorscope.Run, folder: Path, orthanc: Orthanc, **variables: str
) -> Iterator["subprocess.Popen[str]"]:
    """Listen in a process of its own, until the end or a kill."""
    words = ["listen", str(run.folder), "--allow", "ORTHANC", "--inbox", "inbox"]
    words += ["--send-to", str(orthanc.node), "--port", str(orthanc.ours), "--quiet-for", "1"]
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "tumorscope", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **variables},
    )
    try:
        assert process.stdout is not None
        assert "listens on" in process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.communicate()


@needs_orthanc
def test_series_go_there_and_reports_come_back(
    tiny_run: tumorscope.Run, orthanc: Orthanc, tmp_path: Path, command: Command
) -> None:
    """In the same study; fetched by both protocols; strangers are turned away."""
    write_series(tmp_path / "scan", "glioma", 1)
    orthanc.upload(tmp_path / "scan")
    (study,) = orthanc.ask("/studies")
    uid = orthanc.ask(f"/studies/{study}")["MainDicomTags"]["StudyInstanceUID"]
    web = command("fetch", f"{orthanc.web}/dicom-web", "web", "--study", uid)
    assert web.returncode == 0, web.stderr
    port = ("--port", str(orthanc.ours))
    moved = command("fetch", str(orthanc.node), "moved", "--study", uid, *port)
    assert moved.returncode == 0, moved.stderr
    names = [sorted(p.name for p in (tmp_path / f).rglob("*.dcm")) for f in ("web", "moved")]
    assert names[0] == names[1]
    assert len(names[0]) == 12
    with listening(tiny_run, tmp_path, orthanc) as process:
        stranger = Node("TUMORSCOPE", "127.0.0.1", orthanc.ours)
        with pytest.raises(ArchiveError, match="refuses us"):
            send(Local("STRANGER"), stranger, next((tmp_path / "scan").iterdir()))
        orthanc.ask("/modalities/us/store", Resources=[study], Synchronous=True)
        reports = wait(lambda: len(found := orthanc.reports()) == 2 and found)
        assert process.stdout is not None
        said = wait(lambda: process.stdout.readline() if process.stdout else "")
    assert re.match(r"series-\w{12}: \w+ [\d.]+%, 2 objects sent to ORTHANC@", said)
    tags = [orthanc.ask(f"/instances/{own}/simplified-tags") for own in reports]
    assert {own["Modality"] for own in tags} == {"SR", "OT"}
    assert {own["StudyInstanceUID"] for own in tags} == {uid}
    (report,) = (tmp_path / "inbox").rglob("*-report.dcm")
    assert has(Local(), orthanc.node, report)  # what is asked where a kill left it open
    assert not has(Local(), orthanc.node, other(report))
    wrong = command("fetch", f"{orthanc.web}/nothing", "x", "--study", uid)
    assert (wrong.returncode, "DICOMweb" in wrong.stderr) == (2, True)
    nobody = command("fetch", "PACS@127.0.0.1:1", "x", "--study", uid, *port)
    assert (nobody.returncode, "cannot be reached" in nobody.stderr) == (2, True)


def other(path: Path) -> Path:
    """Return a copy of an object under another UID."""
    own = pydicom.dcmread(path)
    own.SOPInstanceUID = own.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    own.save_as(path.with_name("other.dcm"))
    return path.with_name("other.dcm")


@needs_orthanc
def test_a_kill_at_any_point_loses_nothing_and_doubles_nothing(
    tiny_run: tumorscope.Run, orthanc: Orthanc, tmp_path: Path
) -> None:
    """Killed while images come, while it answers and while it sends; then let go on."""
    for number in range(3):
        write_series(tmp_path / f"scan{number}", "glioma", number)
        orthanc.upload(tmp_path / f"scan{number}")
    pending = list(orthanc.ask("/studies"))
    for pause in (0.3, 1.1, 1.5, 1.9):
        with listening(tiny_run, tmp_path, orthanc) as process:
            if pending:
                body = {"Resources": [pending[0]], "Asynchronous": True}
                orthanc.ask("/modalities/us/store", **body)
            time.sleep(pause)
            process.send_signal(signal.SIGKILL)
            process.wait()
        inbox = tmp_path / "inbox" / "images"
        complete = [folder for folder in inbox.iterdir() if len(list(folder.glob("*.dcm"))) == 12]
        if pending and len(complete) > 3 - len(pending):
            pending.pop(0)
    with listening(tiny_run, tmp_path, orthanc):
        for study in pending:
            orthanc.ask("/modalities/us/store", Resources=[study], Synchronous=True)
        done = tmp_path / "inbox" / "answers"
        wait(lambda: len(list(done.glob("*/done.json"))) >= 3)
        time.sleep(2)
    whole = [json.loads(path.read_text()) for path in done.glob("*/done.json")]
    assert len(whole) >= 3
    by_study: dict[str, list[str]] = {}
    for own in orthanc.reports():
        tags = orthanc.ask(f"/instances/{own}/simplified-tags")
        by_study.setdefault(tags["StudyInstanceUID"], []).append(tags["Modality"])
    assert len(by_study) == 3
    for modalities in by_study.values():  # a series that was seen in part may have two answers
        assert modalities.count("SR") == modalities.count("OT") >= 1
    sent = sum(own["sent"] for own in whole)
    assert sent == sum(map(len, by_study.values()))


def test_one_process_uses_an_inbox(tmp_path: Path) -> None:
    """A second one is told so."""
    first = Inbox(tmp_path / "inbox")
    with pytest.raises(tumorscope.TumorscopeError, match="used by another process"):
        Inbox(tmp_path / "inbox")
    assert first.arrived(0) == []
    first.close()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is missing")
def test_connections_can_be_encrypted(tmp_path: Path) -> None:
    """Both ends show a certificate of one authority; without one, nothing is taken."""
    cert, key = (tmp_path / name for name in ("cert.pem", "key.pem"))
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=x", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-out", cert, "-keyout", key),
        ],
        check=True,
        capture_output=True,
    )
    contexts = tls_contexts(cert, key, cert)
    assert contexts is not None
    served, sending = contexts
    write_series(tmp_path / "scan", "glioma", 1, slices=1)
    (image,) = (tmp_path / "scan").iterdir()
    taken: list[bytes] = []
    keep = lambda _, content: taken.append(content)  # noqa: E731
    with receiving(Local(tls=served), ("127.0.0.1", 0), ["TUMORSCOPE"], keep) as port:
        node = Node("TUMORSCOPE", "127.0.0.1", port)
        send(Local(tls=sending), node, image)
        with pytest.raises(ArchiveError):
            send(Local(), node, image)
    assert len(taken) == 1
    with pytest.raises(tumorscope.TumorscopeError, match="TLS needs"):
        tls_contexts(cert, None, None)


def test_addresses_and_titles_that_cannot_be_are_named(command: Command) -> None:
    """Sentences, not tracebacks."""
    for words in (
        ("fetch", "nobody", "x", "--study", "1.2"),
        ("fetch", "PACS@127.0.0.1:99999", "x", "--study", "1.2"),
        ("fetch", "PACS@127.0.0.1:1", "x", "--study", "no uid"),
        ("fetch", "PACS@127.0.0.1:1", "x", "--study", "1.2", "--title", "much too long a title"),
        ("listen", "tumor-type-t1c", "--allow", "much too long a title", "--port", "0"),
        ("listen", "tumor-type-t1c", "--allow", "PACS", "--delete"),
    ):
        done = command(*words)
        assert done.returncode == 2, words
        assert done.stderr.startswith("tumorscope: "), done.stderr
