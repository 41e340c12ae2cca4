"""Breaks and holidays of gates."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.execute(
        """
        ALTER TABLE routing.gate_setting
            ADD COLUMN breaks varchar NOT NULL DEFAULT '',
            ADD COLUMN holidays jsonb NOT NULL DEFAULT '{}'
        """
    )


def downgrade() -> None:
    """Undo this revision."""
    op.execute("ALTER TABLE routing.gate_setting DROP COLUMN breaks, DROP COLUMN holidays")
