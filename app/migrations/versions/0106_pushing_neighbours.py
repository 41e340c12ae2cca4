"""A neighbour that pushes to us needs no address; when it last pushed is kept."""

from __future__ import annotations

from alembic import op

revision = "0106"
down_revision = "0105"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.execute(
        """
        ALTER TABLE app.neighbour
            ADD COLUMN is_pushing boolean NOT NULL DEFAULT false,
            ADD COLUMN pushed_at timestamptz;
        """
    )


def downgrade() -> None:
    """Take this revision back."""
    op.execute("ALTER TABLE app.neighbour DROP COLUMN is_pushing, DROP COLUMN pushed_at")
