"""Rows of many threads in few transactions: a commit waits for the disk, whoever it is for."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any

from sqlalchemy import Engine, Table, insert

from tumorscope.watching.tables import METADATA

TOGETHER = 256  # writes of one transaction at most

Addition = tuple[Table, Sequence[Mapping[str, Any]]]
Waiting = tuple[Sequence[Addition], "Future[None]"]


class GroupedWriter:
    """Adds rows in the order in which they are handed in; those that wait share a transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: SimpleQueue[Waiting | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="log", daemon=True)
        self._thread.start()

    def write(self, additions: Sequence[Addition]) -> None:
        """Add rows to tables, all or none; return when they are safe on the disk.

        Raises:
            DBAPIError: the database cannot take them.
        """
        future: Future[None] = Future()
        self._waiting.put((additions, future))
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
                for table, rows in _by_table(some):
                    connection.execute(insert(table), rows)
        except Exception as error:  # noqa: BLE001 (goes to whoever waits)
            if len(some) > 1:  # one of them is to blame
                for one in some:
                    self._add([one])
            else:
                for _, future in some:
                    future.set_exception(error)
            return
        for _, future in some:
            future.set_result(None)


def _by_table(some: Sequence[Waiting]) -> Iterator[tuple[Table, list[Mapping[str, Any]]]]:
    """Yield the rows of each table together; a table that others refer to comes before them."""
    rows: dict[Table, list[Mapping[str, Any]]] = {}
    for additions, _ in some:
        for table, own in additions:
            rows.setdefault(table, []).extend(own)
    for table in METADATA.sorted_tables:
        if table in rows:
            yield table, rows[table]
