"""What planners know beforehand to change who comes: events at other borders, festivals."""

from __future__ import annotations

from alembic import op

revision = "0043"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.execute(
        """
        CREATE TABLE app.demand_event (
            event_id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_demand_event PRIMARY KEY,
            gate_id text,
            starts_at timestamptz NOT NULL,
            ends_at timestamptz NOT NULL,
            factor double precision NOT NULL CONSTRAINT ck_demand_event_factor CHECK (factor >= 0 AND factor <= 10),
            cause text NOT NULL,
            created_by integer CONSTRAINT fk_demand_event_created_by_account REFERENCES app.account,
            created_at timestamptz NOT NULL,
            withdrawn_at timestamptz,
            CONSTRAINT ck_demand_event_span CHECK (starts_at < ends_at)
        );
        CREATE INDEX ix_demand_event_ends_at ON app.demand_event (ends_at) WHERE withdrawn_at IS NULL;
        """
    )


def downgrade() -> None:
    """Take this revision back."""
    op.execute("DROP TABLE app.demand_event;")
