"""Weather warnings are announced of gates: told by a neighbour, known by its own identity and version."""

from __future__ import annotations

from alembic import op

revision = "0105"
down_revision = "0101"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.execute(
        """
        ALTER TABLE app.gate_notice
            DROP CONSTRAINT ck_gate_notice_kind,
            ADD CONSTRAINT ck_gate_notice_kind CHECK (kind IN ('ban', 'outage', 'weather')),
            ALTER COLUMN created_by DROP NOT NULL,
            ADD COLUMN source_ref text,
            ADD COLUMN source_version bigint NOT NULL DEFAULT 0,
            ADD COLUMN is_simulated boolean NOT NULL DEFAULT false,
            ADD CONSTRAINT ck_gate_notice_weather CHECK ((kind = 'weather') = (source_ref IS NOT NULL)),
            ADD CONSTRAINT uq_gate_notice_source_ref UNIQUE (source_ref, gate_id);
        """
    )


def downgrade() -> None:
    """Take this revision back."""
    op.execute(
        """
        DELETE FROM app.gate_notice WHERE kind = 'weather';
        ALTER TABLE app.gate_notice
            DROP CONSTRAINT ck_gate_notice_weather,
            DROP CONSTRAINT uq_gate_notice_source_ref,
            DROP COLUMN source_ref,
            DROP COLUMN source_version,
            DROP COLUMN is_simulated,
            ALTER COLUMN created_by SET NOT NULL,
            DROP CONSTRAINT ck_gate_notice_kind,
            ADD CONSTRAINT ck_gate_notice_kind CHECK (kind IN ('ban', 'outage'));
        """
    )
