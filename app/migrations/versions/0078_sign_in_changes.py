"""What changed of how an account signs in, until its owner has seen it."""

from __future__ import annotations

from alembic import op

revision = "0078"
down_revision = "0075"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.execute("ALTER TABLE app.account ADD COLUMN sign_in_changes jsonb NOT NULL DEFAULT '[]'")


def downgrade() -> None:
    """Take this revision back."""
    op.execute("ALTER TABLE app.account DROP COLUMN sign_in_changes")
