"""A process for work that may harm it: held to limits, replaced where it dies or hangs."""

import multiprocessing
import signal
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from tumorscope.serve.limits import RefusedUpload

LOST = (EOFError, OSError)  # what a pipe raises whose other end is gone


class ExpendableProcess:
    """One process that reads; for one thread at a time. No sandbox, but expendable."""

    def __init__(self, memory: int, seconds: float) -> None:
        """Take the limits of it; it starts with the first call.

        Args:
            memory: bytes of address space, above what it starts with.
            seconds: that one call may take.
        """
        self._memory, self._seconds = memory, seconds
        self._running: tuple[SpawnProcess, Connection] | None = None

    def start(self) -> None:
        """Start it, however long that takes."""
        self._ask(int, ())

    def run(self, function: Any, *arguments: object) -> Any:
        """Return what a function gives there.

        Raises:
            RefusedUpload: it takes too long, or more memory than it may.
        """
        for _ in range(2):  # it may have died while nobody asked
            try:
                worked, found = self._ask(function, arguments, self._seconds)
            except TimeoutError:
                self.end()
                raise RefusedUpload(
                    f"Reading this takes more than {self._seconds:g} seconds: send less of "
                    "it at once."
                ) from None
            except LOST:
                self.end()
                continue
            if worked:
                return found
            if not isinstance(found, MemoryError):
                raise found
            break
        raise RefusedUpload(
            "Reading this takes more memory than an upload may: send less of it at once."
        )

    def end(self) -> None:
        """End the process; the next call starts another."""
        if self._running is not None:
            process, pipe = self._running
            self._running = None
            pipe.close()
            process.kill()  # what hangs does not listen
            process.join()

    def _ask(
        self, function: Any, arguments: tuple[object, ...], seconds: float | None = None
    ) -> tuple[bool, Any]:
        """Return whether a function worked, and what it gave or raised."""
        if self._running is None:
            self._running = self._started()
        _, pipe = self._running
        pipe.send((function, arguments))
        if not pipe.poll(seconds):
            raise TimeoutError
        answer: tuple[bool, Any] = pipe.recv()
        return answer

    def _started(self) -> tuple[SpawnProcess, Connection]:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, self._memory), daemon=True)
        try:
            process.start()
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return process, ours


def _work(pipe: Connection, memory: int) -> None:
    """Do what is asked until nobody asks any more. Runs in the other process."""
    _limit(memory)
    while True:
        try:
            function, arguments = pipe.recv()
        except LOST:
            return
        try:
            answer = (True, function(*arguments))
        except Exception as error:  # noqa: BLE001 (goes to whoever asked)
            answer = (False, error)
        pipe.send(answer)


def _limit(memory: int) -> None:
    """Take away what a reader of files does not need."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        import resource  # noqa: PLC0415 (not on Windows)
    except ImportError:
        return
    with Path("/proc/self/statm").open(encoding="ascii") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + memory, used + memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
