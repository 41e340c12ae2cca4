"""Receiving vehicles of a transshipment, each with a trip of its own; a transshipment that the yard has begun."""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_STATUSES = "'registered', 'approved', 'begun', 'refused', 'carried_out', 'cancelled'"
_OPEN = "'registered', 'approved', 'begun'"


def upgrade() -> None:
    """Apply this revision."""
    op.execute(
        f"""
        ALTER TABLE app.transshipment
            ADD COLUMN begun_at timestamptz,
            ADD COLUMN begun_by integer
                CONSTRAINT fk_transshipment_begun_by_account REFERENCES app.account (account_id),
            DROP CONSTRAINT ck_transshipment_status,
            ADD CONSTRAINT ck_transshipment_status CHECK (status IN ({_STATUSES}));
        DROP INDEX app.uq_transshipment_open_trip;
        DROP INDEX app.ix_transshipment_open;
        CREATE UNIQUE INDEX uq_transshipment_open_trip ON app.transshipment (trip_id) WHERE status IN ({_OPEN});
        CREATE INDEX ix_transshipment_open ON app.transshipment (status, transshipment_id) WHERE status IN ({_OPEN});
        ALTER TABLE app.transshipment_move
            ALTER COLUMN weight_kg TYPE numeric(18, 6),
            ADD COLUMN quantity numeric,
            ADD COLUMN net_weight_kg numeric;
        CREATE TABLE app.transshipment_receiver (
            transshipment_id integer NOT NULL
                CONSTRAINT fk_transshipment_receiver_transshipment_id_transshipment
                REFERENCES app.transshipment (transshipment_id),
            plate text NOT NULL,
            trailer_plate text,
            details jsonb NOT NULL DEFAULT '{{}}',
            trip_id integer CONSTRAINT fk_transshipment_receiver_trip_id_trip REFERENCES app.trip (trip_id),
            turn integer,
            CONSTRAINT pk_transshipment_receiver PRIMARY KEY (transshipment_id, plate)
        );
        CREATE INDEX ix_transshipment_receiver_trip_id ON app.transshipment_receiver (trip_id);
        INSERT INTO app.transshipment_receiver (transshipment_id, plate)
            SELECT DISTINCT transshipment_id, to_plate FROM app.transshipment_move;
        """  # noqa: S608 - constants of this module
    )


def downgrade() -> None:
    """Take this revision back; what the yard has begun waits for it again."""
    op.execute(
        """
        DROP TABLE app.transshipment_receiver;
        ALTER TABLE app.transshipment_move
            DROP COLUMN quantity,
            DROP COLUMN net_weight_kg,
            ALTER COLUMN weight_kg TYPE numeric(14, 3);
        UPDATE app.transshipment SET status = 'approved' WHERE status = 'begun';
        DROP INDEX app.uq_transshipment_open_trip;
        DROP INDEX app.ix_transshipment_open;
        ALTER TABLE app.transshipment
            DROP COLUMN begun_at,
            DROP COLUMN begun_by,
            DROP CONSTRAINT ck_transshipment_status,
            ADD CONSTRAINT ck_transshipment_status
                CHECK (status IN ('registered', 'approved', 'refused', 'carried_out', 'cancelled'));
        CREATE UNIQUE INDEX uq_transshipment_open_trip ON app.transshipment (trip_id)
            WHERE status IN ('registered', 'approved');
        CREATE INDEX ix_transshipment_open ON app.transshipment (status, transshipment_id)
            WHERE status IN ('registered', 'approved');
        """
    )
