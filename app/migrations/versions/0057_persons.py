# ruff: noqa: S608 - names of this module
"""Requests about persons without an account, who are found by digests in all that speaks of drivers."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from app.declarations.personal import digests_of
from app.platform.sealed_json import unseal_object

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None

DOCUMENTS = (
    ("app.transshipment_receiver", ("transshipment_id", "plate"), "details"),
    ("app.declaration_import_row", ("import_id", "number"), "written"),
)
BATCH = 1000


def upgrade() -> None:
    """Apply this revision."""
    op.execute(
        """
        ALTER TABLE app.transshipment_receiver ADD COLUMN driver_digests text[] NOT NULL DEFAULT '{}';
        ALTER TABLE app.declaration_import_row ADD COLUMN driver_digests text[] NOT NULL DEFAULT '{}';
        ALTER TABLE app.privacy_request ALTER COLUMN account_id DROP NOT NULL;
        ALTER TABLE app.privacy_request ADD COLUMN person text;
        ALTER TABLE app.privacy_request ADD COLUMN person_digest text;
        ALTER TABLE app.privacy_request ADD CONSTRAINT ck_privacy_request_whose
            CHECK ((account_id IS NULL) <> (person_digest IS NULL));
        CREATE UNIQUE INDEX uq_privacy_request_open_person ON app.privacy_request (person_digest, kind)
            WHERE status = 'open';
        """
    )
    connection = op.get_bind()
    for table, keys, column in DOCUMENTS:
        listed, ordered = ", ".join(keys), ", ".join(f":{key}" for key in keys)
        read = text(
            f"SELECT {listed}, {column} FROM {table} WHERE ({listed}) > ({ordered}) ORDER BY {listed} LIMIT {BATCH}"
        )
        same = " AND ".join(f"{key} = :{key}" for key in keys)
        keep = text(f"UPDATE {table} SET driver_digests = :digests WHERE {same}").bindparams(
            bindparam("digests", type_=ARRAY(Text))
        )
        after: dict[str, object] = {key: "" if key == "plate" else 0 for key in keys}
        while rows := connection.execute(read, after).all():
            named = [dict(zip((*keys, "document"), row, strict=True)) for row in rows]
            changes = [
                {**{key: row[key] for key in keys}, "digests": digests_of(unseal_object(row["document"]))}
                for row in named
            ]
            connection.execute(keep, changes)
            after = {key: named[-1][key] for key in keys}
    op.execute(
        """
        CREATE INDEX ix_transshipment_receiver_driver_digests ON app.transshipment_receiver USING gin (driver_digests);
        CREATE INDEX ix_declaration_import_row_driver_digests ON app.declaration_import_row USING gin (driver_digests);
        CREATE INDEX ix_registered_driver_number_digests ON app.registered_driver USING gin (number_digests);
        """
    )


def downgrade() -> None:
    """Take this revision back."""
    op.execute(
        """
        DROP INDEX app.ix_registered_driver_number_digests;
        ALTER TABLE app.transshipment_receiver DROP COLUMN driver_digests;
        ALTER TABLE app.declaration_import_row DROP COLUMN driver_digests;
        DELETE FROM app.privacy_request WHERE account_id IS NULL;
        DROP INDEX app.uq_privacy_request_open_person;
        ALTER TABLE app.privacy_request DROP CONSTRAINT ck_privacy_request_whose;
        ALTER TABLE app.privacy_request DROP COLUMN person, DROP COLUMN person_digest;
        ALTER TABLE app.privacy_request ALTER COLUMN account_id SET NOT NULL;
        """
    )
