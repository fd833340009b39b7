"""Run by Alembic, within the transaction of whoever called it."""

from __future__ import annotations

from alembic import context

from manyfest.watch.history.migrate import VERSION_TABLE
from manyfest.watch.history.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
