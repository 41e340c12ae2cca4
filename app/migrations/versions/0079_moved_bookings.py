"""From where the platform moved a booking and what was told of it; messages to drivers about their bookings."""

from __future__ import annotations

from alembic import op

revision = "0079"
down_revision = "0078"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.execute(
        """
        ALTER TABLE app.booking ADD COLUMN moved text NOT NULL DEFAULT '';
        ALTER TABLE app.booking ADD COLUMN moved_from text
            CONSTRAINT fk_booking_moved_from_yard REFERENCES capacity.yard (yard_id);
        ALTER TABLE app.reach_message ALTER COLUMN order_id DROP NOT NULL;
        ALTER TABLE app.reach_message ADD COLUMN notification_id bigint
            CONSTRAINT fk_reach_message_notification_id_notification
            REFERENCES app.notification (notification_id) ON DELETE CASCADE;
        ALTER TABLE app.reach_message DROP CONSTRAINT ck_reach_message_kind;
        ALTER TABLE app.reach_message ADD CONSTRAINT ck_reach_message_kind
            CHECK (kind IN ('order', 'recall', 'booking'));
        ALTER TABLE app.reach_message ADD CONSTRAINT ck_reach_message_subject
            CHECK (num_nonnulls(order_id, notification_id) = 1);
        ALTER TABLE app.reach_message ADD CONSTRAINT uq_reach_message_notification_id
            UNIQUE (notification_id, channel, subscription_id);
        """
    )


def downgrade() -> None:
    """Take this revision back."""
    op.execute(
        """
        DELETE FROM app.reach_message WHERE order_id IS NULL;
        ALTER TABLE app.reach_message DROP CONSTRAINT ck_reach_message_kind;
        ALTER TABLE app.reach_message ADD CONSTRAINT ck_reach_message_kind CHECK (kind IN ('order', 'recall'));
        ALTER TABLE app.reach_message DROP COLUMN notification_id;
        ALTER TABLE app.reach_message ALTER COLUMN order_id SET NOT NULL;
        ALTER TABLE app.booking DROP COLUMN moved_from, DROP COLUMN moved;
        """
    )
