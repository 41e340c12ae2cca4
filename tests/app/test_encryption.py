"""Secrets at rest: encrypted in the database by keys outside of it, rotated, migrated, never told."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from app.ops import install, migrate
from app.platform import encryption, personal_fields
from app.platform.digest_columns import digest_columns
from app.platform.encryption import KeyRing, key_ring
from app.platform.personal_fields import digest, person_digest
from app.privacy.tables import PrivacyRequest
from app.privacy.vocabulary import RequestKind
from app.registers.tables import RegisteredDriver
from app.settings import Settings, get_settings
from geo.database import Base, make_engine
from geo.errors import UnavailableError
from tests.app.equipping import set_up
from tests.app.gps import rows

OLD, NEW = "o" * 40, "n" * 40
NOW = datetime(2026, 3, 2, 3, tzinfo=UTC)
LETTERS = "khóa của Ngân hàng"


def test_a_value_is_read_by_any_key_and_written_by_the_first() -> None:
    by_old = KeyRing([OLD]).encrypt(LETTERS)
    both = KeyRing([NEW, OLD])
    assert LETTERS not in by_old
    assert both.decrypt(by_old) == LETTERS
    assert KeyRing([NEW]).decrypt(both.reencrypt(by_old)) == LETTERS
    assert KeyRing([OLD]).encrypt(LETTERS) != by_old


def test_a_value_of_another_key_or_an_altered_one_is_refused_without_being_told() -> None:
    token = KeyRing([OLD]).encrypt(LETTERS)
    for ring, wrong in ((KeyRing([NEW]), token), (KeyRing([OLD]), token[:-4] + "AAAA"), (KeyRing([OLD]), LETTERS)):
        with pytest.raises(UnavailableError) as refused:
            ring.decrypt(wrong)
        assert LETTERS not in str(refused.value)
        assert token not in str(refused.value)


@pytest.mark.parametrize(("keys", "secrets"), [("", ["s" * 32]), (f"{NEW}, {OLD}", [NEW, OLD, "s" * 32])])
def test_the_keys_of_the_settings_come_first_and_the_secret_key_still_reads(keys: str, secrets: list[str]) -> None:
    settings = Settings(encryption_keys=keys, secret_key="s" * 32)  # type: ignore[arg-type]
    assert settings.encryption_secrets() == secrets
    assert NEW not in repr(settings)


@pytest.mark.parametrize("keys", ["short", f"{NEW},", f"{NEW},short"])
def test_a_short_key_is_refused(keys: str) -> None:
    with pytest.raises(ValueError, match="CUAKHAU_ENCRYPTION_KEYS"):
        Settings(encryption_keys=keys)  # type: ignore[arg-type]


# What equipment is set up with


@pytest.fixture
def administrator(sign_in) -> TestClient:
    return sign_in("administrator")


def test_secret_parts_of_a_set_up_are_not_in_the_database_nor_in_any_answer(runtime, administrator) -> None:
    config = {
        "url": "http://root:hunter2@10.0.0.5/open?pin=4711.0815",
        "secret": "let-me-in",
        "api_key": "of-some-vendor",
        "timeout_s": 2,
    }
    made = set_up(administrator, "barrier", "http", site_id="huu-nghi-barrier-1", station="barrier_1", config=config)
    hidden = "••••"
    shown = {"url": f"http://{hidden}@10.0.0.5/open?{hidden}", "secret": hidden, "api_key": hidden, "timeout_s": 2}
    assert made["config"] == shown
    url = f"/api/v1/equipment/{made['equipment_id']}"
    answer = administrator.patch(url, json={"config": {**shown, "timeout_s": 3}}, headers={"If-Match": '"1"'})
    assert answer.json()["config"] == {**shown, "timeout_s": 3}
    answer = administrator.patch(url, json={"name": "Barrier"}, headers={"If-Match": '"2"'})
    assert answer.json()["config"] == {**shown, "timeout_s": 3}
    wrong = {**shown, "url": f"http://{hidden}@10.0.0.6/open"}
    refused = administrator.patch(url, json={"config": wrong}, headers={"If-Match": '"3"'})
    assert (refused.status_code, refused.json()["field"]) == (422, "config.url")

    [(config_held, secrets)] = rows(runtime, "SELECT config, secrets FROM app.equipment")
    assert config_held == {"timeout_s": 3}
    assert key_ring().decrypt(secrets).count("hunter2") == 1
    written = " ".join(str(row) for table in ("audit", "outbox") for row in rows(runtime, f"SELECT * FROM app.{table}"))
    listed = administrator.get("/api/v1/equipment").text
    for secret in ("hunter2", "4711.0815", "let-me-in", "of-some-vendor"):
        assert secret not in written + listed + answer.text + str(config_held) + secrets


# Migration and rotation


@pytest.fixture
def own(owner_engine: Engine) -> Iterator[Engine]:
    """A database of its own."""
    with owner_engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("DROP DATABASE IF EXISTS encryption_migration"))
        connection.execute(text("CREATE DATABASE encryption_migration"))
    url = owner_engine.url.set(database="encryption_migration").render_as_string(hide_password=False)
    made = make_engine(url, pool_size=1, application_name="cuakhau-test")
    yield made
    made.dispose()


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Settings of the environment, read afresh."""
    yield monkeypatch
    monkeypatch.undo()
    _read_afresh()


def _read_afresh() -> None:
    get_settings.cache_clear()
    encryption.key_ring.cache_clear()
    personal_fields._key.cache_clear()


BEFORE = """
INSERT INTO app.organisation (organisation_id, name, kind) VALUES (1, 'Một', 'enterprise');
INSERT INTO app.collecting_account (collector, gate_id, bank_bin, bank_name, account_number, account_name, simulated,
                                    created_at)
VALUES ('tax', 'huu-nghi', '970400', 'N', '1', 'N', false, now());
INSERT INTO app.bank_gateway (collecting_account_id, gateway, key, entered_at)
SELECT collecting_account_id, 'payos', 'clear-key', now() FROM app.collecting_account;
INSERT INTO app.webhook (organisation_id, url, salt, events, created_at)
VALUES (1, 'https://hooks.example/T0/clear-path', 'x', '{trip.fee}', now());
INSERT INTO app.equipment (kind, name, vendor, config, created_at)
VALUES ('barrier', 'B', 'http', '{"url": "http://root:clear@10.0.0.5/", "timeout_s": 2}', now()),
       ('scale', 'S', 'generic', '{}', now());
"""
HELD = (
    "SELECT key FROM app.bank_gateway",
    "SELECT url FROM app.webhook",
    "SELECT equipment FROM app.equipment ORDER BY equipment_id",
)


def held(owner_engine: Engine) -> list[str]:
    """What the tables hold, as text."""
    with owner_engine.connect() as connection:
        return [str(value) for query in HELD for value in connection.execute(text(query)).scalars()]


def test_what_was_clear_is_encrypted_under_a_new_key_and_back(own: Engine, keys: pytest.MonkeyPatch) -> None:
    migrate.upgrade(own, "0039")
    with own.begin() as connection:
        connection.exec_driver_sql(BEFORE)
        config = connection.execute(text("SELECT config FROM app.equipment ORDER BY equipment_id")).scalars().all()
    clear = held(own)[:2]
    keys.setenv("CUAKHAU_SECRET_KEY", OLD)
    _read_afresh()
    migrate.upgrade(own)
    assert not [value for value in held(own) if "clear" in value]
    assert [KeyRing([OLD]).decrypt(token) for token in held(own)[:2]] == clear

    keys.setenv("CUAKHAU_ENCRYPTION_KEYS", NEW)
    keys.setenv("DATABASE_URL", own.url.render_as_string(hide_password=False).replace("+psycopg2", ""))
    _read_afresh()
    assert install.reencrypt(get_settings()) == (3, 0)
    assert [KeyRing([NEW]).decrypt(token) for token in held(own)[:2]] == clear

    keys.setenv("CUAKHAU_SECRET_KEY", "x" * 40)
    _read_afresh()
    migrate.downgrade(own, "0039")
    assert held(own)[:2] == clear
    with own.connect() as connection:
        query = text("SELECT config FROM app.equipment ORDER BY equipment_id")
        assert connection.execute(query).scalars().all() == config


# What was said of drivers before it was encrypted

DECLARED = {"driver_name": "Nguyễn Văn An", "driver_phone": "0912 345 678", "customs_number": "305.1"}
CLEAR = """
INSERT INTO app.organisation (organisation_id, name, kind) VALUES (1, 'Một', 'enterprise');
INSERT INTO app.account (account_id, username, password_hash, full_name, role, organisation_id, created_at)
VALUES (1, 'clerk', '', 'Clerk', 'enterprise', 1, now());
INSERT INTO ingest.vehicle (vehicle_id, plate, plate_norm, kind, created_at) VALUES (1, 'A', 'A', 'truck', now());
INSERT INTO app.trip (trip_id, code, vehicle_id, organisation_id, goods, goods_class, perishable, regime, direction,
                      gate_id, planned_arrival, stage, stage_since, created_at)
VALUES (1, 'T1', 1, 1, 'x', 'general', false, 'export', 'export', 'huu-nghi', now(), 'planned', now(), now());
INSERT INTO app.attachment (trip_id, kind, name, media_type, size_bytes, sha256, content, uploaded_at, uploaded_by,
                            uploaded_role)
SELECT 1, 'photo', 'clear ' || n, 'image/png', 3, decode(lpad(to_hex(n), 2, '0'), 'hex'), 'clear'::bytea, now(), 1,
       'enterprise'
FROM generate_series(1, 12) n;
INSERT INTO app.registered_document (subject, organisation_id, kind, number, note, created_at)
VALUES ('organisation', 1, 'other', 'clear-1', '', now());
INSERT INTO app.vehicle_claim (vehicle_id, organisation_id, paper_number, status, claimed_at)
VALUES (1, 1, 'clear-2', 'withdrawn', now()), (1, 1, '', 'withdrawn', now());
INSERT INTO app.observation (trip_id, step, part, vals, at, account_id)
VALUES (1, 'barrier_1', 'driver', '{CLEAR3}', now(), 1), (1, 'barrier_1', 'seal', '{S1}', now(), 1);
INSERT INTO app.finding (trip_id, part, seen, declared, seen_by, seen_at, raised_at)
VALUES (1, 'driver', 'CLEAR3', '{CLEAR4}', 'officer', now(), now());
INSERT INTO app.override (trip_id, gate_id, step, kind, identity, message, details, reason, at, account_id)
VALUES (1, 'huu-nghi', 'barrier_1', 'combination', 'combination:driver:CLEAR3', 'm', '{"seen": "CLEAR3"}', 'r', now(),
        1);
INSERT INTO app.trip_step (trip_id, step, status, since, data)
VALUES (1, 'health', 'done', now(), '{"temperature_c": 38.5, "note": "clear", "entered_later": true}');
INSERT INTO app.trip_event (trip_id, at, kind, data)
VALUES (1, now(), 'sheet', '{"act": "confirm", "step": "health", "temperature_c": 38.5}'), (1, now(), 'created', '{}');
"""
KEPT = (
    "declaration",
    "attachment",
    "registered_document",
    "vehicle_claim",
    "observation",
    "finding",
    "override",
    "trip_step",
    "trip_event",
)


FOUND = {
    "driver_digests @> ARRAY['{phone}'] FROM app.declaration": 2,
    "number_digests @> ARRAY['{phone}'] FROM app.registered_driver": 1,
    "paper_digest = '{claim}' FROM app.vehicle_claim": 1,
    "vals = ARRAY['{paper}'] FROM app.observation": 1,
    "seen = '{paper}' FROM app.finding": 1,
    "declared = ARRAY['{other}'] FROM app.finding": 1,
    "identity = 'combination:driver:{paper}' FROM app.override": 1,
    "person_digest = '{person}' FROM app.privacy_request": 1,
}
"""Where digests find something of the persons of `CLEAR` and `add_persons`, and in how many rows."""


def add_persons(own: Engine) -> None:
    """A driver in a register, and a request of somebody without an account."""
    phone = DECLARED["driver_phone"]
    entry = {"organisation_id": 1, "full_name": "An", "phone": phone, "created_at": NOW}
    person = {"numbers": [phone], "name": "An"}
    request = {
        "kind": RequestKind.ERASURE,
        "person": person,
        "reason": "r",
        "status": "open",
        "asked_by": 1,
        "asked_at": NOW,
    }
    with Session(own) as session:
        session.add(RegisteredDriver(**entry))
        session.add(PrivacyRequest(**request, person_digest=person_digest(person["numbers"], "An")))
        session.commit()


def found_by_digest(own: Engine) -> dict[str, int]:
    """In how many rows each column is found by the digests of the key of now."""
    named = {
        "phone": digest("0912.345.678"),
        "claim": digest("clear-2"),
        "paper": digest("CLEAR3"),
        "other": digest("CLEAR4"),
        "person": person_digest([DECLARED["driver_phone"]], "An"),
    }
    with own.connect() as connection:
        counted = {query: text("SELECT count(*) FILTER (WHERE " + query.replace(" FROM", ") FROM")) for query in FOUND}
        return {
            query: connection.execute(text(str(count).format(**named))).scalar_one() for query, count in counted.items()
        }


def test_every_column_of_digests_says_what_it_is_made_of() -> None:
    install.load_tables()
    named = {
        f"{rows.fullname}.{held.name}"
        for rows in Base.metadata.sorted_tables
        for held in rows.columns
        if re.search(r"(?<!sha256_)digests?$", held.name)
    }
    declared = {f"{rows.fullname}.{held.name}" for rows, held in digest_columns(Base.metadata)}
    assert named <= declared
    assert declared - named == {
        "app.observation.vals",
        "app.finding.seen",
        "app.finding.declared",
        "app.override.identity",
    }


def test_what_was_said_of_drivers_in_clear_is_encrypted_and_back(own: Engine, keys: pytest.MonkeyPatch) -> None:
    def held_of_persons() -> list[str]:
        with own.connect() as connection:
            queries = (text(f"SELECT '{name} ' || to_jsonb(t)::text FROM app.{name} t") for name in KEPT)
            return sorted(value for query in queries for value in connection.execute(query).scalars())

    keys.setenv("CUAKHAU_SECRET_KEY", OLD)
    _read_afresh()
    migrate.upgrade(own, "0052")
    with own.begin() as connection:
        connection.exec_driver_sql(CLEAR)
        added = text(
            "INSERT INTO app.declaration (trip_id, revision, status, data, created_at) "
            "VALUES (1, :revision, :status, CAST(:data AS jsonb), now())"
        )
        for revision, status in ((1, "superseded"), (2, "submitted")):
            values = {"revision": revision, "status": status, "data": json.dumps(DECLARED)}
            connection.execute(added, values)
    before = held_of_persons()
    migrate.upgrade(own)
    after = " ".join(held_of_persons())
    clear = ("clear", "CLEAR", "0912 345", "Nguyễn", ": 38.5", b"clear".hex())
    assert not [mark for mark in clear if mark in after]
    assert after.count("305.1") == 2  # with a point: no ciphertext, digest or time holds it
    assert after.count('"entered_later": true') == after.count('"act": "confirm"') == 1
    with own.connect() as connection:
        found = text("SELECT count(*) FROM app.declaration WHERE driver_digests @> ARRAY[:digest]")
        assert connection.execute(found, {"digest": digest("0912.345.678")}).scalar() == 2
    keys.setenv("CUAKHAU_ENCRYPTION_KEYS", NEW)
    keys.setenv("DATABASE_URL", own.url.render_as_string(hide_password=False).replace("+psycopg2", ""))
    _read_afresh()
    add_persons(own)
    assert install.reencrypt(get_settings()).values > 25
    former = found_by_digest(own)
    assert former == FOUND
    keys.setenv("CUAKHAU_SECRET_KEY", "x" * 40)
    _read_afresh()
    assert set(found_by_digest(own).values()) == {0}
    assert install.reencrypt(get_settings()).digests == sum(FOUND.values())
    assert found_by_digest(own) == former
    assert install.reencrypt(get_settings()).digests == 0
    with own.begin() as connection:
        connection.exec_driver_sql("DELETE FROM app.registered_driver; DELETE FROM app.privacy_request")
    migrate.downgrade(own, "0052")
    hashed = f"combination:driver:{digest('CLEAR3')}"  # what stands for it stays
    assert [re.sub("combination:driver:[0-9a-f]{24}", hashed, row) for row in held_of_persons()] == [
        row.replace("combination:driver:CLEAR3", hashed) for row in before
    ]
