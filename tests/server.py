"""`tumorscope serve` as a process, for the tests that need one that can be killed."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx
import psutil

from tests.databases import free_port


class Server:
    """`tumorscope serve` in a process of its own, on a folder that outlives it."""

    def __init__(
        self,
        model: Path,
        folder: Path,
        *words: str,
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start it with further words; its log lies in `folder/log` unless said otherwise."""
        self._environment = {**os.environ, **(environment or {})}
        self.log, self.port = log or folder / "log", free_port()
        self._command = [
            *(sys.executable, "-m", "tumorscope", "serve", str(model)),
            *("--log", str(self.log), "--port", str(self.port)),
            *words,
        ]
        self.start()

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(300):
            try:
                if httpx.get(f"{self.address}/api/health", timeout=1).status_code == 200:
                    return
            except httpx.HTTPError:
                time.sleep(0.1)
        raise AssertionError("the server does not answer")

    def readers(self) -> list[psutil.Process]:
        """Return the processes that read uploads."""
        found = psutil.Process(self.process.pid).children(recursive=True)
        return [own for own in found if "spawn_main" in " ".join(own.cmdline())]

    def kill(self) -> None:
        """Kill it and what it has started, at once."""
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.kill()
        self.process.kill()
        self.process.wait()
