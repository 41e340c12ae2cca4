"""Forecasts that wait for their hour, how each fares of late, scores by hour."""

from __future__ import annotations

from alembic import op

revision = "0026"
down_revision = "0024a"
branch_labels = None
depends_on = None

_QUANTITIES = "'queue_veh', 'wait_s', 'tail_km', 'occupancy_veh', 'entry_s', 'truck_wait_s'"
_SOURCES = "'published', 'model', 'raw', 'persistence', 'age_of_head', 'queue_over_throughput'"


def upgrade() -> None:
    """Apply this revision."""
    op.execute(
        f"""
        CREATE TABLE app.forecast_check (
            quantity text NOT NULL CONSTRAINT ck_forecast_check_quantity CHECK (quantity IN ({_QUANTITIES})),
            place_id text NOT NULL,
            lead_s integer NOT NULL,
            key bigint NOT NULL,
            made_at timestamptz NOT NULL,
            target_at timestamptz,
            published text NOT NULL,
            sources text[] NOT NULL,
            centre double precision[] NOT NULL,
            low double precision[] NOT NULL,
            middle double precision[] NOT NULL,
            high double precision[] NOT NULL,
            width_below double precision[] NOT NULL,
            width_above double precision[] NOT NULL,
            raw_low double precision NOT NULL,
            raw_high double precision NOT NULL,
            CONSTRAINT pk_forecast_check PRIMARY KEY (quantity, place_id, lead_s, key)
        );
        CREATE INDEX ix_forecast_check_target_at ON app.forecast_check (target_at);
        CREATE INDEX ix_forecast_check_made_at ON app.forecast_check (made_at) WHERE target_at IS NULL;
        CREATE TABLE app.forecast_track (
            quantity text NOT NULL CONSTRAINT ck_forecast_track_quantity CHECK (quantity IN ({_QUANTITIES})),
            place_id text NOT NULL,
            lead_s integer NOT NULL,
            source text NOT NULL CONSTRAINT ck_forecast_track_source CHECK (source IN ({_SOURCES})),
            histogram real[] NOT NULL,
            level_below double precision NOT NULL,
            level_above double precision NOT NULL,
            mean_error double precision NOT NULL,
            evidence_h double precision NOT NULL,
            time_h double precision,
            is_published boolean NOT NULL,
            published_since timestamptz,
            CONSTRAINT pk_forecast_track PRIMARY KEY (quantity, place_id, lead_s, source)
        );
        CREATE TABLE app.forecast_skill (
            quantity text NOT NULL CONSTRAINT ck_forecast_skill_quantity CHECK (quantity IN ({_QUANTITIES})),
            place_id text NOT NULL,
            lead_s integer NOT NULL,
            source text NOT NULL CONSTRAINT ck_forecast_skill_source CHECK (source IN ({_SOURCES})),
            hour timestamptz NOT NULL,
            n integer NOT NULL,
            error double precision NOT NULL,
            abs_error double precision NOT NULL,
            pinball_low double precision NOT NULL,
            pinball_middle double precision NOT NULL,
            pinball_high double precision NOT NULL,
            below_n integer NOT NULL,
            above_n integer NOT NULL,
            CONSTRAINT pk_forecast_skill PRIMARY KEY (quantity, place_id, lead_s, source, hour)
        );
        CREATE INDEX ix_forecast_skill_hour ON app.forecast_skill (hour);
        """
    )


def downgrade() -> None:
    """Take this revision back."""
    op.execute("DROP TABLE app.forecast_check, app.forecast_track, app.forecast_skill;")
