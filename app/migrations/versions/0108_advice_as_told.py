"""What advice told is kept each time it told something else, so that the past shows the words of its time."""

from __future__ import annotations

from alembic import op

revision = "0108"
down_revision = "0107"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision; of advice that stands, what it tells is known from its last minute on."""
    op.execute(
        """
        CREATE TABLE app.advice_telling (
            advisory_id integer NOT NULL CONSTRAINT fk_advice_telling_advisory_id_advisory
                REFERENCES app.advisory (advisory_id) ON DELETE CASCADE,
            told_at timestamptz NOT NULL,
            severity text NOT NULL CONSTRAINT ck_advice_telling_severity
                CHECK (severity IN ('notice', 'warning', 'alarm')),
            until timestamptz NOT NULL,
            probability double precision NOT NULL,
            values jsonb NOT NULL,
            CONSTRAINT pk_advice_telling PRIMARY KEY (advisory_id, told_at)
        );
        CREATE INDEX ix_advice_telling_told_at ON app.advice_telling (told_at);
        INSERT INTO app.advice_telling (advisory_id, told_at, severity, until, probability, values)
        SELECT advisory_id, seen_at, severity, until, probability, values FROM app.advisory WHERE over_at IS NULL;
        """
    )


def downgrade() -> None:
    """Take this revision back."""
    op.execute("DROP TABLE app.advice_telling")
