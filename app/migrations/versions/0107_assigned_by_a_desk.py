"""Goods that a support desk gave to an enterprise are told from those that went there by number or name."""

from __future__ import annotations

from alembic import op

revision = "0107"
down_revision = "0106"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision. What a desk said before is in the audit log."""
    op.execute(
        """
        ALTER TABLE app.prefilled_declaration ADD COLUMN assigned_at timestamptz;
        UPDATE app.prefilled_declaration p SET assigned_at = a.at
        FROM app.audit a
        WHERE a.action = 'declarations.assign' AND a.object_type = 'prefilled_declaration'
            AND a.object_id = p.prefilled_id::text;
        """
    )


def downgrade() -> None:
    """Take this revision back."""
    op.execute("ALTER TABLE app.prefilled_declaration DROP COLUMN assigned_at")
