"""How a log of an earlier version is brought up to date, by Alembic."""
