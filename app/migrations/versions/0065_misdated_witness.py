"""Witnesses whose times a clock that ran ahead wrote: no later than when that was found."""

from __future__ import annotations

from alembic import op

revision = "0065"
down_revision = "0064"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.execute(
        """
        CREATE TABLE app.misdated_witness (
            trip_id integer NOT NULL CONSTRAINT fk_misdated_witness_trip_id_trip
                REFERENCES app.trip (trip_id) ON DELETE CASCADE,
            ref text NOT NULL,
            known_at timestamptz NOT NULL,
            CONSTRAINT pk_misdated_witness PRIMARY KEY (trip_id, ref)
        );
        """
    )


def downgrade() -> None:
    """Take this revision back."""
    op.execute("DROP TABLE app.misdated_witness;")
