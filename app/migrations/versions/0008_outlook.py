"""Expected arrivals of trips."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.execute(
        """
        CREATE TABLE app.outlook (
            trip_id integer CONSTRAINT pk_outlook PRIMARY KEY
                CONSTRAINT fk_outlook_trip_id_trip REFERENCES app.trip (trip_id),
            made_at timestamptz NOT NULL,
            arrive_at timestamptz[] NOT NULL,
            enter_at timestamptz[] NOT NULL,
            wait_s double precision[] NOT NULL
        )
        """
    )


def downgrade() -> None:
    """Take this revision back."""
    op.execute("DROP TABLE app.outlook")
