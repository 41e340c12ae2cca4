"""Acts tried against a risk, and what orders brought about against the forecast without them."""

from __future__ import annotations

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.execute(
        """
        CREATE TABLE app.tried_measures (
            advisory_id integer NOT NULL CONSTRAINT pk_tried_measures PRIMARY KEY
                CONSTRAINT fk_tried_measures_advisory_id_advisory REFERENCES app.advisory (advisory_id)
                ON DELETE CASCADE,
            made_at timestamptz NOT NULL,
            took_s double precision NOT NULL,
            runs integer NOT NULL,
            weight double precision NOT NULL,
            measures jsonb NOT NULL,
            impossible jsonb NOT NULL
        );
        CREATE TABLE app.order_effect (
            order_id integer NOT NULL CONSTRAINT fk_order_effect_order_id_dispatch_order
                REFERENCES app.dispatch_order (order_id) ON DELETE CASCADE,
            gate_id text NOT NULL,
            made_at timestamptz NOT NULL,
            until timestamptz NOT NULL,
            step_s double precision NOT NULL,
            runs integer NOT NULL,
            without_veh jsonb NOT NULL,
            with_veh jsonb NOT NULL,
            expected_h jsonb NOT NULL,
            realised_h jsonb,
            scored_at timestamptz,
            CONSTRAINT pk_order_effect PRIMARY KEY (order_id, gate_id)
        );
        CREATE INDEX ix_order_effect_open ON app.order_effect (until) WHERE scored_at IS NULL;
        """
    )


def downgrade() -> None:
    """Take this revision back."""
    op.execute("DROP TABLE app.order_effect; DROP TABLE app.tried_measures;")
