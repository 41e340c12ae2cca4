"""Telephones and numbers of papers of drivers on file are encrypted; digests find one that is typed whole."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

from app.platform.encryption import key_ring
from app.platform.encryption_store import rewrite_column
from app.platform.personal_fields import digest

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None

COLUMNS = ("phone", "paper_number", "licence_number")


def upgrade() -> None:
    """Apply this revision."""
    connection, ring = op.get_bind(), key_ring()
    op.execute("ALTER TABLE app.registered_driver ADD COLUMN number_digests text[] NOT NULL DEFAULT '{}';")
    numbers = text("SELECT entry_id, phone, paper_number, licence_number FROM app.registered_driver")
    keep = text("UPDATE app.registered_driver SET number_digests = :digests WHERE entry_id = :entry_id")
    for entry_id, *written in connection.execute(numbers).all():
        digests = sorted({digest(number) for number in written if number})
        connection.execute(keep, {"entry_id": entry_id, "digests": digests})
    for column in COLUMNS:
        rewrite_column(connection, "app.registered_driver", ["entry_id"], column, ring.encrypt)
        op.execute(f"ALTER TABLE app.registered_driver ALTER COLUMN {column} DROP DEFAULT;")


def downgrade() -> None:
    """Take this revision back."""
    connection, ring = op.get_bind(), key_ring()
    for column in COLUMNS:
        rewrite_column(connection, "app.registered_driver", ["entry_id"], column, ring.decrypt)
        op.execute(f"ALTER TABLE app.registered_driver ALTER COLUMN {column} SET DEFAULT '';")
    op.execute("ALTER TABLE app.registered_driver DROP COLUMN number_digests;")
