# ruff: noqa: S608 - these are our own queries, nothing of anybody's is in their text
"""Where data of a person lie, and what becomes of each at erasure.

`account_id` is whose data they are. What is kept by law is kept under a pseudonym, `person-17`, which stands for
nobody once the account is erased.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.platform.labels import N_

_DRIVEN: Final = "(SELECT trip_id FROM app.trip WHERE driver_id = :account_id)"


@dataclass(frozen=True)
class PersonalData:
    """One kind of data of a person.

    `read` is a query of what is kept, for the person to see; `erase` a statement, empty where the law wants the rows
    as they are: then `kept_because` says which. `encrypted` columns are read with the installation's keys, and so are
    the `documents`, of which that is told which is of the driver. What names a driver in them `app.privacy.drivers`
    erases.
    """

    name: str
    read: str
    erase: str = ""
    encrypted: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    kept_because: str = ""


PERSONAL_DATA: Final = (
    PersonalData(
        "account",
        "SELECT account_id, username, full_name, role, organisation_id, gate_id, locale, created_at, disabled_at "
        "FROM app.account WHERE account_id = :account_id",
        "UPDATE app.account SET username = :pseudonym, full_name = :pseudonym, password_hash = :nobody_hash, "
        "disabled_at = coalesce(disabled_at, CAST(:now AS timestamptz)), vehicle_id = NULL, version = version + 1 "
        "WHERE account_id = :account_id",
    ),
    PersonalData(
        "sessions",
        "SELECT kind, created_at, last_seen_at, expires_at, user_agent, address FROM app.session "
        "WHERE account_id = :account_id ORDER BY created_at",
        "DELETE FROM app.session WHERE account_id = :account_id",
    ),
    PersonalData(
        "authenticator apps",
        "SELECT made_at, last_used_at FROM app.authenticator_app WHERE account_id = :account_id",
        "DELETE FROM app.authenticator_app WHERE account_id = :account_id",
    ),
    PersonalData(
        "passkeys",
        "SELECT name, made_at, last_used_at FROM app.passkey WHERE account_id = :account_id",
        "DELETE FROM app.passkey WHERE account_id = :account_id",
    ),
    PersonalData(
        "recovery codes",
        "SELECT made_at, used_at FROM app.recovery_code WHERE account_id = :account_id",
        "DELETE FROM app.recovery_code WHERE account_id = :account_id",
    ),
    PersonalData(
        "identities elsewhere",
        "SELECT issuer, subject, linked_at, last_used_at FROM app.provider_identity WHERE account_id = :account_id",
        "DELETE FROM app.provider_identity WHERE account_id = :account_id",
    ),
    PersonalData(
        "push messages",
        "SELECT created_at, language FROM app.push_subscription WHERE account_id = :account_id",
        "DELETE FROM app.push_subscription WHERE account_id = :account_id",
    ),
    PersonalData(
        "notifications",
        "SELECT at, kind, trip_id, data, read_at FROM app.notification WHERE account_id = :account_id ORDER BY at",
        "DELETE FROM app.notification WHERE account_id = :account_id",
    ),
    PersonalData(
        "papers",
        "SELECT kind, number, expires_on, note, created_at, removed_at FROM app.registered_document WHERE subject = "
        "'driver' AND entry_id IN (SELECT entry_id FROM app.registered_driver WHERE account_id = :account_id)",
        "DELETE FROM app.registered_document WHERE subject = 'driver' AND entry_id IN "
        "(SELECT entry_id FROM app.registered_driver WHERE account_id = :account_id)",
        encrypted=("number", "note"),
    ),
    PersonalData(
        "register",
        "SELECT entry_id, full_name, phone, language, paper, paper_number, paper_expires, licence_number, "
        "licence_class, licence_expires, note, created_at, removed_at FROM app.registered_driver "
        "WHERE account_id = :account_id",
        "DELETE FROM app.registered_driver WHERE account_id = :account_id",
        encrypted=("phone", "paper_number", "licence_number", "note"),
    ),
    PersonalData(
        "trips",
        "SELECT code, gate_id, regime, direction, planned_arrival, stage, stage_since, created_at FROM app.trip "
        "WHERE driver_id = :account_id OR created_by = :account_id ORDER BY created_at",
        kept_because=N_("Trips are customs dossiers: kept five years, with a fee ten, under a pseudonym."),
    ),
    PersonalData(
        "declarations",
        "SELECT trip_id, revision, status, created_at, data AS declared FROM app.declaration "
        f"WHERE trip_id IN {_DRIVEN} ORDER BY created_at",
        documents=("declared",),
        kept_because=N_("Declarations are customs dossiers: kept five years, without what names the driver."),
    ),
    PersonalData(
        "corrections",
        f"SELECT trip_id, step, kind, old, new, asked_at FROM app.correction WHERE trip_id IN {_DRIVEN}",
        documents=("old", "new"),
    ),
    PersonalData(
        "noted by officers",
        "SELECT trip_id, step, done_at, data AS noted FROM app.trip_step "
        f"WHERE trip_id IN {_DRIVEN} AND data <> '{{}}'",
        documents=("noted",),
    ),
    PersonalData(
        "attached papers",
        "SELECT trip_id, kind, size_bytes, uploaded_at, removed_at FROM app.attachment WHERE kind = 'driver_papers' "
        f"AND trip_id IN {_DRIVEN}",
    ),
    PersonalData(
        "orders",
        "SELECT order_id, trip_id, status, delivered_at, responded_at, refusal_reason FROM app.order_recipient "
        "WHERE driver_id = :account_id",
        kept_because=N_("Orders are evidence of who was told what: kept two years, under a pseudonym."),
    ),
    PersonalData(
        "positions",
        "SELECT t.code, f.time, round(ST_X(f.geom)::numeric, 5) AS lon, round(ST_Y(f.geom)::numeric, 5) AS lat "
        "FROM app.trip t JOIN ingest.fix f ON f.vehicle_id = t.vehicle_id AND f.time >= t.created_at "
        "AND (t.stage IN ('planned', 'on_the_road', 'queued', 'in_the_yard') OR f.time <= t.stage_since) "
        "WHERE t.driver_id = :account_id ORDER BY f.time DESC LIMIT 200000",
        kept_because=N_("Positions are of the truck and go by themselves after 30 days."),
    ),
    PersonalData(
        "payments",
        "SELECT p.received_at, p.amount_vnd, p.method, p.payer FROM app.payment p JOIN app.fee f USING (fee_id) "
        f"WHERE f.trip_id IN {_DRIVEN} ORDER BY p.received_at",
        kept_because=N_("Payments and receipts are accounting documents: kept ten years as they are."),
    ),
    PersonalData(
        "consents",
        "SELECT notice_version, locale, given_at FROM app.consent WHERE account_id = :account_id",
        kept_because=N_("That the person was told is evidence, under a pseudonym."),
    ),
    PersonalData(
        "acts",
        "SELECT at, action, object_type, object_id, address FROM app.audit WHERE actor_id = :account_id "
        "ORDER BY audit_id DESC LIMIT 10000",
        kept_because=N_("The audit log is evidence of who did what: kept for good, under a pseudonym."),
    ),
)
