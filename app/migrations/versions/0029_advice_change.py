"""What advice told last, and what has changed since it told something else."""

from __future__ import annotations

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.execute(
        """
        ALTER TABLE app.advisory
            ADD COLUMN told jsonb,
            ADD COLUMN change jsonb,
            ADD COLUMN changed_at timestamptz;
        """
    )


def downgrade() -> None:
    """Take this revision back."""
    op.execute("ALTER TABLE app.advisory DROP COLUMN told, DROP COLUMN change, DROP COLUMN changed_at;")
