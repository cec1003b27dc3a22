"""The log of a model in use: cases, answers and reviews, to which rows are only added.

A log is a folder with a SQLite database, or the address of a PostgreSQL database. Several processes
may write to one.
"""

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from alembic.util.exc import CommandError
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from tumorscope.errors import UsageError
from tumorscope.records import Prediction, SeriesPrediction
from tumorscope.watching.cases import (
    Case,
    ListEntry,
    Review,
    ReviewList,
    every_case,
    to_case,
    to_review,
)
from tumorscope.watching.database import (
    DATABASE,
    POSTGRESQL,
    READING,
    lock,
    open_database,
    upgrade,
)
from tumorscope.watching.grouped import Addition, GroupedWriter
from tumorscope.watching.tables import ANSWERS, CASES, LISTED, REVIEWS

Answer = Prediction | SeriesPrediction
TOGETHER = 500  # cases that are read at once
_IS_REVIEWED = select(REVIEWS.c.number).where(REVIEWS.c.case_id == CASES.c.id).exists()


class Log:
    """A log that is open for reading and writing. Safe to share between threads.

    Attributes:
        place: the folder, or the database without its password.
    """

    def __init__(self, place: str | Path, *, reading: bool = False) -> None:
        """Open a log, or start one; one of an earlier version is brought up to date.

        Args:
            place: a folder, or `postgresql://user:password@host/database`.
            reading: whether it is only read: where there is none, none is started, and a folder
                that cannot be written to is no obstacle.

        Raises:
            UsageError: it cannot be reached, written to, is of a later version, or is not there.
        """
        is_folder = not str(place).startswith(POSTGRESQL)
        if is_folder and reading and not (Path(place) / DATABASE).is_file():
            raise UsageError(f"There is no log in {place}: 'predict --log' and 'serve' keep one.")
        self.place, self._engine = open_database(str(place), reading=reading)
        self._reader = self._engine.execution_options(**{READING: True})
        try:
            with self._engine.begin() as connection:
                lock(connection)
                upgrade(connection)
        except CommandError as error:
            self._engine.dispose()
            raise UsageError(
                f"The log {self.place} is of a later version of tumorscope: install that one."
            ) from error
        except (SQLAlchemyError, OSError) as error:
            self._engine.dispose()
            raise UsageError(
                f"The log {self.place} cannot be used ({_first_line(error)}): choose another, or "
                f"{'let whoever may write to it open it' if reading else 'ask whoever keeps it'}."
            ) from error
        self._writer = GroupedWriter(self._engine)

    def close(self) -> None:
        """Write what waits, and give all connections back."""
        self._writer.close()
        self._engine.dispose()

    def add_case(
        self,
        name: str,
        kind: str,
        content: str,
        *,
        patient: str = "",
        files: Mapping[str, Any] | None = None,
        listed: ListEntry | None = None,
    ) -> Case:
        """Add a case, with its place on a list if it has one, and return it; see `Case`."""
        row: dict[str, Any] = {
            "id": uuid.uuid4().hex,
            "created": datetime.now(UTC),
            "name": name,
            "kind": kind,
            "content": content,
            "patient": patient,
            "files": dict(files or {}),
        }
        places = [] if listed is None else [(LISTED, [{**asdict(listed), "case_id": row["id"]}])]
        self._write((CASES, [row]), *places)
        return Case(**row, listed=listed)

    def add_answer(
        self,
        case: str,
        model: str,
        answer: Answer,
        facts: Mapping[str, Any],
        features: NDArray[np.floating] | None = None,
    ) -> dict[str, Any]:
        """Add the answer to a case, and return it as it is kept.

        Args:
            case: its id.
            model: digest of the model's card.
            answer: what it said, or why it could not.
            facts: of the pixels and the header.
            features: the embedding, shape (features,).
        """
        (kept,) = self.add_answers([(case, model, answer, facts, features)])
        return kept

    def add_answers(
        self,
        answers: Sequence[tuple[str, str, Answer, Mapping[str, Any], NDArray[np.floating] | None]],
    ) -> list[dict[str, Any]]:
        """Add the answers to several cases at once; each as `add_answer` takes and returns it."""
        rows = [
            {
                "case_id": case,
                "created": datetime.now(UTC),
                "model": model,
                "label": answer.label,
                "probability": answer.probabilities.get(answer.label, 0.0),
                "accepted": answer.accepted,
                "answer": json.loads(json.dumps(asdict(answer))),
                "facts": dict(facts),
                "features": None if features is None else features.astype(np.float16).tobytes(),
            }
            for case, model, answer, facts, features in answers
        ]
        self._write((ANSWERS, rows))
        return [row["answer"] for row in rows]

    def add_review(self, case: str, review: Review) -> None:
        """Add what a reader says of a case.

        Raises:
            UsageError: there is no such case.
        """
        if self.case(case) is None:
            raise UsageError(f"There is no case {case}.")
        row = {**asdict(review), "case_id": case}
        row["box"] = None if review.box is None else list(review.box)
        self._write((REVIEWS, [row]))

    def case(self, case: str) -> Case | None:
        """Return a case with its newest answer and its reviews; None where there is none."""
        return next(self._read(every_case().where(CASES.c.id == case)), None)

    def cases(
        self,
        *,
        first: int = 0,
        count: int = 50,
        label: str = "",
        name: str = "",
        reviewed: bool | None = None,
        on: str = "",
    ) -> list[Case]:
        """Return some cases, the newest first; those of a review list in its order.

        Args:
            first: how many to pass over.
            count: how many at most.
            label: of the answer.
            name: a part of what they are called.
            reviewed: whether a reader has said something of them.
            on: the review list; cases of use, which are on none, where it is empty.
        """
        order = (LISTED.c.rank, CASES.c.number) if on else (CASES.c.number.desc(),)
        wanted = every_case().where(_chosen(label, name, reviewed, on)).order_by(*order)
        return list(self._read(wanted.offset(first).limit(count)))

    def lists(self) -> list[ReviewList]:
        """Return what review lists there are, the oldest first."""
        wanted = select(
            LISTED.c.list, LISTED.c.filed, LISTED.c.suggested, _IS_REVIEWED.label("reviewed")
        ).select_from(LISTED.join(CASES))
        found: dict[str, ReviewList] = {}
        with self._reader.connect() as connection:
            for name, *labels, reviewed in connection.execute(wanted.order_by(LISTED.c.number)):
                old = found.get(name, ReviewList(name, 0, 0, frozenset()))
                found[name] = ReviewList(
                    name, old.cases + 1, old.reviewed + bool(reviewed), old.labels | {*labels}
                )
        return list(found.values())

    def on_list(self, name: str) -> set[str]:
        """Return what the cases of a review list are called."""
        wanted = select(CASES.c.name).join(LISTED).where(LISTED.c.list == name)
        with self._reader.connect() as connection:
            return set(connection.execute(wanted).scalars())

    def embeddings(self, model: str, count: int) -> tuple[list[str], NDArray[np.float16]]:
        """Return the ids and embeddings of the newest cases that a model has answered.

        Args:
            model: digest of its card.
            count: how many at most.

        Returns:
            The ids, and float16 of shape (cases, features); of shape (0, 0) without any.
        """
        wanted = (
            select(ANSWERS.c.case_id, ANSWERS.c.features)
            .where((ANSWERS.c.model == model) & ANSWERS.c.features.is_not(None))
            .order_by(ANSWERS.c.number.desc())
            .limit(count)
        )
        with self._reader.connect() as connection:
            found = dict(tuple(row) for row in connection.execute(wanted))
        rows = [np.frombuffer(own, np.float16) for own in found.values()]
        return list(found), np.stack(rows) if rows else np.zeros((0, 0), np.float16)

    def all_cases(self) -> Iterator[Case]:
        """Yield every case, the oldest first; some at a time, so that memory stays bounded."""
        last, wanted = 0, every_case().order_by(CASES.c.number).limit(TOGETHER)
        while some := list(self._read(wanted.where(CASES.c.number > last))):
            yield from some
            last = some[-1].number

    def total(
        self, *, label: str = "", name: str = "", reviewed: bool | None = None, on: str = ""
    ) -> int:
        """Return how many cases there are of those that `cases` would return, by the same words."""
        chosen = _chosen(label, name, reviewed, on)
        cases = select(CASES.c.id).select_from(CASES.outerjoin(LISTED)).where(chosen)
        if label:  # the newest answers, which take their time to find
            cases = every_case().where(chosen)
        with self._reader.connect() as connection:
            found = connection.execute(select(func.count()).select_from(cases.subquery()))
            return int(found.scalar_one())

    def count(self) -> dict[str, int]:
        """Return how many cases, answers and reviews there are."""
        with self._reader.connect() as connection:
            return {
                table.name: int(
                    connection.execute(select(func.count()).select_from(table)).scalar_one()
                )
                for table in (CASES, ANSWERS, REVIEWS)
            }

    def _write(self, *additions: Addition) -> None:
        """Add rows, and return when they are safe; what the database cannot take is a sentence."""
        try:
            self._writer.write(additions)
        except DBAPIError as error:
            raise UsageError(
                f"The log {self.place} cannot be written to ({_first_line(error)}): nothing of "
                "this case was kept. Make room, or check the database, and try again."
            ) from error

    def _read(self, wanted: Select[Any]) -> Iterator[Case]:
        with self._reader.connect() as connection:
            rows = connection.execute(wanted).mappings().all()
            said: dict[str, list[Review]] = {}
            ids = [row["id"] for row in rows]
            found = select(REVIEWS).where(REVIEWS.c.case_id.in_(ids)).order_by(REVIEWS.c.number)
            for own in connection.execute(found).mappings() if ids else ():
                said.setdefault(own["case_id"], []).append(to_review(own))
        for row in rows:
            yield to_case(row, said.get(row["id"], []))


def _first_line(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return str(cause).split("\n", maxsplit=1)[0].strip().rstrip(".")


def _chosen(label: str, name: str, reviewed: bool | None, on: str) -> ColumnElement[bool]:
    """Return what holds for the cases that were asked for; see `Log.cases`."""
    wanted = [LISTED.c.list == on if on else LISTED.c.list.is_(None)]
    if label:
        wanted.append(ANSWERS.c.label == label)
    if name:
        wanted.append(CASES.c.name.contains(name, autoescape=True))
    if reviewed is not None:
        wanted.append(_IS_REVIEWED if reviewed else ~_IS_REVIEWED)
    return and_(*wanted)
