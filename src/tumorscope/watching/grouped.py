"""Rows of many threads in few transactions: a commit waits for the disk, whoever it is for."""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any

from sqlalchemy import Engine, Table, insert

TOGETHER = 256  # writes of one transaction at most

Rows = Sequence[Mapping[str, Any]]
Waiting = tuple[Table, Rows, "Future[None]"]


class GroupedWriter:
    """Adds rows in the order in which they are handed in; those that wait share a transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: SimpleQueue[Waiting | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="log", daemon=True)
        self._thread.start()

    def write(self, table: Table, rows: Rows) -> None:
        """Add rows to a table; return when they are safe on the disk.

        Raises:
            DBAPIError: the database cannot take them.
        """
        future: Future[None] = Future()
        self._waiting.put((table, rows, future))
        future.result()

    def close(self) -> None:
        """Write what waits, and end."""
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        open_ = True
        while open_:
            some = [self._waiting.get()]
            while some[-1] is not None and len(some) < TOGETHER:
                try:
                    some.append(self._waiting.get_nowait())
                except Empty:
                    break
            if some[-1] is None:
                open_ = False
            self._add([one for one in some if one is not None])

    def _add(self, some: Sequence[Waiting]) -> None:
        try:
            with self._engine.begin() as connection:
                for table, rows, _ in some:
                    connection.execute(insert(table), list(rows))
        except Exception as error:  # noqa: BLE001 (goes to whoever waits)
            if len(some) > 1:  # one of them is to blame
                for one in some:
                    self._add([one])
            else:
                for _, _, future in some:
                    future.set_exception(error)
            return
        for _, _, future in some:
            future.set_result(None)
