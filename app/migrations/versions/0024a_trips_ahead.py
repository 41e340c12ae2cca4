"""A truck's next trips are declared ahead, one under way at a time; trips that never come expire."""

from __future__ import annotations

from alembic import op

revision = "0024a"
down_revision = "0024"
branch_labels = None
depends_on = None

_OPEN = "stage IN ('planned', 'on_the_road', 'queued', 'in_the_yard')"
_OVER = "('out', 'cancelled', 'expired')"
_OFFICER = 4
"""The trust of what an officer saw (`app.trips.presence_rules.Trust`)."""


def _view(under_way: str) -> str:
    return f"""
        CREATE OR REPLACE VIEW app.current_trip AS
        SELECT DISTINCT ON (t.vehicle_id) t.trip_id, t.vehicle_id, t.is_agreed
        FROM (
            SELECT o.trip_id, o.vehicle_id, o.stage, o.planned_arrival,
                EXISTS (
                    SELECT FROM app.vehicle_holding h
                    WHERE h.vehicle_id = o.vehicle_id AND h.organisation_id = o.organisation_id AND h.ended_at IS NULL)
                OR EXISTS (
                    SELECT FROM app.trip_vehicle_answer a
                    WHERE a.trip_id = o.trip_id AND a.vehicle_id = o.vehicle_id AND a.agreed) AS is_agreed
            FROM app.trip o
            WHERE o.{_OPEN}
        ) t
        ORDER BY t.vehicle_id, t.is_agreed DESC, {under_way} t.stage = 'planned', t.planned_arrival, t.trip_id
    """  # noqa: S608 - constants of this module


_HANDLED = f"""
    (t.stage <> 'planned' AND coalesce(
        (SELECT true FROM app.trip_place w WHERE w.trip_id = t.trip_id AND w.trust = {_OFFICER} LIMIT 1), false)) DESC,
"""  # noqa: S608 - a constant of this module
"""Whether an officer handled it; looked up trip by trip, since EXISTS may become a hash of all places ever kept."""


def upgrade() -> None:
    """Apply this revision."""
    op.execute(
        f"""
        ALTER TABLE app.trip DROP CONSTRAINT ck_trip_stage;
        ALTER TABLE app.trip ADD CONSTRAINT ck_trip_stage CHECK (stage IN (
            'planned', 'on_the_road', 'queued', 'in_the_yard', 'out', 'cancelled', 'expired'));
        DROP INDEX app.uq_trip_open_vehicle;
        CREATE INDEX ix_trip_open_vehicle ON app.trip (vehicle_id, planned_arrival) WHERE {_OPEN};
        DROP TRIGGER end_trip_steps ON app.trip;
        CREATE TRIGGER end_trip_steps AFTER UPDATE OF stage ON app.trip
            FOR EACH ROW WHEN (NEW.stage IN {_OVER} AND OLD.stage NOT IN {_OVER})
            EXECUTE FUNCTION app.end_trip_steps();
        """
    )
    op.execute(_view(_HANDLED))


def downgrade() -> None:
    """Take this revision back: trips ahead of the first of an enterprise are cancelled, expired ones too."""
    op.execute(_view(""))
    op.execute(
        f"""
        UPDATE app.trip SET stage = 'cancelled' WHERE stage = 'expired' OR ({_OPEN} AND trip_id NOT IN (
            SELECT DISTINCT ON (t.vehicle_id, t.organisation_id) t.trip_id FROM app.trip t WHERE t.{_OPEN}
            ORDER BY t.vehicle_id, t.organisation_id, t.stage = 'planned', t.planned_arrival, t.trip_id));
        DROP TRIGGER end_trip_steps ON app.trip;
        CREATE TRIGGER end_trip_steps AFTER UPDATE OF stage ON app.trip
            FOR EACH ROW WHEN (NEW.stage IN ('out', 'cancelled') AND OLD.stage NOT IN ('out', 'cancelled'))
            EXECUTE FUNCTION app.end_trip_steps();
        DROP INDEX app.ix_trip_open_vehicle;
        CREATE UNIQUE INDEX uq_trip_open_vehicle ON app.trip (vehicle_id, organisation_id) WHERE {_OPEN};
        ALTER TABLE app.trip DROP CONSTRAINT ck_trip_stage;
        ALTER TABLE app.trip ADD CONSTRAINT ck_trip_stage CHECK (stage IN (
            'planned', 'on_the_road', 'queued', 'in_the_yard', 'out', 'cancelled'));
        """  # noqa: S608 - constants of this module
    )
