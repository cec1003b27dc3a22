"""Where a log lies: a SQLite file in a folder, or a PostgreSQL database, brought up to date."""

import os
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from tumorscope.support.files import explained

DATABASE = "log.sqlite"
PATIENCE = 30  # seconds that a writer waits for another
POSTGRESQL = "postgresql"
DRIVER = "postgresql+pg8000"
READING = "tumorscope_reading"  # marks connections that write nothing


def open_database(place: str, *, reading: bool = False) -> tuple[str, Engine]:
    """Return where a log is, fit to be shown, and what connects to it.

    Args:
        place: a folder, or an address of PostgreSQL.
        reading: whether it is there and only read, so that its folder need not be writable.
    """
    if place.startswith(POSTGRESQL):
        address = DRIVER + place[place.index(":") :]
        engine = create_engine(address, pool_pre_ping=True)
        return engine.url.render_as_string(hide_password=True), engine
    folder = Path(place)
    with explained(folder, "with --log"):
        folder.mkdir(parents=True, exist_ok=True)
    database = folder / DATABASE
    if reading and not all(os.access(own, os.W_OK) for own in (folder, database)):
        return str(folder), create_engine(
            "sqlite://", poolclass=QueuePool, creator=partial(_open_to_read, database)
        )
    engine = create_engine(
        f"sqlite:///{database}",
        poolclass=QueuePool,
        connect_args={"timeout": PATIENCE, "check_same_thread": False},
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return str(folder), engine


def _open_to_read(database: Path) -> sqlite3.Connection:
    """Open a database beside which nothing can be written.

    While someone writes to it, SQLite reads along by the files that lie beside it. Where there are
    none nobody does, and it must be told so, since it would want to make them; what someone begins
    to write later is not seen.
    """
    beside = database.with_name(f"{database.name}-wal").exists()
    how = "mode=ro" if beside else "immutable=1"
    address = f"file:{quote(str(database.absolute()))}?{how}"
    return sqlite3.connect(address, uri=True, timeout=PATIENCE, check_same_thread=False)


def _prepare(connection: Any, _: object) -> None:
    """Have SQLite write ahead, so that readers never wait, and keep what it has confirmed."""
    connection.isolation_level = None  # transactions begin where SQLAlchemy says so
    for setting in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {setting}")


def _begin(connection: Connection) -> None:
    """Take SQLite's only pen at once, unless to read: asked for half-way it may be refused."""
    reads = connection.get_execution_options().get(READING)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def lock(connection: Connection) -> None:
    """Have others wait while the tables are brought up to date."""
    if connection.dialect.name == POSTGRESQL:
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7012026)")


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the tables of a database up to date.

    Args:
        connection: in a transaction.
        revision: the step to stop at.
    """
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    settings.attributes["connection"] = connection
    command.upgrade(settings, revision)
