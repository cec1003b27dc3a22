"""A case of the log with what was said of it, and how it is read from the tables."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import RowMapping, Select, func, select

from tumorscope.watching.tables import ANSWERS, CASES, LISTED

NOTHING = hashlib.sha256().hexdigest()  # the content of a file that cannot be read


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
class ListEntry:
    """Where a case stands on a list of labels that are worth a second look.

    Attributes:
        list: what it is called.
        rank: on it, from 1.
        filed: the label that the image has in its data set.
        suggested: what a model says that had not seen it.
    """

    list: str
    rank: int
    filed: str
    suggested: str


@dataclass(frozen=True)
class ReviewList:
    """A review list, and how far people are with it.

    Attributes:
        name: what it is called.
        cases: how many there are on it.
        reviewed: how many of them someone has said something of.
        labels: every label on it, filed or suggested.
    """

    name: str
    cases: int
    reviewed: int
    labels: frozenset[str]


@dataclass(frozen=True)
class Case:
    """One case with what was said of it.

    Attributes:
        id: by which it is asked for.
        created: when it came.
        name: what it is called, without a path.
        kind: `image` or `series`.
        content: SHA-256 of what was given.
        patient: whom it belongs to, a pseudonym; empty where unknown, and of a review list.
        files: `uploads`, the names and content addresses of what is kept, and `part`, which of the
            cases in it this one is; empty where nothing is kept.
        model: digest of the card of the model that answered; empty before.
        answer: as `predict --format jsonl` writes it; None before there is one.
        facts: of its pixels and its header.
        features: the embedding, float16; None where there is none.
        reviews: the newest last.
        listed: the review list that brought it here; None for a case of use.
        number: in the order in which cases came.
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
    listed: ListEntry | None = None
    number: int = 0


def owner(case: Case) -> str:
    """Return what a case counts for: its patient, else its content, so that a copy counts once."""
    return case.patient or (case.content if case.content != NOTHING else "") or case.id


@cache
def every_case() -> Select[Any]:
    """Return what asks for cases with their newest answers, and their places on a list."""
    every = ANSWERS.alias()
    newest = select(func.max(every.c.number)).where(every.c.case_id == CASES.c.id)
    joined = CASES.outerjoin(
        ANSWERS,
        (ANSWERS.c.case_id == CASES.c.id) & (ANSWERS.c.number == newest.scalar_subquery()),
    )
    own = (ANSWERS.c.model, ANSWERS.c.answer, ANSWERS.c.facts, ANSWERS.c.features)
    listed = (LISTED.c.list, LISTED.c.rank, LISTED.c.filed, LISTED.c.suggested)
    joined = joined.outerjoin(LISTED, LISTED.c.case_id == CASES.c.id)
    return select(*CASES.c, *own, *listed).select_from(joined)


def to_case(row: RowMapping, reviews: Sequence[Review]) -> Case:
    """Return a row of `every_case` as a case."""
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
        number=row["number"],
        listed=None
        if row["list"] is None
        else ListEntry(row["list"], row["rank"], row["filed"], row["suggested"]),
    )


def to_review(row: RowMapping) -> Review:
    """Return a row of the reviews."""
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
