"""Runs the steps on the connection that the log has opened."""

from alembic import context

from tumorscope.watching.tables import METADATA

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
