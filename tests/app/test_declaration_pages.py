"""Pages of declarations and of the support desk, without scripts; what the desk measures."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.procedures import service as procedures
from app.trips.vocabulary import Regime
from geo.clock import LOCAL_ZONE
from tests.app.declaring import declaration_body
from tests.app.dispatching import add_organisation, trip_body
from tests.app.test_declaration_import import as_csv, rows

HTML = {"accept": "text/html"}


def as_form(body: dict[str, Any], arrival: Any, act: str, **changes: Any) -> dict[str, Any]:
    """A declaration as a browser sends it."""
    flat = {name: value for name, value in body.items() if name != "lines"}
    for number, line in enumerate(body["lines"], 1):
        flat |= {f"lines.{number}.{name}": value for name, value in line.items()}
    words = {
        name: {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
        for name, value in flat.items()
    }
    return {
        **words,
        "planned_arrival": arrival.astimezone(LOCAL_ZONE).strftime("%Y-%m-%dT%H:%M"),
        "act": act,
        **changes,
    }


@pytest.fixture
def arrival(runtime):
    return runtime.clock.now() + timedelta(hours=5)


@pytest.fixture
def body(arrival):
    return declaration_body(arrival)


@pytest.fixture
def organisation_id(runtime):
    with runtime.sessions() as session:
        procedures.add_shipped(session, runtime.clock.now())
        session.commit()
    return add_organisation(runtime, "Nông sản Lạng Sơn")


@pytest.fixture
def enterprise(sign_in, organisation_id):
    return sign_in("enterprise", organisation_id=organisation_id)


@pytest.fixture
def desk(sign_in, organisation_id):
    return sign_in("support", gate_id="huu-nghi")


def send(client, path: str, form: dict[str, Any]) -> Any:
    return client.post(path, data=form, headers=HTML, follow_redirects=False)


def test_a_declaration_is_written_submitted_changed_and_copied(enterprise, body, arrival):
    page = enterprise.get("/declarations/new", headers=HTML)
    assert page.status_code == 200
    assert all(f'value="{regime}"' in page.text for regime in Regime)
    more = send(enterprise, "/declarations/new", as_form(body, arrival, "add_line"))
    assert 'name="lines.2.hs_code"' in more.text
    assert 'value="29C-123.45"' in more.text
    wrong = send(
        enterprise, "/declarations/new", as_form(body, arrival, "submit", **{"lines.1.net_weight_kg": "99000"})
    )
    assert wrong.status_code == 422
    assert 'href="#lines.1.net_weight_kg"' in wrong.text
    assert 'value="99000"' in wrong.text
    draft = send(enterprise, "/declarations/new", as_form(body, arrival, "save", health_symptoms=""))
    assert draft.status_code == 303, draft.text
    where = draft.headers["location"]
    shown = enterprise.get(where, headers=HTML).text
    assert "Thanh long tươi" in shown
    version = re.search(r'name="version" value="(\d+)"', shown)[1]
    lacking = send(enterprise, f"{where}/submit", {"version": version})
    assert lacking.headers["location"] == f"{where}/edit?check=1"
    asked = enterprise.get(lacking.headers["location"], headers=HTML)
    assert 'href="#health_symptoms"' in asked.text
    done = send(enterprise, f"{where}/edit", as_form(body, arrival, "submit", version=version))
    assert done.status_code == 303, done.text
    edit = enterprise.get(f"{where}/edit", headers=HTML).text
    assert 'value="19500"' in edit
    version = re.search(r'name="version" value="(\d+)"', edit)[1]
    changed = as_form(body, arrival, "submit", version=version, driver_name="Trần Văn Bình")
    assert send(enterprise, f"{where}/edit", changed).status_code == 303
    assert send(enterprise, f"{where}/edit", changed).status_code == 422, "an old version"
    shown = enterprise.get(where, headers=HTML).text
    assert re.search(r"<del>Nguyễn Văn An\s*</del>", shown)
    assert re.search(r"<ins>Trần Văn Bình\s*</ins>", shown)
    assert "29C-123.45" in enterprise.get("/declarations", headers=HTML).text
    trip_id = where.rsplit("/", 1)[1]
    assert 'value="0810.90"' in enterprise.get(f"/declarations/new?copy={trip_id}", headers=HTML).text


def test_the_pages_speak_every_language(enterprise, desk, body):
    trip_id = enterprise.post("/api/v1/declarations", json={**body, "submit": True}).json()["trip_id"]
    for language in ("vi", "en", "zh"):
        enterprise.post("/language", data={"language": language})
        for path in ("", "/new", "/import", "/hs?query=thanh+long", f"/{trip_id}", f"/{trip_id}/edit"):
            answer = enterprise.get(f"/declarations{path}", headers=HTML)
            assert answer.status_code == 200, path
            assert f'<html lang="{language}">' in answer.text
        desk.post("/language", data={"language": language})
        assert desk.get("/support", headers=HTML).status_code == 200


def test_a_file_is_imported_in_the_browser(enterprise, runtime):
    when = (runtime.clock.now() + timedelta(hours=12)).strftime("%d/%m/%Y %H:%M")
    table = rows(
        when, {"reference": "a"}, {"reference": "b", "plate": "29C-200.00", "trailer_plate": "", "unit": "stone"}
    )
    assert "bad" not in enterprise.get("/declarations/template.xlsx").headers["content-type"]
    sent = enterprise.post(
        "/declarations/import", files={"file": ("a.csv", as_csv(table))}, headers=HTML, follow_redirects=False
    )
    assert sent.status_code == 303, sent.text
    page = enterprise.get(sent.headers["location"], headers=HTML).text
    assert page.count('name="number"') == 1
    assert "stone" in page
    assert send(enterprise, sent.headers["location"], {"which": "all", "submit": "1"}).status_code == 422
    made = send(enterprise, sent.headers["location"], {"which": "chosen", "number": "1", "submit": "1"})
    assert made.status_code == 303
    assert re.search(r'href="/declarations/\d+"', enterprise.get(sent.headers["location"], headers=HTML).text)
    broken = enterprise.post("/declarations/import", files={"file": ("a.csv", b"x")}, headers=HTML)
    assert broken.status_code == 422


def test_an_undeclared_truck_is_declared_at_the_desk_and_the_time_is_measured(
    desk, body, arrival, runtime, organisation_id
):
    assert send(desk, "/support", {"plate": "hello"}).status_code == 422
    assert send(desk, "/support", {"plate": "29R-012.34"}).status_code == 422
    earlier = (runtime.clock.now() - timedelta(minutes=20)).astimezone(LOCAL_ZONE).strftime("%H:%M")
    made = send(desk, "/support", {"plate": "29c12345", "arrived": earlier, "note": "Xe đỏ"})
    assert made.status_code == 303, made.text
    assert send(desk, "/support", {"plate": "29C-123.45"}).status_code == 422, "it already waits"
    page = desk.get("/support", headers=HTML).text
    where = re.search(r'action="(/support/\d+)/open"', page)[1]
    runtime.clock.advance(600)
    opened = send(desk, f"{where}/open", {})
    assert opened.headers["location"] == f"{where}/declare"
    form = desk.get(opened.headers["location"], headers=HTML).text
    assert 'value="29C-123.45"' in form
    assert "Nông sản" in desk.get("/support/enterprises?organisation=nông", headers=HTML).text
    assert send(desk, f"{where}/declare", as_form(body, arrival, "submit")).status_code == 422, "for whom?"
    wrong_truck = as_form(body, arrival, "submit", plate="29C-999.99", organisation_id=organisation_id)
    assert send(desk, f"{where}/declare", wrong_truck).status_code == 422
    runtime.clock.advance(300)
    done = send(desk, f"{where}/declare", as_form(body, runtime.clock.now(), "submit", organisation_id=organisation_id))
    assert (done.status_code, done.headers.get("location")) == (303, "/support"), done.text
    with runtime.sessions() as session:
        row = session.execute(
            text(
                "SELECT submitted_at - u.arrived_at, submitted_at - opened_at, t.arrived_at = u.arrived_at, "
                "t.procedure_id IS NOT NULL FROM app.undeclared_arrival u JOIN app.trip t USING (trip_id)"
            )
        ).one()
        measured = session.scalar(
            text("SELECT data ->> 'undeclared_s' FROM app.trip_event WHERE data ? 'undeclared_s'")
        )
        actions = set(session.scalars(text("SELECT action FROM app.audit")))
    assert tuple(row) == (timedelta(minutes=35), timedelta(minutes=5), True, True)
    assert float(measured) == 2100.0
    assert {"undeclared.register", "undeclared.declare", "declarations.submit"} <= actions
    page = desk.get("/support", headers=HTML).text
    assert "35 phút" in page
    assert "/open" not in page
    assert send(desk, "/support", {"plate": "29C-123.45"}).status_code == 422, "it is declared"


def test_a_desk_declares_for_a_new_enterprise_and_keeps_a_draft(desk, body, arrival):
    send(desk, "/support", {"plate": "29C-123.45"})
    form = as_form(body, arrival, "save", new_name="Hợp tác xã Đồng Đăng", driver_name="")
    draft = send(desk, "/support/1/declare", form)
    assert re.fullmatch(r"/declarations/\d+/edit", draft.headers["location"]), draft.text
    assert send(desk, "/support/1/open", {}).headers["location"] == draft.headers["location"]
    edit = desk.get(draft.headers["location"], headers=HTML).text
    version = re.search(r'name="version" value="(\d+)"', edit)[1]
    assert send(desk, draft.headers["location"], as_form(body, arrival, "submit", version=version)).status_code == 303
    page = desk.get("/support", headers=HTML).text
    assert "Hợp tác xã Đồng Đăng" in page
    assert "/open" not in page


def test_a_trip_that_nobody_declared_is_taken_up_at_the_desk(desk, enterprise, body, arrival, organisation_id, runtime):
    trip = enterprise.post("/api/v1/trips", json=trip_body("29C-123.45", arrival)).json()
    assert send(desk, "/support", {"plate": "29C-123.45"}).status_code == 303
    assert "checked" in desk.get("/support/1/declare", headers=HTML).text, "the truck's enterprise is chosen"
    assert (
        send(desk, "/support/1/declare", as_form(body, arrival, "submit", organisation_id=organisation_id)).status_code
        == 303
    )
    with runtime.sessions() as session:
        assert session.scalars(text("SELECT trip_id FROM app.trip")).all() == [trip["trip_id"]]


def test_a_truck_that_leaves_undeclared_is_noted_with_a_reason(desk, sign_in):
    send(desk, "/support", {"plate": "29C-123.45"})
    elsewhere = sign_in("support", gate_id="tan-thanh")
    assert elsewhere.post("/support/1/leave", data={"note": "x"}, headers=HTML).status_code == 422
    assert send(desk, "/support/1/leave", {"note": " "}).status_code == 422
    assert send(desk, "/support/1/leave", {"note": "Quay đầu"}).status_code == 303
    assert send(desk, "/support", {"plate": "29C-123.45"}).status_code == 303, "it may come again"


def test_nobody_else_has_the_desk(enterprise, sign_in):
    for client in (enterprise, sign_in("border_guard", gate_id="huu-nghi"), sign_in("administrator")):
        assert client.get("/support", headers=HTML).status_code == 403
