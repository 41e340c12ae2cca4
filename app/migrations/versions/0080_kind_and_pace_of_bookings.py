"""The kind of place that the truck of a booking needs; the usual pace of gates as it was learned."""

from __future__ import annotations

from alembic import op

revision = "0080"
down_revision = "0079"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.execute(
        """
        ALTER TABLE app.booking ADD COLUMN place_kind text NOT NULL DEFAULT 'standard'
            CONSTRAINT ck_booking_place_kind CHECK (place_kind IN
                ('standard', 'forty_foot', 'reefer', 'livestock', 'dangerous', 'dock', 'temporary'));
        CREATE TABLE app.learned_pace (
            gate_id text NOT NULL CONSTRAINT pk_learned_pace PRIMARY KEY,
            learned_at timestamptz NOT NULL,
            usual_veh_per_h double precision NOT NULL,
            log_sd double precision NOT NULL,
            set_veh_per_h double precision NOT NULL,
            served_veh double precision NOT NULL,
            CONSTRAINT ck_learned_pace_usual CHECK (usual_veh_per_h > 0 AND set_veh_per_h > 0 AND log_sd >= 0)
        );
        """
    )


def downgrade() -> None:
    """Take this revision back."""
    op.execute("DROP TABLE app.learned_pace; ALTER TABLE app.booking DROP COLUMN place_kind;")
