"""Long files in the background, questions, changed rows, refused rows sent in again, files finished later."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from openpyxl import Workbook, load_workbook
from sqlalchemy import text

from app.declarations import import_work, service
from app.declarations.corrections import EXAMPLE
from app.declarations.import_columns import COLUMNS
from app.declarations.import_work import BATCH_ROWS, MAX_ROWS_AT_ONCE, ImportRunner
from app.platform.runtime import Runtime
from app.procedures import service as procedures
from app.sheets.service import Sheets
from tests.app.dispatching import add_organisation

SignIn = Callable[..., TestClient]
IMPORTS = "/api/v1/declarations/imports"
LONG = MAX_ROWS_AT_ONCE + BATCH_ROWS + 3


@pytest.fixture
def organisation_id(runtime: Runtime) -> int:
    with runtime.sessions() as session:
        procedures.add_shipped(session, runtime.clock.now())
        session.commit()
    return add_organisation(runtime, "Một")


@pytest.fixture
def enterprise(sign_in: SignIn, organisation_id: int) -> TestClient:
    return sign_in("enterprise", organisation_id=organisation_id)


@pytest.fixture
def runner(runtime: Runtime, sheets: Sheets) -> ImportRunner:
    return ImportRunner(runtime, sheets)


def row(runtime: Runtime, number: int, **changes: Any) -> dict[str, Any]:
    arrival = (runtime.clock.now() + timedelta(hours=12)).strftime("%d/%m/%Y %H:%M")
    plate = f"29C-{number:05d}"
    own = {"reference": f"r{number}", "plate": plate, "trailer_plate": "", "planned_arrival": arrival}
    return {**EXAMPLE, **own, **changes}


def workbook(rows: list[dict[str, Any]], *, hidden: int | None = None) -> bytes:
    book = Workbook()
    page = book.worksheets[0]
    page.append(list(COLUMNS))
    for each in rows:
        page.append([each.get(name) for name in COLUMNS])
    if hidden is not None:
        page.row_dimensions[hidden].hidden = True
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def send(client: TestClient, content: bytes, **data: str) -> Any:
    return client.post(IMPORTS, files={"file": ("xe.xlsx", content)}, data=data)


def taken(client: TestClient, content: bytes, **data: str) -> dict[str, Any]:
    answer = send(client, content, **data)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def look(client: TestClient, import_id: int) -> dict[str, Any]:
    return dict(client.get(f"{IMPORTS}/{import_id}").json())


def declared(client: TestClient) -> list[str]:
    answer = client.get("/api/v1/declarations")
    return [listed["plate"] for listed in answer.json()["items"]]


def told(runtime: Runtime) -> list[tuple[int, str, float]]:
    """How far the work on files is, as those who may open them were told."""
    with runtime.sessions() as session:
        rows = session.execute(text("SELECT data, audience FROM app.outbox WHERE type = 'import' ORDER BY event_id"))
        found = [(row.data, row.audience) for row in rows]
    assert all(audience["organisations"] and not audience.get("roles") for _, audience in found)
    return [(data["import_id"], data["status"], data["progress"]) for data, _ in found]


def run_to_the_end(runner: ImportRunner, *, batches: int = 100) -> int:
    return sum(1 for _ in iter(runner.run_batch, False)) if batches else 0


def test_a_long_file_is_checked_and_declared_in_the_background(
    enterprise: TestClient, runner: ImportRunner, runtime: Runtime, sheets: Sheets, sign_in: SignIn
) -> None:
    rows = [row(runtime, number) for number in range(1, LONG + 1)]
    rows[4]["hs_code"] = "x"
    found = taken(enterprise, workbook(rows))
    where = f"{IMPORTS}/{found['import_id']}"
    assert (found["status"], found["progress"], found["counts"]["waiting"]) == ("checking", 0.0, LONG)
    assert send(enterprise, workbook(rows[:1])).status_code == 409, "one import at a time"
    other = sign_in("enterprise", organisation_id=add_organisation(runtime, "Hai"))
    assert send(other, workbook([row(runtime, 9001)])).json()["status"] == "checked"
    assert enterprise.post(f"{where}/apply", json={"all_fine": True}).status_code == 409

    assert runner.run_batch()
    half = look(enterprise, found["import_id"])
    assert (half["status"], half["progress"]) == ("checking", pytest.approx(BATCH_ROWS / LONG))
    assert told(runtime)[-1] == (found["import_id"], "checking", pytest.approx(BATCH_ROWS / LONG, abs=1e-4))
    run_to_the_end(ImportRunner(runtime, sheets))  # another process goes on where the first ended
    checked = look(enterprise, found["import_id"])
    assert (checked["status"], checked["counts"]["fine"], checked["counts"]["refused"]) == ("checked", LONG - 1, 1)

    assert enterprise.post(f"{where}/apply", json={}).status_code == 422, "all or none is for short files"
    making = enterprise.post(f"{where}/apply", json={"all_fine": True, "submit": False}).json()
    assert (making["status"], making["counts"]["chosen"]) == ("making", LONG - 1)
    assert runner.run_batch()
    run_to_the_end(ImportRunner(runtime, sheets))
    done = look(enterprise, found["import_id"])
    assert (done["status"], done["counts"]["made"], done["counts"]["refused"]) == ("checked", LONG - 1, 1)
    with runtime.sessions() as session:
        trips = session.scalar(text("SELECT count(*) FROM app.trip"))
    assert trips == LONG - 1
    assert told(runtime)[-1] == (found["import_id"], "checked", 1.0)
    assert not runner.run_batch()


def test_a_batch_that_is_cut_off_is_done_again_without_doubles(
    enterprise: TestClient, runner: ImportRunner, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = taken(enterprise, workbook([row(runtime, number) for number in range(1, LONG + 1)]))
    run_to_the_end(runner)
    enterprise.post(f"{IMPORTS}/{found['import_id']}/apply", json={"all_fine": True, "submit": False})
    make, calls = import_work.make_row, 0

    def make_some(*given: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise KeyboardInterrupt
        make(*given)

    monkeypatch.setattr(import_work, "make_row", make_some)
    with pytest.raises(KeyboardInterrupt):
        runner.run_batch()
    monkeypatch.setattr(import_work, "make_row", make)
    assert look(enterprise, found["import_id"])["counts"]["made"] == 0
    run_to_the_end(runner)
    with runtime.sessions() as session:
        assert session.scalar(text("SELECT count(*) FROM app.trip")) == LONG
    assert look(enterprise, found["import_id"])["status"] == "done"


def test_a_row_that_makes_the_platform_fail_stops_no_other(
    enterprise: TestClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = service.check_written

    def fail_on_second(action: Any, written: Any, *rest: Any) -> Any:
        if written["plate"].endswith("00002"):
            raise ZeroDivisionError
        return check(action, written, *rest)

    monkeypatch.setattr(service, "check_written", fail_on_second)
    found = taken(enterprise, workbook([row(runtime, number) for number in (1, 2, 3)]))
    assert [each["state"] for each in found["rows"]] == ["fine", "refused", "fine"]


def test_whose_account_is_disabled_no_longer_declares(
    enterprise: TestClient, runner: ImportRunner, runtime: Runtime, organisation_id: int, sign_in: SignIn
) -> None:
    found = taken(enterprise, workbook([row(runtime, number) for number in range(1, LONG + 1)]))
    run_to_the_end(runner)
    enterprise.post(f"{IMPORTS}/{found['import_id']}/apply", json={"all_fine": True})
    colleague = sign_in("enterprise", organisation_id=organisation_id)
    with runtime.sessions() as session:
        session.execute(
            text("UPDATE app.account SET disabled_at = now() WHERE account_id = :id"), {"id": enterprise.account_id}
        )
        session.commit()
    run_to_the_end(runner)
    after = look(colleague, found["import_id"])
    assert (after["status"], after["counts"]["made"], after["counts"]["fine"]) == ("checked", 0, LONG)


def test_questions_are_answered_before_anything_is_checked(enterprise: TestClient, runtime: Runtime) -> None:
    first = row(runtime, 1)
    content = workbook([first, first, row(runtime, 2)], hidden=4)
    asked = taken(enterprise, content)
    where = f"{IMPORTS}/{asked['import_id']}"
    assert (asked["status"], asked["rows"]) == ("asking", [])
    assert [question["kind"] for question in asked["questions"]] == ["hidden_rows", "doubles"]
    assert enterprise.post(f"{where}/apply", json={}).status_code == 409
    assert enterprise.post(f"{where}/answers", json={"hidden": "skip"}).status_code == 422
    answered = enterprise.post(f"{where}/answers", json={"hidden": "skip", "doubles": "once"}).json()
    assert (answered["status"], [each["rows"] for each in answered["rows"]]) == ("checked", [[2]])
    assert enterprise.post(f"{where}/answers", json={"hidden": "take", "doubles": "each"}).status_code == 409
    at_once = taken(enterprise, content, hidden="take", doubles="each")
    assert [each["rows"] for each in at_once["rows"]] == [[2, 3], [4]]


def test_a_partly_declared_file_is_finished_later(enterprise: TestClient, runtime: Runtime) -> None:
    found = taken(enterprise, workbook([row(runtime, number) for number in (1, 2, 3)]))
    where = f"{IMPORTS}/{found['import_id']}/apply"
    assert enterprise.post(where, json={"numbers": [2]}).json()["status"] == "checked"
    assert enterprise.post(where, json={"numbers": [2]}).status_code == 409
    done = enterprise.post(where, json={"numbers": [1, 2, 3]}).json()
    assert done["status"] == "done"
    assert sorted(declared(enterprise)) == ["29C-000.01", "29C-000.02", "29C-000.03"]
    assert enterprise.post(where, json={"all_fine": True}).status_code == 409


def test_a_row_is_changed_left_out_and_taken_up_again(enterprise: TestClient, runtime: Runtime) -> None:
    found = taken(enterprise, workbook([row(runtime, 1, hs_code="x"), row(runtime, 2)]))
    where = f"{IMPORTS}/{found['import_id']}"
    assert [each["state"] for each in found["rows"]] == ["refused", "fine"]
    page = enterprise.get(f"/declarations/imports/{found['import_id']}/rows/1").text
    assert 'value="x"' in page
    left = enterprise.delete(f"{where}/rows/1").json()
    assert left["state"] == "left_out"
    body = {name: value for name, value in row(runtime, 1).items() if name in COLUMNS and name != "reference"}
    lines = {"hs_code", "description", "goods_class", "quantity", "unit", "gross_weight_kg", "net_weight_kg"}
    line = {name: body.pop(name) for name in (*lines, "packages", "packaging", "temperature_c")}
    arrival = (runtime.clock.now() + timedelta(hours=12)).isoformat()
    dates = {
        "inspection_expires": "2027-12-31",
        "driver_paper_expires": "2030-12-31",
        "driver_licence_expires": "2029-12-31",
    }
    sent = {**body, **dates, "planned_arrival": arrival, "refrigerated": True, "lines": [line]}
    changed = enterprise.put(f"{where}/rows/1", json=sent)
    assert (changed.status_code, changed.json()["state"]) == (200, "fine"), changed.text
    assert enterprise.post(f"{where}/apply", json={}).json()["status"] == "done"
    assert enterprise.put(f"{where}/rows/1", json=sent).status_code == 409


def test_refused_rows_come_home_corrected_and_take_their_places(enterprise: TestClient, runtime: Runtime) -> None:
    rows = [row(runtime, 1), row(runtime, 2, gross_weight_kg="1.500"), row(runtime, 3, hs_code="x")]
    found = taken(enterprise, workbook(rows))
    where = f"{IMPORTS}/{found['import_id']}"
    enterprise.post(f"{where}/apply", json={"numbers": [1]})
    answer = enterprise.get(f"{where}/refused.xlsx")
    book = load_workbook(io.BytesIO(answer.content))
    page = book.worksheets[0]
    assert page.max_row == 3
    assert "1.500" in str(page.cell(2, 1).value)
    place = COLUMNS.index("gross_weight_kg") + 3
    assert page.cell(2, place).value == "1.500"
    page.cell(2, place).value = 19500
    file = io.BytesIO()
    book.save(file)
    again = taken(enterprise, file.getvalue())
    assert again["import_id"] == found["import_id"]
    assert [each["state"] for each in again["rows"]] == ["made", "fine", "refused"]
    enterprise.post(f"{where}/apply", json={"all_fine": True})
    once_more = taken(enterprise, file.getvalue())
    assert once_more["remarks"]["already_made"] == 1
    assert sorted(declared(enterprise)) == ["29C-000.01", "29C-000.02"]


def test_a_stranger_corrects_nobody_elses_file(enterprise: TestClient, runtime: Runtime, sign_in: SignIn) -> None:
    found = taken(enterprise, workbook([row(runtime, 1, hs_code="x")]))
    content = enterprise.get(f"{IMPORTS}/{found['import_id']}/refused.xlsx").content
    other = sign_in("enterprise", organisation_id=add_organisation(runtime, "Hai"))
    assert taken(other, content)["import_id"] != found["import_id"]
    for method, path in (
        ("GET", "/refused.xlsx"),
        ("POST", "/check"),
        ("DELETE", "/rows/1"),
        ("POST", "/answers"),
    ):
        answer = other.request(method, f"{IMPORTS}/{found['import_id']}{path}", json={} if method == "POST" else None)
        assert answer.status_code == 404, path


def test_rows_are_checked_again_when_the_world_has_changed(enterprise: TestClient, runtime: Runtime) -> None:
    first = taken(enterprise, workbook([row(runtime, 1)]))
    second = taken(enterprise, workbook([row(runtime, 1)]))
    made = enterprise.post(f"{IMPORTS}/{first['import_id']}/apply", json={}).json()
    refused = enterprise.post(f"{IMPORTS}/{second['import_id']}/apply", json={"all_fine": True}).json()
    assert [problem["field"] for problem in refused["rows"][0]["problems"]] == ["plate"]
    with runtime.sessions() as session:
        session.execute(
            text("UPDATE app.trip SET stage = 'cancelled' WHERE trip_id = :id"), {"id": made["rows"][0]["trip_id"]}
        )
        session.commit()
    again = enterprise.post(f"{IMPORTS}/{second['import_id']}/check").json()
    assert [each["state"] for each in again["rows"]] == ["fine"]


@pytest.mark.parametrize("which", ["chosen", "fine", "all"])
def test_the_pages(enterprise: TestClient, runtime: Runtime, which: str) -> None:
    first = row(runtime, 1)
    content = workbook([first, first, row(runtime, 2)])
    sent = enterprise.post("/declarations/import", files={"file": ("xe.xlsx", content)}, follow_redirects=False)
    where = sent.headers["location"]
    assert 'data-testid="questions"' in enterprise.get(where).text
    enterprise.post(f"{where}/answers", data={"doubles": "once"})
    assert 'data-testid="import-rows"' in enterprise.get(where).text
    data = {"number": ["1", "2"], "which": which, "submit": "1"}
    assert enterprise.post(where, data=data).status_code == 200
    assert sorted(declared(enterprise)) == ["29C-000.01", "29C-000.02"]
    assert "xe.xlsx" in enterprise.get("/declarations/import").text
