"""Trackers by the number that they name themselves by, whatever zeros stand before it."""

from __future__ import annotations

from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.execute("CREATE INDEX ix_device_number ON ingest.device (ltrim(imei, '0'));")


def downgrade() -> None:
    """Take this revision back."""
    op.execute("DROP INDEX ingest.ix_device_number;")
