"""Review lists: cases whose label someone is to look at again."""

import sqlalchemy as sa
from alembic import op

from tumorscope.watching.migrations.versions.v0001_cases_and_answers import add_only

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table, to which rows are only added."""
    op.create_table(
        "listed",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.String(32), nullable=False),
        sa.Column("list", sa.Text(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("filed", sa.Text(), nullable=False),
        sa.Column("suggested", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_listed_case_id"),
        sa.PrimaryKeyConstraint("number", name="pk_listed"),
        sa.UniqueConstraint("list", "rank", name="uq_listed_rank"),
    )
    op.create_index("ix_listed_case", "listed", ["case_id"])
    add_only("listed")
