"""What is known of each device: clock, unit, why its reports were refused; faked fixes apart; ways to retrace."""

from __future__ import annotations

from alembic import op

revision = "0038"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.execute(
        """
        CREATE TABLE ingest.device_trait (
            device_id bigint CONSTRAINT pk_device_trait PRIMARY KEY,
            clock_shift_s integer NOT NULL DEFAULT 0,
            weeks_rolled boolean NOT NULL DEFAULT false,
            clock_offset_s real,
            clock_learned_at timestamptz,
            speed_factor double precision NOT NULL DEFAULT 1,
            speed_set boolean NOT NULL DEFAULT false,
            speed_learned_at timestamptz,
            last_received_at timestamptz,
            last_kept_at timestamptz
        ) WITH (fillfactor = 70);
        CREATE TABLE ingest.device_refusal (
            device_id bigint NOT NULL,
            reason text NOT NULL,
            count bigint NOT NULL,
            first_at timestamptz NOT NULL,
            last_at timestamptz NOT NULL,
            detail text NOT NULL,
            CONSTRAINT pk_device_refusal PRIMARY KEY (device_id, reason)
        );
        CREATE TABLE ingest.faked_fix (
            device_id bigint NOT NULL,
            time timestamptz NOT NULL,
            vehicle_id integer NOT NULL,
            received_at timestamptz NOT NULL,
            geom geometry(POINT, 4326) NOT NULL,
            speed_mps real,
            accuracy_m real,
            CONSTRAINT pk_faked_fix PRIMARY KEY (device_id, time)
        );
        CREATE INDEX ix_faked_fix_received_at ON ingest.faked_fix (received_at);
        CREATE TABLE ingest.way_to_retrace (
            vehicle_id integer CONSTRAINT pk_way_to_retrace PRIMARY KEY,
            since timestamptz NOT NULL,
            until timestamptz NOT NULL
        );
        UPDATE ingest.last_position SET speed_mps = NULL WHERE speed_mps > 44.45;
        """
    )


def downgrade() -> None:
    """Take this revision back."""
    op.execute(
        "DROP TABLE ingest.way_to_retrace; DROP TABLE ingest.faked_fix; "
        "DROP TABLE ingest.device_refusal; DROP TABLE ingest.device_trait;"
    )
