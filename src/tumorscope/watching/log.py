"""The log of a model in use: cases, answers and reviews, to which rows are only added.

A log is a folder with a SQLite database, or the address of a PostgreSQL database. Several processes
may write to one.
"""

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from alembic.util.exc import CommandError
from numpy.typing import NDArray
from sqlalchemy import (
    RowMapping,
    Select,
    Table,
    func,
    select,
)
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from tumorscope.errors import UsageError
from tumorscope.records import Prediction, SeriesPrediction
from tumorscope.watching.database import (
    DATABASE,
    POSTGRESQL,
    READING,
    lock,
    open_database,
    upgrade,
)
from tumorscope.watching.grouped import GroupedWriter
from tumorscope.watching.tables import ANSWERS, CASES, REVIEWS

NOTHING = hashlib.sha256().hexdigest()  # the content of a file that cannot be read

Answer = Prediction | SeriesPrediction


@dataclass(frozen=True)
class Review:
    """What a reader says of a case.

    Attributes:
        reader: who.
        label: the class.
        blind: whether it was said before the model's answer was seen.
        slice: the number of the slice that the box lies on, from 0; None of a single image.
        box: centre and sides in fractions of the image, x before y; None without any.
        comment: free words.
        created: when; now, where it is added.
    """

    reader: str
    label: str
    blind: bool = False
    slice: int | None = None
    box: tuple[float, float, float, float] | None = None
    comment: str = ""
    created: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True)
class Case:
    """One case with what was said of it.

    Attributes:
        id: by which it is asked for.
        created: when it came.
        name: what it is called, without a path.
        kind: `image` or `series`.
        content: SHA-256 of what was given.
        patient: whom it belongs to, a pseudonym; empty where unknown.
        files: `uploads`, the names and content addresses of what is kept, and `part`, which of the
            cases in it this one is; empty where nothing is kept.
        model: digest of the card of the model that answered; empty before.
        answer: as `predict --format jsonl` writes it; None before there is one.
        facts: of its pixels and its header.
        features: the embedding, float16; None where there is none.
        reviews: the newest last.
    """

    id: str
    created: datetime
    name: str
    kind: str
    content: str
    patient: str = ""
    files: Mapping[str, Any] = field(default_factory=dict)
    model: str = ""
    answer: Mapping[str, Any] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    features: NDArray[np.float16] | None = None
    reviews: tuple[Review, ...] = ()


class Log:
    """A log that is open for reading and writing. Safe to share between threads.

    Attributes:
        place: the folder, or the database without its password.
    """

    def __init__(self, place: str | Path, *, start: bool = True) -> None:
        """Open a log, or start one; one of an earlier version is brought up to date.

        Args:
            place: a folder, or `postgresql://user:password@host/database`.
            start: whether to start one where there is none.

        Raises:
            UsageError: it cannot be reached, written to, is of a later version, or is not there.
        """
        is_folder = not str(place).startswith(POSTGRESQL)
        if is_folder and not start and not (Path(place) / DATABASE).is_file():
            raise UsageError(f"There is no log in {place}: 'predict --log' and 'serve' keep one.")
        self.place, self._engine = open_database(str(place))
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
                f"The log {self.place} cannot be used ({_first_line(error)}): choose another with "
                "--log, or ask who keeps the database."
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
    ) -> str:
        """Add a case and return its id; see `Case`."""
        case = uuid.uuid4().hex
        row = {
            "id": case,
            "created": datetime.now(UTC),
            "name": name,
            "kind": kind,
            "content": content,
            "patient": patient,
            "files": dict(files or {}),
        }
        self._write(CASES, [row])
        return case

    def add_answer(
        self,
        case: str,
        model: str,
        answer: Answer,
        facts: Mapping[str, Any],
        features: NDArray[np.floating] | None = None,
    ) -> None:
        """Add the answer to a case.

        Args:
            case: its id.
            model: digest of the model's card.
            answer: what it said, or why it could not.
            facts: of the pixels and the header.
            features: the embedding, shape (features,).
        """
        self.add_answers([(case, model, answer, facts, features)])

    def add_answers(
        self,
        answers: Sequence[tuple[str, str, Answer, Mapping[str, Any], NDArray[np.floating] | None]],
    ) -> None:
        """Add the answers to several cases at once; each as `add_answer` takes it."""
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
        self._write(ANSWERS, rows)

    def add_review(self, case: str, review: Review) -> None:
        """Add what a reader says of a case.

        Raises:
            UsageError: there is no such case.
        """
        if self.case(case) is None:
            raise UsageError(f"There is no case {case}.")
        row = {**asdict(review), "case_id": case}
        row["box"] = None if review.box is None else list(review.box)
        self._write(REVIEWS, [row])

    def case(self, case: str) -> Case | None:
        """Return a case with its newest answer and its reviews; None where there is none."""
        return next(self._read(_cases().where(CASES.c.id == case)), None)

    def cases(
        self,
        *,
        first: int = 0,
        count: int = 50,
        label: str = "",
        name: str = "",
        reviewed: bool | None = None,
    ) -> list[Case]:
        """Return some cases, the newest first.

        Args:
            first: how many to pass over.
            count: how many at most.
            label: of the answer.
            name: a part of what they are called.
            reviewed: whether a reader has said something of them.
        """
        wanted = _cases().order_by(CASES.c.number.desc()).offset(first).limit(count)
        if label:
            wanted = wanted.where(ANSWERS.c.label == label)
        if name:
            wanted = wanted.where(CASES.c.name.contains(name, autoescape=True))
        if reviewed is not None:
            said = select(REVIEWS.c.number).where(REVIEWS.c.case_id == CASES.c.id).exists()
            wanted = wanted.where(said if reviewed else ~said)
        return list(self._read(wanted))

    def all_cases(self) -> Iterator[Case]:
        """Yield every case, the oldest first."""
        yield from self._read(_cases().order_by(CASES.c.number))

    def count(self) -> dict[str, int]:
        """Return how many cases, answers and reviews there are."""
        with self._reader.connect() as connection:
            return {
                table.name: int(
                    connection.execute(select(func.count()).select_from(table)).scalar_one()
                )
                for table in (CASES, ANSWERS, REVIEWS)
            }

    def _write(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows, and return when they are safe; what the database cannot take is a sentence."""
        try:
            self._writer.write(table, rows)
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
            for start in range(0, len(ids), 500):
                some = REVIEWS.c.case_id.in_(ids[start : start + 500])
                found = select(REVIEWS).where(some).order_by(REVIEWS.c.number)
                for own in connection.execute(found).mappings():
                    said.setdefault(own["case_id"], []).append(_review(own))
        for row in rows:
            yield _case(row, said.get(row["id"], []))


def owner(case: Case) -> str:
    """Return what a case counts for: its patient, else its content, so that a copy counts once."""
    return case.patient or (case.content if case.content != NOTHING else "") or case.id


@cache
def _cases() -> Select[Any]:
    """Return what asks for cases with their newest answers."""
    every = ANSWERS.alias()
    newest = select(func.max(every.c.number)).where(every.c.case_id == CASES.c.id)
    joined = CASES.outerjoin(
        ANSWERS,
        (ANSWERS.c.case_id == CASES.c.id) & (ANSWERS.c.number == newest.scalar_subquery()),
    )
    own = (ANSWERS.c.model, ANSWERS.c.answer, ANSWERS.c.facts, ANSWERS.c.features)
    return select(*CASES.c, *own).select_from(joined)


def _case(row: RowMapping, reviews: Sequence[Review]) -> Case:
    features = row["features"]
    return Case(
        id=row["id"],
        created=_aware(row["created"]),
        name=row["name"],
        kind=row["kind"],
        content=row["content"],
        patient=row["patient"],
        files=row["files"],
        model=row["model"] or "",
        answer=row["answer"],
        facts=row["facts"] or {},
        features=None if features is None else np.frombuffer(features, np.float16),
        reviews=tuple(reviews),
    )


def _review(row: RowMapping) -> Review:
    box = row["box"]
    return Review(
        reader=row["reader"],
        label=row["label"],
        blind=row["blind"],
        slice=row["slice"],
        box=None if box is None else (box[0], box[1], box[2], box[3]),
        comment=row["comment"],
        created=_aware(row["created"]),
    )


def _aware(moment: datetime) -> datetime:
    """Return a moment with its zone, which SQLite does not keep."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _first_line(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return str(cause).split("\n", maxsplit=1)[0].strip().rstrip(".")
