"""What declarations, sheets and files say of persons is encrypted where it was in clear; digests find drivers.

Taken back, all of it stands in clear again but for the names of overrides, whose digests stay.
"""

from __future__ import annotations

import json
from typing import Final

from alembic import op
from sqlalchemy import Connection, LargeBinary, Text, bindparam, column, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from app.declarations.personal import digests_of
from app.platform.encryption import key_ring
from app.platform.encryption_store import FILES, rewrite_column
from app.platform.personal_fields import OFFICERS_TEXT, digest
from app.platform.sealed_json import seal, unseal

revision = "0056"
down_revision = "0054"
branch_labels = None
depends_on = None

DOCUMENTS: Final[tuple[tuple[str, list[str], str, tuple[str, ...]], ...]] = (
    ("app.declaration", ["trip_id", "revision"], "data", ()),
    ("app.declaration", ["trip_id", "revision"], "return_reasons", ("text",)),
    ("app.declaration_import_row", ["import_id", "number"], "written", ()),
    ("app.declaration_import_row", ["import_id", "number"], "reading", ()),
    ("app.declaration_import_row", ["import_id", "number"], "problems", ()),
    ("app.declaration_import_row", ["import_id", "number"], "notes", ()),
    ("app.transshipment_receiver", ["transshipment_id", "plate"], "details", ()),
    ("app.trip_step", ["trip_id", "step"], "data", OFFICERS_TEXT),
    ("app.trip_event", ["event_id"], "data", OFFICERS_TEXT),
    ("app.correction", ["correction_id"], "old", OFFICERS_TEXT),
    ("app.correction", ["correction_id"], "new", OFFICERS_TEXT),
    ("app.override", ["override_id"], "details", ("seen", "declared")),
)
"""JSON documents: table, its key, column, entries that are sealed beside the personal ones."""
TEXTS: Final = (
    ("app.attachment", ["attachment_id"], "name"),
    ("app.registered_driver", ["entry_id"], "note"),
    ("app.registered_document", ["document_id"], "number"),
    ("app.registered_document", ["document_id"], "note"),
    ("app.vehicle_claim", ["claim_id"], "paper_number"),
)
FILE_COLUMNS: Final = (
    ("app.attachment", ["attachment_id"], "content"),
    ("app.declaration_import", ["import_id"], "content"),
)
PERSONAL: Final = "driver|health|temperature|phone|paper|licence|identity|full_name|passport|note|remarks|text|seen"
"""What a document holds as text that may have something to encrypt."""


def upgrade() -> None:
    """Apply this revision."""
    connection, ring = op.get_bind(), key_ring()
    op.execute(
        """
        ALTER TABLE app.declaration ADD COLUMN driver_digests text[] NOT NULL DEFAULT '{}';
        ALTER TABLE app.observation ADD COLUMN personal text;
        ALTER TABLE app.finding ADD COLUMN personal text;
        ALTER TABLE app.vehicle_claim ADD COLUMN paper_digest text NOT NULL DEFAULT '';
        """
    )
    _digest_drivers(connection)
    _digest_papers(connection)
    _seal_numbers(connection)
    _hide_identities(connection)
    for table, keys, name, also in DOCUMENTS:
        only = column(name, JSONB()).cast(Text).regexp_match(PERSONAL)

        def sealed(value: object, also: tuple[str, ...] = also) -> object:
            return seal(value, also)

        rewrite_column(connection, table, keys, name, sealed, kind=JSONB(), only=only)
    for table, keys, name in TEXTS:
        rewrite_column(connection, table, keys, name, lambda value: value and ring.encrypt(value))
    for table, keys, name in FILE_COLUMNS:
        rewrite_column(connection, table, keys, name, ring.encrypt_bytes, kind=LargeBinary(), batch=FILES)
    op.execute("CREATE INDEX ix_declaration_driver_digests ON app.declaration USING gin (driver_digests);")


def downgrade() -> None:
    """Take this revision back."""
    connection, ring = op.get_bind(), key_ring()
    for table, keys, name in FILE_COLUMNS:
        rewrite_column(connection, table, keys, name, ring.decrypt_bytes, kind=LargeBinary(), batch=FILES)
    for table, keys, name in TEXTS:
        rewrite_column(connection, table, keys, name, lambda value: value and ring.decrypt(value))
    for table, keys, name, _also in DOCUMENTS:
        rewrite_column(connection, table, keys, name, unseal, kind=JSONB())
    for row_id, personal in connection.execute(
        text("SELECT observation_id, personal FROM app.observation WHERE personal IS NOT NULL")
    ).all():
        written = {"id": row_id, "vals": json.loads(ring.decrypt(personal))["vals"]}
        connection.execute(text("UPDATE app.observation SET vals = :vals WHERE observation_id = :id"), written)
    for row_id, personal in connection.execute(
        text("SELECT finding_id, personal FROM app.finding WHERE personal IS NOT NULL")
    ).all():
        clear = json.loads(ring.decrypt(personal))
        connection.execute(
            text("UPDATE app.finding SET seen = :seen, declared = :declared WHERE finding_id = :id"),
            {"id": row_id, "seen": clear["seen"][0], "declared": clear["declared"]},
        )
    op.execute(
        """
        ALTER TABLE app.declaration DROP COLUMN driver_digests;
        ALTER TABLE app.observation DROP COLUMN personal;
        ALTER TABLE app.finding DROP COLUMN personal;
        ALTER TABLE app.vehicle_claim DROP COLUMN paper_digest;
        """
    )


def _digest_drivers(connection: Connection) -> None:
    keep = text(
        "UPDATE app.declaration SET driver_digests = :digests WHERE trip_id = :trip_id AND revision = :revision"
    ).bindparams(bindparam("digests", type_=ARRAY(Text)))
    after = (0, 0)
    declared = text(
        "SELECT trip_id, revision, data FROM app.declaration WHERE (trip_id, revision) > (:trip_id, :revision) "
        "ORDER BY trip_id, revision LIMIT 1000"
    )
    while rows := connection.execute(declared, {"trip_id": after[0], "revision": after[1]}).all():
        connection.execute(
            keep, [{"trip_id": row[0], "revision": row[1], "digests": digests_of(row[2])} for row in rows]
        )
        after = (rows[-1][0], rows[-1][1])


def _digest_papers(connection: Connection) -> None:
    claims = connection.execute(text("SELECT claim_id, paper_number FROM app.vehicle_claim")).all()
    keep = text("UPDATE app.vehicle_claim SET paper_digest = :digest WHERE claim_id = :claim_id")
    for claim_id, number in claims:
        if number:
            connection.execute(keep, {"claim_id": claim_id, "digest": digest(number)})


def _seal_numbers(connection: Connection) -> None:
    """Numbers of drivers' papers that officers entered, and those that did not belong to a trip."""
    for row_id, entered in connection.execute(
        text("SELECT observation_id, vals FROM app.observation WHERE part = 'driver'")
    ).all():
        connection.execute(
            text("UPDATE app.observation SET vals = :vals, personal = :personal WHERE observation_id = :id"),
            {"id": row_id, "vals": [digest(value) for value in entered], "personal": _encrypted(vals=entered)},
        )
    for row_id, seen, declared in connection.execute(
        text("SELECT finding_id, seen, declared FROM app.finding WHERE part = 'driver'")
    ).all():
        kept = {
            "id": row_id,
            "seen": digest(seen),
            "declared": [digest(value) for value in declared],
            "personal": _encrypted(seen=[seen], declared=declared),
        }
        connection.execute(
            text(
                "UPDATE app.finding SET seen = :seen, declared = :declared, personal = :personal WHERE finding_id = :id"
            ),
            kept,
        )


def _encrypted(**values: list[str]) -> str:
    return key_ring().encrypt(json.dumps(values, ensure_ascii=False))


def _hide_identities(connection: Connection) -> None:
    """What tells an override of a driver's paper or of a temperature from others holds a digest of it."""
    for start in ("combination:driver:", "symptoms:measured "):
        found = connection.execute(
            text("SELECT override_id, identity FROM app.override WHERE starts_with(identity, :start)"), {"start": start}
        ).all()
        for override_id, identity in found:
            hidden = f"{start}{digest(identity.removeprefix(start))}"
            connection.execute(
                text("UPDATE app.override SET identity = :identity WHERE override_id = :id"),
                {"id": override_id, "identity": hidden},
            )
