"""The log on SQLite and on a real PostgreSQL: rows are added, never changed, never lost."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import DBAPIError

from tests.databases import start_postgresql
from tumorscope.errors import UsageError
from tumorscope.records import Prediction
from tumorscope.watching.agreement import agreements
from tumorscope.watching.cases import ListEntry, Review, ReviewList
from tumorscope.watching.database import DATABASE, DRIVER, upgrade
from tumorscope.watching.log import Log
from tumorscope.watching.tables import METADATA
from tumorscope.watching.watch import watch_log

NOBODY = 65534
ANSWER = Prediction("a.png", "glioma", {"glioma": 0.75, "pituitary": 0.25}, ("glioma",), True)


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that is ours."""
    yield from start_postgresql(tmp_path_factory.mktemp("server"))


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty log."""
    if request.param == "sqlite":
        return str(tmp_path / "log")
    address = str(request.getfixturevalue("postgresql"))
    with create_engine(DRIVER + address[address.index(":") :]).begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    return address


def filled(log: Log, name: str = "a.png", patient: str = "") -> str:
    """Add a case with its answer."""
    case = log.add_case(name, "image", "0" * 64, patient=patient).id
    log.add_answer(case, "m", ANSWER, {"mean": 31.5}, np.arange(4, dtype=np.float32))
    return case


def test_what_was_said_is_read_back(place: str) -> None:
    """Cases with answer, facts, features and reviews; newest first, filtered, paged."""
    log = Log(place)
    first, second = filled(log), filled(log, "100%_b.png", "p1")
    waiting = log.add_case(
        "c.png", "series", "1" * 64, files={"uploads": [["c", "2" * 64]], "part": 0}
    ).id
    box = (0.5, 0.25, 0.1, 0.2)
    log.add_review(first, Review("Ada", "pituitary", blind=True, box=box, comment="ä"))
    log.add_review(first, Review("Ada", "glioma"))
    log.close()
    log = Log(place)
    found = log.case(first)
    assert found is not None
    assert found.answer is not None
    assert (found.answer["label"], found.facts, found.model) == ("glioma", {"mean": 31.5}, "m")
    assert found.features is not None
    assert found.features.tolist() == [0, 1, 2, 3]
    assert [own.label for own in found.reviews] == ["pituitary", "glioma"]
    assert (found.reviews[0].box, found.reviews[0].comment) == (box, "ä")
    assert found.created.tzinfo is not None
    assert [case.id for case in log.cases()] == [waiting, second, first]
    assert [case.id for case in log.cases(first=1, count=1)] == [second]
    assert [case.id for case in log.cases(name="100%_")] == [second]
    assert [case.id for case in log.cases(reviewed=True)] == [first]
    assert {case.id for case in log.cases(label="glioma")} == {first, second}
    unanswered = log.case(waiting)
    assert unanswered is not None
    assert unanswered.answer is None
    assert log.case("f" * 32) is None
    with pytest.raises(UsageError, match="There is no case"):
        log.add_review("f" * 32, Review("Ada", "glioma"))
    log.close()


def test_what_a_review_list_brings_is_no_case_of_use(place: str) -> None:
    """It stands in the list's order, apart from the rest, and is not watched."""
    log = Log(place)
    used = filled(log)
    for at, name in ((2, "b.png"), (1, "sub/c.png")):
        case = log.add_case(name, "image", "1" * 64, listed=ListEntry("a", at, "glioma", "none")).id
    log.add_review(case, Review("Ada", "none"))
    assert [own.id for own in log.cases()] == [used]
    found = log.cases(on="a")
    assert [own.name for own in found] == ["sub/c.png", "b.png"]
    assert found[0].listed == ListEntry("a", 1, "glioma", "none")
    assert log.on_list("a") == {"sub/c.png", "b.png"}
    assert log.lists() == [ReviewList("a", 2, 1, frozenset({"glioma", "none"}))]
    assert [own.listed is None for own in log.all_cases()] == [True, False, False]
    ids, features = log.embeddings("m", 10)
    assert (ids, features.tolist()) == ([used], [[0, 1, 2, 3]])
    log.add_answer(case, "m", ANSWER, {})
    assert watch_log(log, None, 0.9).cases == 1
    log.close()


def test_nobody_changes_what_was_said(place: str) -> None:
    """The database itself refuses to change and to remove rows."""
    log = Log(place)
    case = log.add_case(
        "a.png", "image", "0" * 64, listed=ListEntry("a", 1, "glioma", "pituitary")
    ).id
    log.add_answer(case, "m", ANSWER, {})
    log.add_review(case, Review("Ada", "glioma"))
    for table in METADATA.sorted_tables:
        for statement in (table.delete(), table.update().values(number=table.c.number)):
            with pytest.raises(DBAPIError, match="never changed"), log._engine.begin() as own:
                own.execute(statement)
    if log._engine.dialect.name == "sqlite":
        words = "INSERT OR REPLACE INTO cases SELECT * FROM cases"
        with pytest.raises(DBAPIError, match="never changed"), log._engine.begin() as own:
            own.execute(text(words))
    assert log.count() == {"cases": 1, "answers": 1, "reviews": 1}
    log.close()


def test_many_write_at_once(place: str) -> None:
    """Sixteen threads and two logs lose nothing."""
    logs = [Log(place), Log(place)]
    with ThreadPoolExecutor(16) as pool:
        cases = list(pool.map(lambda n: filled(logs[n % 2], f"{n}.png"), range(120)))
    assert len(set(cases)) == 120
    assert logs[0].count() == {"cases": 120, "answers": 120, "reviews": 0}
    assert sum(1 for case in logs[1].all_cases() if case.answer) == 120
    for log in logs:
        log.close()


def test_a_log_of_the_first_version_is_brought_up_to_date(place: str) -> None:
    """Rows stay, and the tables are then those that the code knows."""
    log = Log(place)
    log.close()
    engine = log._engine
    with engine.begin() as own:
        if engine.dialect.name == "sqlite":
            own.execute(text("DROP TABLE listed"))
            own.execute(text("DROP TABLE reviews"))
        else:
            own.execute(text("DROP TABLE listed, reviews CASCADE"))
        own.execute(text("UPDATE alembic_version SET version_num = '0001'"))
        own.execute(
            text(
                "INSERT INTO cases (id, created, name, kind, content, files) VALUES "
                "('x', '2026-01-01 00:00:00', 'old.png', 'image', 'c', '{}')"
            )
        )
    engine.dispose()
    log = Log(place)
    assert [case.name for case in log.cases()] == ["old.png"]
    log.add_review("x", Review("Ada", "glioma"))
    with log._engine.connect() as own:
        assert MigrationContext.configure(own).get_current_revision() == "0003"
        tables = inspect(own)
        for table in METADATA.sorted_tables:
            columns = {
                column["name"]: column["nullable"] for column in tables.get_columns(table.name)
            }
            assert columns == {column.name: column.nullable for column in table.columns}
    log.close()


def test_what_cannot_be_opened_is_a_sentence(tmp_path: Path, place: str) -> None:
    """A file in the way, a damaged database, a server that is not there."""
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(UsageError, match="file"):
        Log(tmp_path / "file")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / DATABASE).write_bytes(b"no database" * 100)
    with pytest.raises(UsageError, match="cannot be used"):
        Log(tmp_path / "bad")
    with pytest.raises(UsageError, match=r"cannot be used .*"):
        Log("postgresql://nobody:secret@127.0.0.1:1/none")
    log = Log(place)
    with log._engine.begin() as own:
        own.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    log.close()
    with pytest.raises(UsageError, match="of a later version"):
        Log(place)


@contextmanager
def powerless() -> Iterator[None]:
    """Open files as someone who may write to none that is not theirs."""
    was_root = os.geteuid() == 0
    if was_root:
        os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        if was_root:
            os.setresuid(0, 0, 0)


def test_a_log_is_read_where_it_cannot_be_written() -> None:
    """While someone else writes to it, and when nobody does; and it stays as it is."""
    with TemporaryDirectory() as folder, TemporaryDirectory() as empty:
        log = Log(folder)
        case = filled(log)
        for path in (Path(folder), *Path(folder).iterdir()):
            path.chmod(0o555 if path.is_dir() else 0o444)
        for closed in (False, True):
            if closed:
                log.close()
            with powerless():
                reader = Log(folder, reading=True)
                assert [own.id for own in reader.all_cases()] == [case]
                reader.close()
        with powerless(), pytest.raises(UsageError, match="cannot be used"):
            Log(folder)
        with pytest.raises(UsageError, match="no log"):
            Log(empty, reading=True)
        Path(folder).chmod(0o755)


WRITER = """
import sys
import numpy as np
from tests.watching.test_log import filled
from tumorscope.watching.log import Log
log = Log(sys.argv[1])
print("ready", flush=True)
while True:
    print(filled(log), flush=True)
"""


def test_a_killed_writer_leaves_nothing_half_written(tmp_path: Path) -> None:
    """SIGKILL at ten moments: every case that was confirmed is there, with its answer."""
    place, confirmed = tmp_path / "log", []
    for moment in range(10):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(place)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
            time.sleep(0.02 + 0.013 * moment)
            writer.kill()
            confirmed += writer.stdout.read().splitlines(keepends=True)
    log = Log(place)
    whole = {line.strip() for line in confirmed if line.endswith("\n")}
    kept = {case.id: case for case in log.all_cases()}
    assert len(whole) > 10
    assert whole <= set(kept)
    assert sum(case.answer is None for case in kept.values()) <= 10  # asked, killed, not answered
    assert all(kept[case].answer is not None for case in whole)
    log.close()


def test_readers_agree_by_kappa(tmp_path: Path) -> None:
    """Two readers on four cases of two patients; their last word counts."""
    log = Log(tmp_path)
    for number, labels in enumerate([("a", "a"), ("b", "b"), ("a", "b"), ("b", "b")]):
        case = filled(log, patient=f"p{number % 2}")
        log.add_review(case, Review("Ada", "wrong first"))
        for reader, label in zip(("Ada", "Bo"), labels, strict=True):
            log.add_review(case, Review(reader, label))
    filled(log)
    (found,) = agreements(log.all_cases())
    assert (found.first, found.second, found.cases, found.same) == ("Ada", "Bo", 4, 0.75)
    assert found.kappa == pytest.approx(0.5)
    log.close()


def test_steps_run_one_by_one(tmp_path: Path) -> None:
    """A database is brought to a step and no further."""
    engine = create_engine(f"sqlite:///{tmp_path / 'one.sqlite'}")
    with engine.begin() as own:
        upgrade(own, "0001")
        assert set(inspect(own).get_table_names()) == {"cases", "answers", "alembic_version"}
    engine.dispose()
