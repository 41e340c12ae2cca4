"""Marks of wrong clocks are made anew: acts entered with an earlier time had marked what came in after that time."""

from __future__ import annotations

from alembic import op

revision = "0089"
down_revision = "0088"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.execute("DELETE FROM app.misdated_witness")


def downgrade() -> None:
    """Take this revision back; what was marked is found again while it is of after the present."""
