"""A real PostgreSQL of our own, for the tests that need one."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

OWNER = "postgres"


def _programs() -> Path | None:
    """Where PostgreSQL's server is installed; None where it is not."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        return int(own.getsockname()[1])


def start_postgresql(folder: Path) -> Iterator[str]:
    """Start a server with a database of its own, yield its address, and stop it."""
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL here: install Debian's package postgresql")
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    run = ["runuser", "-u", OWNER, "--"] if root else []
    home = folder / "postgresql"
    home.mkdir()
    if root:  # it refuses to run as root, and must reach its folder
        for place in (home, *home.parents[: len(home.parents) - 2]):
            place.chmod(place.stat().st_mode | 0o055)
        shutil.chown(home, OWNER)
    data, port = home / "data", free_port()

    def call(program: str, *words: str) -> None:
        """Run one of its programs."""
        done = subprocess.run(
            [*run, str(programs / program), *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    call("initdb", "-D", str(data), "--auth=trust", "--username", OWNER, "--no-sync")
    options = f"-p {port} -k {home} -c listen_addresses=127.0.0.1 -c fsync=off"
    call("pg_ctl", "-D", str(data), "-w", "-l", str(home / "log"), "-o", options, "start")
    try:
        yield f"postgresql://{OWNER}@127.0.0.1:{port}/{OWNER}"
    finally:
        call("pg_ctl", "-D", str(data), "-m", "immediate", "stop")
