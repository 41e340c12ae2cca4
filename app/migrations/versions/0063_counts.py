"""Counts of yards that were asked about, and counts taken back."""

from __future__ import annotations

from alembic import op

revision = "0063"
down_revision = "0057"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.execute(
        """
        ALTER TABLE capacity.count
            ADD COLUMN shift text CONSTRAINT ck_count_shift CHECK (shift IN ('day', 'night')),
            ADD COLUMN confirmed boolean NOT NULL DEFAULT false,
            ADD COLUMN undone_at timestamptz,
            ADD COLUMN undone_by integer;
        """
    )


def downgrade() -> None:
    """Take this revision back."""
    op.execute(
        """
        ALTER TABLE capacity.count
            DROP COLUMN shift, DROP COLUMN confirmed, DROP COLUMN undone_at, DROP COLUMN undone_by;
        """
    )
