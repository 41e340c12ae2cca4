"""A place in the yard plan names the zone that it is in, and of which kind that is."""

from __future__ import annotations

from alembic import op

revision = "0094"
down_revision = "0089"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.execute("ALTER TABLE capacity.assignment ADD COLUMN zone_id text, ADD COLUMN place_kind text")


def downgrade() -> None:
    """Take this revision back."""
    op.execute("ALTER TABLE capacity.assignment DROP COLUMN zone_id, DROP COLUMN place_kind")
