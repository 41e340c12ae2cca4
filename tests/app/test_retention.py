"""Each table has a rule of how long it is kept; upkeep deletes by it; holds keep what they are on."""

from __future__ import annotations

from datetime import datetime, timedelta
from importlib import import_module

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from app.platform.runtime import Runtime
from app.privacy import retention_store, service
from app.privacy.retention import ACCOUNTING_DAYS, CUSTOMS_DAYS, rules
from app.privacy.vocabulary import RetentionBasis
from tests.conftest import NOW, SignIn

PERSON = 9001
"""The account of the person of these tests, beyond those that are made."""
RULES = {rule.table: rule for rule in rules()}


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a minute's share may be over before the table that a test looks at has its turn."""
    monkeypatch.setattr(service, "BUDGET_S", 60.0)


def test_every_table_of_the_database_has_one_rule(engine: Engine) -> None:
    with Session(engine) as session:
        shape = retention_store.read_shape(session)
    assert set(shape.columns) - RULES.keys() == set(), "without a rule in app/privacy/retention.py"
    assert RULES.keys() - set(shape.columns) == set(), "no such table"
    assert len(RULES) == len(rules())


def test_rules_are_about_what_is_there(engine: Engine) -> None:
    with Session(engine) as session:
        shape = retention_store.read_shape(session)
    for rule in rules():
        assert rule.reason
        if rule.basis in (RetentionBasis.AGE, RetentionBasis.TRIP):
            assert {rule.column, *filter(None, [rule.needs])} <= shape.columns[rule.table], rule
            assert rule.days
            assert rule.days > 0
        if rule.basis is RetentionBasis.PARENT:
            assert retention_store.must_refer(shape, rule.table, rule.parent), rule
        if rule.basis is RetentionBasis.FEATURE:
            assert import_module(rule.kept_by), rule


def test_a_setting_shortens_what_no_law_wants_longer() -> None:
    found = {rule.table: rule.days for rule in rules({"app.plate_read": 30, "app.trip": 30, "app.closing": 9000})}
    assert (found["app.plate_read"], found["app.trip"], found["app.closing"]) == (30, CUSTOMS_DAYS, 9000)


def fill(session: Session) -> None:
    """A person, a truck, three trips that ended long ago, one of them with a fee, and an open one."""
    session.execute(
        text(
            """
            INSERT INTO app.organisation (organisation_id, name, kind) OVERRIDING SYSTEM VALUE
                VALUES (1, 'E', 'enterprise');
            INSERT INTO app.account (account_id, username, password_hash, full_name, role, created_at)
                OVERRIDING SYSTEM VALUE VALUES (9001, 'driver.a', '!', 'Nguyễn Văn A', 'driver', :old);
            INSERT INTO ingest.vehicle (vehicle_id, plate, plate_norm, kind, created_at) OVERRIDING SYSTEM VALUE
                VALUES (1, '29C-1', '29C1', 'truck', :old), (2, '29C-2', '29C2', 'truck', :old);
            """
        ),
        {"old": NOW},
    )


def insert_trip(
    session: Session, trip_id: int, *, stage: str = "out", days_ago: float, driver: int | None = None
) -> None:
    at = NOW - timedelta(days=days_ago)
    session.execute(
        text(
            "INSERT INTO app.trip (trip_id, code, vehicle_id, driver_id, organisation_id, goods, goods_class, "
            "perishable, regime, direction, gate_id, planned_arrival, stage, stage_since, simulated, created_at) "
            "OVERRIDING SYSTEM VALUE VALUES (:id, :code, :vehicle, :driver, 1, 'x', 'general', false, 'export', "
            "'export', 'huu-nghi', :at, :stage, :at, false, :at)"
        ),
        {"id": trip_id, "code": f"AAAA-AAAA-{trip_id:04}", "vehicle": trip_id % 2 + 1, "driver": driver, "at": at}
        | {"stage": stage},
    )
    session.execute(
        text(
            "INSERT INTO app.trip_event (trip_id, at, kind, data) VALUES (:id, :at, 'created', '{}');"
            "INSERT INTO app.declaration (trip_id, revision, status, data, created_at) VALUES (:id, 1, 'draft', "
            '\'{"driver_name": "Nguyễn Văn A", "driver_phone": "0912345678", "goods": "x"}\', :at)'
        ),
        {"id": trip_id, "at": at},
    )


def trips(session: Session) -> list[int]:
    return list(session.scalars(text("SELECT trip_id FROM app.trip ORDER BY 1")))


@pytest.fixture
def old_trips(session: Session) -> Session:
    fill(session)
    insert_trip(session, 1, days_ago=CUSTOMS_DAYS + 1)
    insert_trip(session, 2, days_ago=CUSTOMS_DAYS - 1)
    insert_trip(session, 3, days_ago=CUSTOMS_DAYS + 1, stage="planned")
    insert_trip(session, 4, days_ago=CUSTOMS_DAYS + 1, driver=PERSON)
    return session


def test_trips_go_with_all_that_is_theirs_when_their_time_is_over(old_trips: Session) -> None:
    found = service.enforce_retention(old_trips, NOW)
    assert found["app.trip"] == 2
    assert trips(old_trips) == [2, 3]
    for name in ("trip_event", "declaration"):
        assert set(old_trips.scalars(text(f"SELECT trip_id FROM app.{name}"))) == {2, 3}
    assert "app.trip" not in service.enforce_retention(old_trips, NOW)


def test_a_trip_with_a_fee_is_kept_as_long_as_its_fee(old_trips: Session) -> None:
    old_trips.execute(
        text(
            "INSERT INTO app.tariff (tariff_id, code, version, valid_from, complete, rules, source, status, edit, "
            "created_at) OVERRIDING SYSTEM VALUE VALUES (1, 't', 1, '2020-01-01', true, '{}', '', 'published', 1, :at);"
            "INSERT INTO app.fee (trip_id, gate_id, collector, tariff_id, status, load, answers, amount_vnd, "
            "reference, opened_at) VALUES (1, 'huu-nghi', 'tax', 1, 'paid', '{}', '{}', 1, 'r', :at)"
        ),
        {"at": NOW - timedelta(days=CUSTOMS_DAYS + 1)},
    )
    service.enforce_retention(old_trips, NOW)
    assert trips(old_trips) == [1, 2, 3]
    service.enforce_retention(old_trips, NOW + timedelta(days=ACCOUNTING_DAYS - CUSTOMS_DAYS))
    assert 1 not in trips(old_trips)


@pytest.mark.parametrize(("subject", "subject_id"), [("trip", 4), ("account", PERSON)])
def test_a_hold_keeps_what_it_is_on_until_it_ends(old_trips: Session, subject: str, subject_id: int) -> None:
    old_trips.execute(
        text(
            "INSERT INTO app.legal_hold (subject, subject_id, reason, placed_by, placed_at, until) "
            "VALUES (:subject, :id, 'accident', 9001, :now, :until)"
        ),
        {"subject": subject, "id": subject_id, "now": NOW, "until": NOW + timedelta(days=1)},
    )
    service.enforce_retention(old_trips, NOW)
    assert trips(old_trips) == [2, 3, 4]
    service.enforce_retention(old_trips, NOW + timedelta(hours=25))
    assert trips(old_trips) == [3], "and the one whose time is over since then"


def test_what_is_old_goes_in_batches_and_what_is_young_stays(old_trips: Session) -> None:
    columns, values = "vehicle_id, site_id, kind, time, source", "1, 's', 'enter', :at, 'gps'"
    add = text(f"INSERT INTO ingest.site_event ({columns}) VALUES ({values})")
    young, old = NOW - timedelta(days=179), NOW - timedelta(days=181)
    old_trips.execute(add, [{"at": young}, *({"at": old - timedelta(seconds=n)} for n in range(service.BATCH + 1))])
    found = [service.enforce_retention(old_trips, NOW).get("ingest.site_event", 0) for _ in range(3)]
    assert found == [service.BATCH, 1, 0]


def test_a_table_with_nothing_to_go_is_not_read_again_within_the_hour(old_trips: Session) -> None:
    columns, values = "vehicle_id, site_id, kind, time, source", "1, 's', 'enter', :at, 'gps'"
    add = text(f"INSERT INTO ingest.site_event ({columns}) VALUES ({values})")
    looked: dict[str, datetime] = {}

    def gone(at: datetime) -> int:
        return service.enforce_retention(old_trips, at, looked=looked).get("ingest.site_event", 0)

    old = NOW - timedelta(days=181)
    old_trips.execute(add, [{"at": old - timedelta(seconds=n)} for n in range(service.BATCH)])
    assert gone(NOW) == service.BATCH
    assert "ingest.site_event" not in looked, "a whole batch went: there may be more"
    assert gone(NOW + timedelta(minutes=1)) == 0
    old_trips.execute(add, [{"at": old}])
    assert gone(NOW + timedelta(minutes=2)) == 0
    assert gone(NOW + timedelta(minutes=62)) == 1


def test_the_page_and_the_api_show_every_rule(sign_in: SignIn) -> None:
    administrator = sign_in("administrator")
    listed = administrator.get("/api/v1/privacy/retention").json()
    assert {rule["table"] for rule in listed} == RULES.keys()
    page = administrator.get("/admin/privacy").text
    assert all(f"<code>{name}</code>" in page for name in RULES)


def test_a_hold_is_placed_with_a_reason_and_an_end(sign_in: SignIn, runtime: Runtime) -> None:
    administrator, auditor = sign_in("administrator"), sign_in("auditor")
    account_id = auditor.account_id  # type: ignore[attr-defined]
    hold = {"subject": "account", "subject_id": account_id, "reason": "Court", "until": "2026-06-01T00:00:00+07:00"}
    for wrong, status in (
        ({"reason": " "}, 422),
        ({"until": "2026-01-01T00:00:00Z"}, 422),
        ({"until": "2026-06-01T00:00:00"}, 422),
        ({"until": "9999-06-01T00:00:00Z"}, 422),
        ({"subject": "truck"}, 422),
        ({"subject_id": 999}, 404),
    ):
        assert administrator.post("/api/v1/privacy/holds", json=hold | wrong).status_code == status, wrong
    made = administrator.post("/api/v1/privacy/holds", json=hold)
    assert made.status_code == 201, made.text
    assert len(auditor.get("/api/v1/privacy/holds").json()) == 1
    assert administrator.post(f"/api/v1/privacy/holds/{made.json()['hold_id']}/end").status_code == 200
    assert auditor.get("/api/v1/privacy/holds").json() == []
