"""Keys of banks, secrets of equipment and addresses of webhooks are encrypted, by keys outside the database."""

from __future__ import annotations

import json

from alembic import op
from sqlalchemy import text

from app.platform.encryption import key_ring
from app.platform.encryption_store import rewrite_column

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

PLAIN = (
    "camera_id",
    "enter_heading_deg",
    "movement",
    "silent_after_s",
    "simulated",
    "timeout_s",
    "tolerance_kg",
    "tolerance_share",
    "topic",
)
"""What of a set-up stays in clear."""
COLUMNS = (("app.bank_gateway", ["collecting_account_id", "gateway"], "key"), ("app.webhook", ["webhook_id"], "url"))


def upgrade() -> None:
    """Apply this revision."""
    connection, ring = op.get_bind(), key_ring()
    for table, keys, column in COLUMNS:
        rewrite_column(connection, table, keys, column, ring.encrypt)
    op.execute("ALTER TABLE app.equipment ADD COLUMN secrets text;")
    for equipment_id, config in connection.execute(text("SELECT equipment_id, config FROM app.equipment")).all():
        secrets = {name: config[name] for name in config if name not in PLAIN}
        if secrets:
            values = {
                "id": equipment_id,
                "secrets": ring.encrypt(json.dumps(secrets, ensure_ascii=False)),
                "config": json.dumps({name: config[name] for name in config if name in PLAIN}),
            }
            connection.execute(
                text(
                    "UPDATE app.equipment SET secrets = :secrets, config = CAST(:config AS jsonb) "
                    "WHERE equipment_id = :id"
                ),
                values,
            )


def downgrade() -> None:
    """Take this revision back."""
    connection, ring = op.get_bind(), key_ring()
    for table, keys, column in COLUMNS:
        rewrite_column(connection, table, keys, column, ring.decrypt)
    held = text("SELECT equipment_id, secrets FROM app.equipment WHERE secrets IS NOT NULL")
    for equipment_id, secrets in connection.execute(held).all():
        connection.execute(
            text("UPDATE app.equipment SET config = config || CAST(:secrets AS jsonb) WHERE equipment_id = :id"),
            {"id": equipment_id, "secrets": ring.decrypt(secrets)},
        )
    op.execute("ALTER TABLE app.equipment DROP COLUMN secrets;")
