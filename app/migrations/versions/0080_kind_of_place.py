"""The kind of place that the truck of a booking needs."""

from __future__ import annotations

from alembic import op

revision = "0080"
down_revision = "0079"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.execute(
        """
        ALTER TABLE app.booking ADD COLUMN place_kind text NOT NULL DEFAULT 'standard'
            CONSTRAINT ck_booking_place_kind CHECK (place_kind IN
                ('standard', 'forty_foot', 'reefer', 'livestock', 'dangerous', 'dock', 'temporary'));
        """
    )


def downgrade() -> None:
    """Take this revision back."""
    op.execute("ALTER TABLE app.booking DROP COLUMN place_kind")
