"""Advice as it was first given, and whether what it told of came."""

from __future__ import annotations

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.execute(
        """
        CREATE TABLE app.advice_outcome (
            advisory_id integer NOT NULL CONSTRAINT pk_advice_outcome PRIMARY KEY
                CONSTRAINT fk_advice_outcome_advisory_id_advisory REFERENCES app.advisory (advisory_id)
                ON DELETE CASCADE,
            kind text NOT NULL CONSTRAINT ck_advice_outcome_kind
                CHECK (kind IN ('queue', 'yard', 'closing', 'release')),
            place_id text NOT NULL,
            threshold double precision NOT NULL,
            given_at timestamptz NOT NULL,
            by timestamptz NOT NULL,
            outcome text CONSTRAINT ck_advice_outcome_outcome
                CHECK (outcome IN ('right', 'wrong', 'acted_on', 'unknown')),
            judged_at timestamptz
        );
        CREATE INDEX ix_advice_outcome_open ON app.advice_outcome (advisory_id) WHERE outcome IS NULL;
        CREATE INDEX ix_advice_outcome_judged_at ON app.advice_outcome (judged_at);
        """
    )


def downgrade() -> None:
    """Take this revision back."""
    op.execute("DROP TABLE app.advice_outcome;")
