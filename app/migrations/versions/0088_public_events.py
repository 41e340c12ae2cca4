"""Bans and outages in force beside what the public board said of a gate, so that what begins and ends is told once."""

from __future__ import annotations

from alembic import op

revision = "0088"
down_revision = "0087"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.execute("ALTER TABLE app.public_gate ADD COLUMN notices jsonb NOT NULL DEFAULT '[]'")


def downgrade() -> None:
    """Take this revision back."""
    op.execute("ALTER TABLE app.public_gate DROP COLUMN notices")
