"""Sessions with times of their own, locks and proofs; whose password it is; whose accounts are one person's."""

from __future__ import annotations

from alembic import op

revision = "0046"
down_revision = "0043"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision. Sessions that are open go on as they were begun: 30 days at most, 12 hours unused."""
    op.execute(
        """
        ALTER TABLE app.account
            ADD COLUMN password_set_at timestamptz,
            ADD COLUMN must_change_password boolean NOT NULL DEFAULT false,
            ADD COLUMN person_id integer
                CONSTRAINT fk_account_person_id_account REFERENCES app.account (account_id),
            ADD COLUMN failed_sign_ins integer NOT NULL DEFAULT 0,
            ADD COLUMN failed_sign_in_at timestamptz;
        CREATE INDEX ix_account_person_id ON app.account (person_id) WHERE person_id IS NOT NULL;
        ALTER TABLE app.session
            ADD COLUMN method text NOT NULL DEFAULT 'password' CONSTRAINT ck_session_method
                CHECK (method IN ('password', 'password_and_code', 'password_and_passkey', 'passkey', 'provider')),
            ADD COLUMN ends_at timestamptz,
            ADD COLUMN idle_s integer,
            ADD COLUMN lock_after_s integer,
            ADD COLUMN proof_lasts_s integer,
            ADD COLUMN active_at timestamptz,
            ADD COLUMN proved_at timestamptz,
            ADD COLUMN failed_sign_ins integer NOT NULL DEFAULT 0,
            ADD COLUMN failed_sign_in_at timestamptz;
        UPDATE app.session SET
            ends_at = greatest(created_at + interval '30 days', expires_at),
            idle_s = 43200, active_at = last_seen_at, proved_at = created_at;
        ALTER TABLE app.session
            ALTER COLUMN ends_at SET NOT NULL,
            ALTER COLUMN idle_s SET NOT NULL,
            ALTER COLUMN active_at SET NOT NULL,
            ALTER COLUMN proved_at SET NOT NULL;
        """
    )


def downgrade() -> None:
    """Take this revision back."""
    op.execute(
        """
        ALTER TABLE app.session
            DROP COLUMN method, DROP COLUMN ends_at, DROP COLUMN idle_s, DROP COLUMN lock_after_s,
            DROP COLUMN proof_lasts_s, DROP COLUMN active_at, DROP COLUMN proved_at,
            DROP COLUMN failed_sign_ins, DROP COLUMN failed_sign_in_at;
        ALTER TABLE app.account
            DROP COLUMN password_set_at, DROP COLUMN must_change_password, DROP COLUMN person_id,
            DROP COLUMN failed_sign_ins, DROP COLUMN failed_sign_in_at;
        """
    )
