"""The tables of a log of answers. Rows are added and never changed.

What these tables were in earlier versions stands in `migrations/`, by which a log is brought up to
date; a test holds the two equal.
"""

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

NAMES = {
    "ix": "ix_%(column_0_label)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
METADATA = MetaData(naming_convention=NAMES)

# What was asked: an image, or the images of a series.
CASES = Table(
    "cases",
    METADATA,
    Column("number", Integer, primary_key=True),  # in the order in which they came
    Column("id", String(32), nullable=False, unique=True),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", String(16), nullable=False),  # image or series
    Column("content", String(64), nullable=False),  # SHA-256 of what was given
    Column("patient", Text, nullable=False, server_default=""),
    Column("files", JSON, nullable=False),  # content addresses of what is kept, by name
)

# What a model answered; a failure is an answer, too.
ANSWERS = Table(
    "answers",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("case_id", String(32), ForeignKey("cases.id"), nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("model", String(64), nullable=False),  # digest of the card
    Column("label", Text, nullable=False),
    Column("probability", Float, nullable=False),
    Column("accepted", Boolean, nullable=False),
    Column("answer", JSON, nullable=False),  # as `predict --format jsonl` writes it
    Column("facts", JSON, nullable=False),  # grey levels, size, scanner: what drift is seen by
    Column("features", LargeBinary, nullable=True),  # the embedding, float16
    Index("ix_answers_case", "case_id"),
)

# What a reader said.
REVIEWS = Table(
    "reviews",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("case_id", String(32), ForeignKey("cases.id"), nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("reader", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("blind", Boolean, nullable=False),  # said before the model's answer was seen
    Column("slice", Integer, nullable=True),  # of a series, that the box lies on
    Column("box", JSON, nullable=True),  # centre and sides in fractions of the image
    Column("comment", Text, nullable=False, server_default=""),
    Index("ix_reviews_case", "case_id"),
)

# Cases that a review list asks people to look at again.
LISTED = Table(
    "listed",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("case_id", String(32), ForeignKey("cases.id"), nullable=False),
    Column("list", Text, nullable=False),
    Column("rank", Integer, nullable=False),  # on the list, from 1
    Column("filed", Text, nullable=False),  # the label that is disputed
    Column("suggested", Text, nullable=False),  # the model's that had not seen the image
    Index("ix_listed_case", "case_id"),
    UniqueConstraint("list", "rank", name="uq_listed_rank"),  # two servers may take it in
)
