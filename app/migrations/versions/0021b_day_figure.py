"""The day in figures: arrivals, in, out, turned back and standing trucks of each gate and class of goods."""

from __future__ import annotations

from alembic import op

revision = "0021b"
down_revision = "0021a"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.execute(
        """
        CREATE TABLE app.day_figure (
            day date NOT NULL,
            gate_id text NOT NULL,
            goods_class text NOT NULL,
            standing_before integer NOT NULL,
            arrivals integer NOT NULL,
            went_in integer NOT NULL,
            went_out integer NOT NULL,
            turned_back integer NOT NULL,
            sent_on integer NOT NULL,
            standing integer NOT NULL,
            outside integer NOT NULL,
            simulated boolean NOT NULL,
            made_at timestamptz NOT NULL,
            CONSTRAINT pk_day_figure PRIMARY KEY (day, gate_id, goods_class),
            CONSTRAINT ck_day_figure_adds_up
                CHECK (standing = standing_before + arrivals - went_in - went_out - turned_back)
        );
        """
    )


def downgrade() -> None:
    """Take this revision back."""
    op.execute("DROP TABLE app.day_figure;")
