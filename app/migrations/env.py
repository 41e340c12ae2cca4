"""Alembic's entry: runs the migrations on the connection that `app.migrate` hands over."""

from __future__ import annotations

from alembic import context

from geo.database import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    version_table="alembic_version",
    version_table_schema="public",
    include_schemas=True,
)
with context.begin_transaction():
    context.run_migrations()
