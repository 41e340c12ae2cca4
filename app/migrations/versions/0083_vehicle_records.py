"""What the authority that registers and inspects vehicles has on record of a plate."""

from __future__ import annotations

from alembic import op

revision = "0083"
down_revision = "0082"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.execute(
        """
        CREATE TABLE app.vehicle_record (
            plate text NOT NULL CONSTRAINT pk_vehicle_record PRIMARY KEY,
            is_found boolean NOT NULL,
            vehicle_class text NOT NULL DEFAULT '',
            payload_kg integer,
            axles integer,
            inspection_expires date,
            owner text NOT NULL DEFAULT '',
            as_of timestamptz NOT NULL,
            is_simulated boolean NOT NULL DEFAULT false
        )
        """
    )


def downgrade() -> None:
    """Take this revision back."""
    op.execute("DROP TABLE app.vehicle_record")
