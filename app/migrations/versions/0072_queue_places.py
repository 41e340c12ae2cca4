"""The place of each waiting truck in the queue of its gate."""

from __future__ import annotations

from alembic import op

revision = "0072"
down_revision = "0068"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.execute(
        """
        CREATE TABLE app.queue_place (
            vehicle_id integer NOT NULL CONSTRAINT pk_queue_place PRIMARY KEY
                CONSTRAINT fk_queue_place_vehicle_id_vehicle REFERENCES ingest.vehicle (vehicle_id),
            trip_id integer CONSTRAINT fk_queue_place_trip_id_trip REFERENCES app.trip (trip_id),
            gate_id text NOT NULL,
            made_at timestamptz NOT NULL,
            number integer NOT NULL,
            joined_at timestamptz NOT NULL,
            by_gps boolean NOT NULL,
            held_until timestamptz,
            perishable boolean NOT NULL,
            is_first boolean NOT NULL,
            enter_at timestamptz[],
            moves jsonb NOT NULL
        );
        CREATE INDEX ix_queue_place_trip_id ON app.queue_place (trip_id) WHERE trip_id IS NOT NULL;
        """
    )


def downgrade() -> None:
    """Take this revision back."""
    op.execute("DROP TABLE app.queue_place;")
