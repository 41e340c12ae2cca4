"""Arrivals by hour, kept for years, filled with what was seen until now; learned stays in yards."""

from __future__ import annotations

from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.execute(
        """
        CREATE TABLE app.arrival_hour (
            hour timestamptz NOT NULL CONSTRAINT pk_arrival_hour PRIMARY KEY,
            trucks integer NOT NULL CONSTRAINT ck_arrival_hour_trucks CHECK (trucks >= 0)
        );
        WITH came AS (
            SELECT min(e.time) AS came
            FROM ingest.site_event e JOIN geo.site s USING (site_id)
            WHERE e.kind = 'enter' AND s.kind IN ('gate', 'yard')
            GROUP BY e.vehicle_id, CAST(e.time AT TIME ZONE 'Asia/Ho_Chi_Minh' AS date)
        ), counted AS (
            SELECT date_trunc('hour', came) AS hour, count(*) AS trucks FROM came GROUP BY 1
        )
        INSERT INTO app.arrival_hour (hour, trucks)
        SELECT h.hour, coalesce(c.trucks, 0)
        FROM (SELECT generate_series(min(hour), max(hour), interval '1 hour') AS hour FROM counted) h
        LEFT JOIN counted c USING (hour);
        CREATE TABLE app.stay_estimate (
            gate_id text NOT NULL CONSTRAINT pk_stay_estimate PRIMARY KEY,
            learned_at timestamptz NOT NULL,
            mean_s double precision NOT NULL,
            low_s double precision NOT NULL,
            high_s double precision NOT NULL,
            cv double precision NOT NULL,
            trucks integer NOT NULL,
            unfinished integer NOT NULL,
            factors double precision[] NOT NULL,
            group_trucks integer[] NOT NULL,
            CONSTRAINT ck_stay_estimate_mean CHECK (0 < low_s AND low_s <= mean_s AND mean_s <= high_s AND cv >= 0)
        );
        """
    )


def downgrade() -> None:
    """Take this revision back."""
    op.execute("DROP TABLE app.stay_estimate, app.arrival_hour;")
