"""A person sees, has corrected and has erased what is kept; two administrators carry it out."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.platform.runtime import Runtime
from app.privacy.personal_data import PERSONAL_DATA
from app.privacy.service import NOTICE_VERSION, page_after_sign_in
from app.registers.tables import RegisteredDriver
from tests.app.dispatching import add_organisation, trip_body
from tests.app.test_retention import PERSON, fill, insert_trip
from tests.conftest import NOW, SignIn

SECRET_VALUES = ("Nguyễn Văn A", "0912345678", "driver.a", "B1234567")


@pytest.fixture
def person(runtime: Runtime) -> int:
    """A driver with a trip, an entry in a register, notifications; the account's number."""
    with runtime.sessions.begin() as session:
        fill(session)
        insert_trip(session, 1, days_ago=10, driver=PERSON)
        insert_trip(session, 2, days_ago=10)
        driver = RegisteredDriver(
            account_id=PERSON,
            full_name="Nguyễn Văn A",
            phone="0912345678",
            paper="passport",
            paper_number="B1234567",
            licence_number="790123456789",
            organisation_id=1,
            created_at=NOW,
        )
        session.add(driver)
        session.execute(
            text(
                "INSERT INTO app.notification (account_id, subject, at, kind, data) "
                "VALUES (9001, 's', now(), 'trip_created', '{}')"
            )
        )
    return PERSON


def erase(first: TestClient, second: TestClient, account_id: int) -> TestClient:
    body = {"kind": "erasure", "account_id": account_id, "reason": "Asked in writing"}
    asked = first.post("/api/v1/privacy/requests", json=body)
    assert asked.status_code == 201, asked.text
    path = f"/api/v1/privacy/requests/{asked.json()['request_id']}/decision"
    return second.post(path, json={"grant": True})  # type: ignore[return-value]


def kept_of(runtime: Runtime, *tables: str) -> str:
    with runtime.sessions() as session:
        rows = [session.scalars(text(f"SELECT to_jsonb(t)::text FROM {name} t")).all() for name in tables]
    return str(rows)


def test_everything_that_is_kept_of_a_person_is_given_out(sign_in: SignIn, person: int) -> None:
    given = sign_in("administrator").get(f"/api/v1/privacy/accounts/{person}/data")
    assert given.status_code == 200, given.text
    kept = given.json()
    assert {data.name for data in PERSONAL_DATA} <= kept.keys()
    assert kept["account"][0]["full_name"] == "Nguyễn Văn A"
    assert kept["declarations"][0]["declared"]["driver_phone"] == "0912345678"
    assert kept["register"][0]["paper_number"] == "B1234567"
    assert [trip["code"] for trip in kept["trips"]] == ["AAAA-AAAA-0001"]
    assert "password" not in given.text
    assert "attachment" in given.headers["content-disposition"]


def test_one_sees_what_is_kept_of_oneself_and_of_nobody_else(sign_in: SignIn, person: int) -> None:
    driver = sign_in("driver")
    own = driver.get("/api/v1/me/data").json()
    assert own["account"][0]["account_id"] == driver.account_id  # type: ignore[attr-defined]
    assert own["sessions"]
    assert driver.get(f"/api/v1/privacy/accounts/{person}/data").status_code == 403
    assert sign_in("auditor").get(f"/api/v1/privacy/accounts/{person}/data").status_code == 403


def test_erasure_takes_a_second_person_and_says_what_is_kept(sign_in: SignIn, runtime: Runtime, person: int) -> None:
    first, second = sign_in("administrator"), sign_in("administrator")
    assert erase(first, first, person).status_code == 403
    done = erase(first, second, person)  # the request that is open is the same
    assert done.status_code == 200, done.text
    outcome = done.json()["outcome"]
    assert outcome["erased"]["account"] == outcome["erased"]["declarations"] == outcome["erased"]["register"] == 1
    assert {"trips", "payments", "acts"} <= outcome["kept"].keys()
    tables = ("app.account", "app.registered_driver", "app.notification", "app.privacy_request")
    assert not any(value in kept_of(runtime, *tables) for value in SECRET_VALUES)
    with runtime.sessions() as session:
        declared = session.scalars(text("SELECT data FROM app.declaration ORDER BY trip_id")).all()
        account = session.execute(text("SELECT username, disabled_at FROM app.account WHERE account_id = 9001")).one()
    assert declared[0] == {"driver_name": "person-9001", "goods": "x"}
    assert declared[1]["driver_phone"] == "0912345678", "of somebody else"
    assert account.username == "person-9001"
    assert account.disabled_at is not None
    answer = first.post("/api/v1/tokens", data={"username": "person-9001", "password": "!"})
    assert answer.status_code == 401
    with runtime.sessions() as session:
        actors = session.scalars(text("SELECT DISTINCT actor FROM app.audit WHERE actor_id IS NOT NULL")).all()
    assert actors
    assert all(actor.startswith("person-") for actor in actors)
    assert erase(first, second, person).status_code == 200, "again changes nothing more"


def test_a_legal_hold_stops_an_erasure(sign_in: SignIn, person: int) -> None:
    first, second = sign_in("administrator"), sign_in("administrator")
    hold = {"subject": "trip", "subject_id": 1, "reason": "Court", "until": "2026-06-01T00:00:00+07:00"}
    placed = first.post("/api/v1/privacy/holds", json=hold).json()
    refused = erase(first, second, person)
    assert refused.status_code == 409
    first.post(f"/api/v1/privacy/holds/{placed['hold_id']}/end")
    assert erase(first, second, person).status_code == 200


def test_rectification_sets_right_what_was_asked(sign_in: SignIn, runtime: Runtime, person: int) -> None:
    first, second = sign_in("administrator"), sign_in("administrator")
    body = {
        "kind": "rectification",
        "account_id": person,
        "reason": "Misspelt",
        "changes": {"full_name": "Nguyễn Văn Á"},
    }
    for wrong in (
        {"changes": {}},
        {"changes": {"role": "administrator"}},
        {"changes": {"full_name": " "}},
        {"reason": ""},
    ):
        assert first.post("/api/v1/privacy/requests", json=body | wrong).status_code == 422, wrong
    asked = first.post("/api/v1/privacy/requests", json=body).json()
    assert "Văn Á" not in kept_of(runtime, "app.privacy_request", "app.audit")
    path = f"/api/v1/privacy/requests/{asked['request_id']}/decision"
    assert second.post(path, json={"grant": False}).status_code == 422, "a refusal has a reason"
    assert second.post(path, json={"grant": True}).status_code == 200
    assert second.post(path, json={"grant": True}).status_code == 409
    with runtime.sessions() as session:
        assert session.scalar(text("SELECT full_name FROM app.account WHERE account_id = 9001")) == "Nguyễn Văn Á"


def test_the_first_sign_in_leads_to_the_notice(sign_in: SignIn, runtime: Runtime) -> None:
    driver = sign_in("driver")
    with runtime.sessions() as session:
        name = session.scalar(text("SELECT username FROM app.account"))
        assert page_after_sign_in(session, name, "/driver", demo=True) == "/driver"
        assert page_after_sign_in(session, name, "/driver", demo=False) == "/privacy?next=%2Fdriver"
    driver.post("/privacy/consent", data={"version": NOTICE_VERSION}, follow_redirects=False)
    with runtime.sessions() as session:
        assert page_after_sign_in(session, name, "/driver", demo=False) == "/driver"


def test_the_notice_is_confirmed_once_by_version(sign_in: SignIn, runtime: Runtime, client: TestClient) -> None:
    assert client.get("/privacy").status_code == 200
    driver = sign_in("driver")
    assert driver.post("/privacy/consent", data={"version": "1999-01"}, follow_redirects=False).status_code == 409
    for _ in range(2):
        done = driver.post("/privacy/consent", data={"version": NOTICE_VERSION}, follow_redirects=False)
        assert done.status_code == 303, done.text
    with runtime.sessions() as session:
        rows = session.execute(text("SELECT account_id, notice_version, given_at FROM app.consent")).all()
    assert [tuple(row) for row in rows] == [(driver.account_id, NOTICE_VERSION, runtime.clock.now())]  # type: ignore[attr-defined]
    assert json.loads(driver.get("/api/v1/me/data").text)["consents"][0]["notice_version"] == NOTICE_VERSION


def test_on_the_page_persons_and_trips_go_by_the_names_that_people_know(sign_in: SignIn, runtime: Runtime) -> None:
    administrator = sign_in("administrator")
    enterprise = sign_in("enterprise", organisation_id=add_organisation(runtime, "A"))
    trip = enterprise.post("/api/v1/trips", json=trip_body("29C-123.45", runtime.clock.now() + timedelta(hours=5)))
    code = trip.json()["code"]
    with runtime.sessions() as session:
        username = session.scalar(
            text("SELECT username FROM app.account WHERE account_id = :id"),
            {"id": enterprise.account_id},  # type: ignore[attr-defined]
        )
    form = {"subject": "trip", "name": f" {code.lower().replace('-', '')} ", "until": "2026-06-01", "reason": "Court"}
    assert administrator.post("/admin/privacy/holds", data=form).status_code == 200
    form = {"username": f" {username.upper()} ", "reason": "Asked in writing"}
    assert administrator.post("/admin/privacy/requests", data=form).status_code == 200
    held = administrator.get("/api/v1/privacy/holds").json()
    assert [(each["subject"], each["subject_id"]) for each in held] == [("trip", trip.json()["trip_id"])]
    page = administrator.get("/admin/privacy").text
    assert f"<td>{code}</td>" in page
    assert f"<td>{username}</td>" in page
    for path, wrong in (
        ("holds", {"subject": "trip", "name": "ABCD-EFGH-JKMN", "until": "2026-06-01", "reason": "Court"}),
        ("holds", {"subject": "account", "name": "nobody", "until": "2026-06-01", "reason": "Court"}),
        ("requests", {"username": "nobody", "reason": "x"}),
    ):
        assert administrator.post(f"/admin/privacy/{path}", data=wrong).status_code == 404, wrong
