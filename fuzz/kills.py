"""Kill the server, or a process of it that reads, at random moments while clients send images.

    python fuzz/kills.py RUN_OR_BUNDLE 50 IMAGE IMAGE …

After each kill the log and the store are read as they lie on the disk. A fault is: a database that
is damaged, a kept file that is not what its name says, a confirmed case that is missing or says
something else than before, a case whose images are kept and that is never answered, or, while only
readers are killed, a request that is not answered in words.
"""

import argparse
import contextlib
import hashlib
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.server import Server

from tumorscope.serve.content import ADDRESS

CLIENTS, REQUESTS = 8, 32  # at once, and between two kills
PATIENCE = 60.0  # seconds until every case must have its answer


def main() -> None:
    """Kill as often as asked, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("times", type=int)
    parser.add_argument("images", nargs="+", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(dict(kill_often(asked.model, Path(folder), asked.images, asked.times)))


def kill_often(model: Path, folder: Path, images: list[Path], times: int) -> Counter[str]:
    """Kill the server and its readers in turn.

    Args:
        model: what answers.
        folder: where log and images go; empty.
        images: to send.
        times: how often to kill.

    Returns:
        How many kills of each kind there were, and what became of requests and cases.
    """
    draw = random.Random(0)  # noqa: S311 (no secret)
    server, told = Server(model, folder), Counter[str]()
    confirmed: dict[str, str] = {}
    waiting = cycle(images)
    try:
        for number in range(times):
            whole = number % 2 == 0
            with ThreadPoolExecutor(CLIENTS) as pool:
                sent = [pool.submit(_send, server, path) for path in islice(waiting, 0, REQUESTS)]
                time.sleep(draw.uniform(0.02, 0.5))
                if whole:
                    server.kill()
                else:
                    _kill_readers(server)
            told["kills of the server" if whole else "kills of its readers"] += 1
            for future in sent:
                case, label, said = future.result()
                told[said] += 1
                if case:
                    confirmed[case] = label
                assert whole or said != "no answer", "a request was lost though the server lived"
            if whole:
                look_at_disk(server.log)
                server.start()
        told["cases confirmed"] = len(confirmed)
        told["cases in the log"] = _all_answered(server, confirmed)
    finally:
        server.kill()
    look_at_disk(server.log)
    return told


def _send(server: Server, path: Path) -> tuple[str, str, str]:
    """Send an image; return its case and label where that is confirmed, and how it went."""
    try:
        with path.open("rb") as content:
            done = httpx.post(
                f"{server.address}/api/cases", files={"files": (path.name, content)}, timeout=30
            )
    except httpx.HTTPError:
        return "", "", "no answer"
    if done.status_code == 201:
        (case,) = done.json()
        return case["id"], case["label"], "answered"
    assert 400 <= done.status_code < 500, done.text
    assert done.json()["detail"].endswith("."), done.text
    return "", "", "refused"


def _kill_readers(server: Server) -> None:
    for own in server.readers():
        with contextlib.suppress(psutil.Error):
            own.kill()


def look_at_disk(log: Path) -> None:
    """Say whether what lies on the disk is whole."""
    with contextlib.closing(sqlite3.connect(log / "log.sqlite")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    for path in (log / "images").rglob("*"):
        if path.is_file() and ADDRESS.fullmatch(path.name):
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name, path


def _all_answered(server: Server, confirmed: dict[str, str]) -> int:
    """Wait until every case is answered; return how many there are."""
    deadline = time.monotonic() + PATIENCE
    while True:
        cases: list[dict[str, str]] = []
        while len(some := _listed(server, len(cases))) > 0:
            cases += some
        if all(case["status"] == "answered" for case in cases):
            break
        assert time.monotonic() < deadline, [c for c in cases if c["status"] != "answered"]
        time.sleep(0.2)
    found = {case["id"]: case["label"] for case in cases}
    wrong = {
        case
        for case, label in confirmed.items()
        if case not in found or label not in ("", found[case])
    }
    assert not wrong, wrong
    return len(found)


def _listed(server: Server, first: int) -> list[dict[str, str]]:
    asked = {"first": first, "count": 500}
    found: list[dict[str, str]] = httpx.get(f"{server.address}/api/cases", params=asked).json()[
        "cases"
    ]
    return found


if __name__ == "__main__":
    main()
