"""Checkpoints: which declarations name the same container, found without reading all of them."""

from __future__ import annotations

from alembic import op

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.execute(
        """
        CREATE INDEX ix_declaration_container ON app.declaration
            (regexp_replace(upper(data ->> 'container_number'), '[^A-Z0-9]', '', 'g'))
            WHERE status = 'submitted' AND data ->> 'container_number' <> '';
        """
    )


def downgrade() -> None:
    """Take this revision back."""
    op.execute("DROP INDEX app.ix_declaration_container;")
