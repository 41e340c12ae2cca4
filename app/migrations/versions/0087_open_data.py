"""What everybody may know, kept as rows: the public board's figures, and the views that open data are read from."""

from __future__ import annotations

from alembic import op

revision = "0087"
down_revision = "0086"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.execute(
        """
        CREATE TABLE app.public_gate (
            gate_id varchar NOT NULL,
            slot timestamptz NOT NULL,
            as_of timestamptz NOT NULL,
            is_open boolean NOT NULL,
            queue_veh double precision,
            tail_km double precision,
            measured_at timestamptz,
            booked_veh integer NOT NULL,
            free_veh integer NOT NULL,
            wait_low_s double precision,
            wait_s double precision,
            wait_high_s double precision,
            forecast_made_at timestamptz,
            reach_s double precision,
            severity varchar,
            approach_km double precision,
            measured_share double precision,
            travel_s double precision,
            free_travel_s double precision,
            simulated boolean NOT NULL,
            CONSTRAINT pk_public_gate PRIMARY KEY (gate_id, slot)
        );
        CREATE INDEX ix_public_gate_slot ON app.public_gate (slot);
        COMMENT ON TABLE app.public_gate IS
            'What the public board said of a gate, its last word in each five minutes; slot is their begin.';

        CREATE TABLE app.public_yard (
            yard_id varchar NOT NULL,
            slot timestamptz NOT NULL,
            as_of timestamptz NOT NULL,
            gate_id varchar NOT NULL,
            kind varchar NOT NULL,
            is_open boolean NOT NULL,
            capacity_veh integer NOT NULL,
            free_veh integer NOT NULL,
            next_free_at timestamptz,
            simulated boolean NOT NULL,
            CONSTRAINT pk_public_yard PRIMARY KEY (yard_id, slot)
        );
        CREATE INDEX ix_public_yard_slot ON app.public_yard (slot);

        CREATE TABLE app.public_forecast (
            gate_id varchar NOT NULL,
            slot timestamptz NOT NULL,
            lead_s integer NOT NULL,
            as_of timestamptz NOT NULL,
            target_at timestamptz NOT NULL,
            queue_low_veh double precision,
            queue_veh double precision,
            queue_high_veh double precision,
            wait_low_s double precision,
            wait_s double precision,
            wait_high_s double precision,
            simulated boolean NOT NULL,
            CONSTRAINT pk_public_forecast PRIMARY KEY (gate_id, slot, lead_s)
        );
        CREATE INDEX ix_public_forecast_slot ON app.public_forecast (slot);

        CREATE SCHEMA IF NOT EXISTS open_data;
        COMMENT ON SCHEMA open_data IS 'Views for everybody: no truck, person, enterprise; for a role of its own.';

        CREATE VIEW open_data.roads AS
        SELECT edge_id, name, road, direction, km_from, km_to, length_m, lanes, free_speed_mps, capacity_veh_per_h, hgv,
               source, geom
        FROM geo.road;

        CREATE VIEW open_data.sites AS
        SELECT site_id, kind, gate_id, name_vi, name_en, name_zh, road, km, source, geom
        FROM geo.site WHERE kind IN ('gate', 'yard', 'temporary_yard', 'staging');

        CREATE VIEW open_data.queues AS
        SELECT g.gate_id, s.name_vi, s.name_en, s.name_zh, g.as_of, g.is_open, g.queue_veh, g.tail_km, g.measured_at,
               g.booked_veh, g.free_veh, g.wait_low_s, g.wait_s, g.wait_high_s, g.forecast_made_at, g.reach_s,
               g.severity, g.simulated, s.geom
        FROM app.public_gate g
        JOIN geo.site s ON s.site_id = g.gate_id
        WHERE g.slot = (SELECT max(slot) FROM app.public_gate);

        CREATE VIEW open_data.yards AS
        SELECT y.yard_id, y.gate_id, y.kind, s.name_vi, s.name_en, s.name_zh, y.as_of, y.is_open, y.capacity_veh,
               y.free_veh, y.next_free_at, y.simulated, s.geom
        FROM app.public_yard y
        JOIN geo.site s ON s.site_id = y.yard_id
        WHERE y.slot = (SELECT max(slot) FROM app.public_gate);

        CREATE VIEW open_data.forecasts AS
        SELECT f.gate_id || '-' || f.lead_s AS forecast_id, f.gate_id, f.lead_s, f.as_of, f.target_at, f.queue_low_veh,
               f.queue_veh, f.queue_high_veh, f.wait_low_s, f.wait_s, f.wait_high_s, f.simulated, s.geom
        FROM app.public_forecast f
        JOIN geo.site s ON s.site_id = f.gate_id
        WHERE f.slot = (SELECT max(slot) FROM app.public_gate);
        """
    )


def downgrade() -> None:
    """Take this revision back."""
    op.execute("DROP SCHEMA open_data CASCADE")
    for table in ("forecast", "yard", "gate"):
        op.execute(f"DROP TABLE app.public_{table}")
