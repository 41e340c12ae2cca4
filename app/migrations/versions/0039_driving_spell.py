"""Driving without a break: since when each truck has driven, and whether its enterprise was warned."""

from __future__ import annotations

from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.execute(
        """
        CREATE TABLE app.driving_spell (
            vehicle_id integer CONSTRAINT pk_driving_spell PRIMARY KEY,
            since timestamptz NOT NULL,
            moved_at timestamptz NOT NULL,
            warned_at timestamptz
        ) WITH (fillfactor = 70);
        """
    )


def downgrade() -> None:
    """Take this revision back."""
    op.execute("DROP TABLE app.driving_spell;")
