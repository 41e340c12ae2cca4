"""Where trucks are served at each gate, as it was learned last."""

from __future__ import annotations

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.execute(
        """
        CREATE TABLE app.gate_served_place (
            gate_id text NOT NULL CONSTRAINT pk_gate_served_place PRIMARY KEY,
            km double precision NOT NULL,
            stops integer NOT NULL CONSTRAINT ck_gate_served_place_stops CHECK (stops > 0),
            learned_at timestamptz NOT NULL
        );
        """
    )


def downgrade() -> None:
    """Take this revision back."""
    op.execute("DROP TABLE app.gate_served_place;")
