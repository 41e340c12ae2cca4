"""Organisations have a tax number, which messages to authorities carry and know them by."""

from __future__ import annotations

from alembic import op

revision = "0100"
down_revision = "0099"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.execute(
        """
        ALTER TABLE app.organisation ADD COLUMN tax_number text NOT NULL DEFAULT '';
        CREATE UNIQUE INDEX uq_organisation_tax_number ON app.organisation (tax_number) WHERE tax_number <> '';
        """
    )


def downgrade() -> None:
    """Take this revision back."""
    op.execute("ALTER TABLE app.organisation DROP COLUMN tax_number")
