"""Orders to many trucks: released by a second person, told in groups; recalls that are read."""

from __future__ import annotations

from alembic import op

revision = "0073"
down_revision = "0072"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.execute(
        """
        ALTER TABLE app.dispatch_order
            ADD COLUMN approved_by integer
                CONSTRAINT fk_dispatch_order_approved_by_account REFERENCES app.account (account_id),
            ADD COLUMN approved_at timestamptz,
            DROP CONSTRAINT ck_dispatch_order_status,
            ADD CONSTRAINT ck_dispatch_order_status
                CHECK (status IN ('proposed', 'active', 'cancelled', 'superseded', 'expired'));
        CREATE INDEX ix_dispatch_order_proposed ON app.dispatch_order (issued_at) WHERE status = 'proposed';
        ALTER TABLE app.order_recipient
            ADD COLUMN tell_at timestamptz,
            ADD COLUMN recall_read_at timestamptz,
            DROP CONSTRAINT ck_order_recipient_status,
            ADD CONSTRAINT ck_order_recipient_status CHECK (status IN ('waiting', 'sent', 'delivered', 'acknowledged',
                'refused', 'expired', 'cancelled', 'superseded'));
        CREATE INDEX ix_order_recipient_waiting ON app.order_recipient (tell_at) WHERE status = 'waiting';
        """
    )


def downgrade() -> None:
    """Take this revision back; what waited for a second person or its group is cancelled."""
    op.execute(
        """
        UPDATE app.dispatch_order SET status = 'cancelled' WHERE status = 'proposed';
        UPDATE app.order_recipient SET status = 'cancelled' WHERE status = 'waiting';
        DROP INDEX app.ix_order_recipient_waiting;
        DROP INDEX app.ix_dispatch_order_proposed;
        ALTER TABLE app.order_recipient
            DROP COLUMN tell_at,
            DROP COLUMN recall_read_at,
            DROP CONSTRAINT ck_order_recipient_status,
            ADD CONSTRAINT ck_order_recipient_status CHECK (status IN ('sent', 'delivered', 'acknowledged', 'refused',
                'expired', 'cancelled', 'superseded'));
        ALTER TABLE app.dispatch_order
            DROP COLUMN approved_by,
            DROP COLUMN approved_at,
            DROP CONSTRAINT ck_dispatch_order_status,
            ADD CONSTRAINT ck_dispatch_order_status CHECK (status IN ('active', 'cancelled', 'superseded', 'expired'));
        """
    )
