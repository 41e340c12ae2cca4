"""A booking whose gate has no place left is held one at another gate, until the enterprise accepts it."""

from __future__ import annotations

from alembic import op

revision = "0101"
down_revision = "0100"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.execute("ALTER TABLE app.booking ADD COLUMN offered_from text")


def downgrade() -> None:
    """Take this revision back."""
    op.execute("ALTER TABLE app.booking DROP COLUMN offered_from")
