"""A third gate with two yards, added by a file and by clicks alone: declared for, crossed, forecast, planned, drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from typer.testing import CliRunner

from app import settings as app_settings
from app.bootstrap import make_sheets
from app.cli import app as cli
from app.control.minute import Minute
from app.declarations import service as declarations
from app.fees import tariffs
from app.platform.permissions import Principal, Role
from app.platform.runtime import Runtime
from capacity.store import assignments
from geo.corridor import Corridor
from geo.store import load_corridor, save_corridor
from routing.store import latest_yard_forecast
from tests.app.declaring import declaration_body, declaration_line
from tests.app.dispatching import put_truck
from tests.app.stationing import Gate
from tests.maps.mvt import read_layers

ADDITION = Path(__file__).parents[2] / "docs" / "recipes" / "coc-nam.geojson"
GATE = "coc-nam"
STEPS = (
    ("health_quarantine", "health"),
    ("border_guard", "barrier_1"),
    ("yard_operator", "yard"),
    ("plant_quarantine", "quarantine_plant"),
    ("customs", "customs"),
    ("gate_management", "fee"),
    ("border_guard", "barrier_2"),
)


@pytest.fixture
def runtime(runtime: Runtime, corridor: Corridor, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    """An installation to which the gate was added on the command line; restarted, as the recipe says."""
    for name in ("database_url", "redis_url"):
        monkeypatch.setenv(name.upper(), getattr(runtime.settings, name).get_secret_value())
    monkeypatch.setenv("CUAKHAU_DEMO", "true")
    app_settings.get_settings.cache_clear()
    try:
        added = CliRunner().invoke(cli, ["geo", "load", "--add", str(ADDITION), "--json"], catch_exceptions=False)
        assert added.exit_code == 0, added.output
        runtime.settings.forecast_runs = 8
        with runtime.sessions() as session:
            tariffs.seed_tariffs(session, now=runtime.clock.now())
            session.commit()
            yield replace(runtime, corridor=load_corridor(session))
    finally:
        app_settings.get_settings.cache_clear()
        with runtime.sessions() as session:
            save_corridor(session, corridor)
            session.commit()


@pytest.fixture
def gate(runtime: Runtime, sign_in: Any) -> Gate:
    return Gate.open(runtime, sign_in)


def fine(answer: Response) -> Any:
    assert answer.status_code in {200, 201}, answer.text
    return answer.json()


def test_it_is_known_everywhere_and_says_what_is_assumed(gate: Gate) -> None:
    planner = gate.sign_in("planner", locale="en")
    profile = fine(planner.get(f"/api/v1/gates/{GATE}/profile"))
    assert (profile["version"], profile["status"]) == (1, "published")
    assert profile["profile"]["exports"]["hours"]["intervals"] == "07:00–19:00"
    assert set(profile["profile"]["sources"].values()) == {"assumed"}
    assert {yard["yard_id"] for yard in profile["yards"]} == {"coc-nam-1", "coc-nam-2", "coc-nam-temporary"}
    corridor = fine(planner.get("/api/v1/corridor"))
    sites = {
        feature["properties"]["site_id"]
        for feature in corridor["features"]
        if feature["properties"]["feature"] == "site"
    }
    assert {GATE, "coc-nam-1", "coc-nam-2", "coc-nam-barrier-1", "coc-nam-barrier-2"} <= sites
    site = gate.runtime.corridor.get_site(GATE)
    drawn = read_layers(planner.get(f"/tiles/sites/{tile_at(site.lon, site.lat, 14)}").content)["sites"]
    assert GATE in str(drawn)
    for path in ("/planner", "/planner/settings", "/admin/gates"):
        assert "Coc Nam border gate" in planner.get(path).text, path
    assert "Coc Nam border gate" in gate.person("enterprise").get("/declarations/new").text


def tile_at(lon: float, lat: float, zoom: int) -> str:
    """The address of the tile of a place (slippy map)."""
    n = 2**zoom
    y = (1.0 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2.0
    return f"{zoom}/{int((lon + 180.0) / 360.0 * n)}/{int(y * n)}"


def test_a_trip_is_declared_walks_through_pays_and_leaves(gate: Gate) -> None:
    arrival = gate.runtime.clock.now() + timedelta(hours=2)
    body = {**declaration_body(arrival, gate_id=GATE), "submit": True}
    trip_id = fine(gate.person("enterprise").post("/api/v1/declarations", json=body))["trip_id"]
    for role, step in STEPS:
        person = gate.person(role, GATE)
        if step == "fee":
            pay(person, trip_id)
            continue
        sheet = person.get(f"/api/v1/trips/{trip_id}/sheet")
        where = f"/api/v1/trips/{trip_id}/steps/{step}/confirm"
        last = fine(person.post(where, json={}, headers={"If-Match": sheet.headers["ETag"]}))
    assert last["is_finished"] is True
    assert last["trip"]["stage"] == "out"


def pay(cashier: TestClient, trip_id: int) -> None:
    """Decide the amount that the tariff leaves open, and take it in cash."""
    answer = cashier.get(f"/api/v1/fees/of-trip/{trip_id}")
    where = f"/api/v1/fees/{fine(answer)['fee_id']}"
    body: dict[str, Any] = {"amount_vnd": 150_000, "reason": "Tra theo biểu phí"}
    if answer.json()["status"] == "open_question":
        answer = cashier.post(f"{where}/decision", json=body, headers={"If-Match": answer.headers["ETag"]})
    body = {"amount_vnd": fine(answer)["outstanding_vnd"]}
    paid = cashier.post(f"{where}/cash", json=body, headers={"If-Match": answer.headers["ETag"]})
    assert fine(paid)["status"] == "paid"


def test_forecast_and_yard_plan_have_it_and_its_second_yard(gate: Gate) -> None:
    runtime = gate.runtime
    operator = gate.person("yard_operator", GATE)
    entry = {"plate": "12C-000.02", "kind": "enter"}
    assert fine(operator.post("/api/v1/yards/coc-nam-2/movements", json=entry))["inside"] == 1
    trip_id = gate.declare("12C-000.03", gate_id=GATE)
    with runtime.sessions() as session:
        put_truck(session, runtime.corridor, "12C-000.03", time=runtime.clock.now(), road="CN", km=1.5)
        session.commit()
    minute = Minute.of(runtime)
    assert minute.run().failed == []
    forecast = fine(operator.get("/api/v1/forecasts/latest", params={"gate": GATE}))
    assert len(forecast["queue_veh"]) == len(forecast["quantiles"])
    yards = {yard["yard_id"]: yard for yard in fine(operator.get("/api/v1/yards"))["items"]}
    assert (yards["coc-nam-1"]["inside"], yards["coc-nam-2"]["inside"]) == (0, 1)
    with runtime.sessions() as session:
        told = assignments(session)[trip_id]
        ahead = latest_yard_forecast(session, "coc-nam-2")
    assert told.yard_id in {"coc-nam-1", "coc-nam-2"}
    assert ahead is not None
    assert ahead.occupancy_veh[1, 0] >= 1.0


def test_its_profile_is_edited_on_a_page_and_seen_at_once(gate: Gate) -> None:
    administrator = gate.sign_in("administrator", locale="en")
    page = administrator.get(f"/admin/gates/{GATE}").text
    assert 'name="exports.hours.intervals"' in page
    profile = fine(administrator.get(f"/api/v1/gates/{GATE}/profile"))
    values = {name: value for name, value in profile["profile"].items() if name != "sources"}
    values["exports"]["hours"] = {"intervals": "18:00–02:00", "breaks": "22:00–22:30", "holidays": {"2026-03-03": ""}}
    values["collectors"] = ["tax"]
    path = f"/api/v1/gates/{GATE}/profile"
    draft = administrator.put(path, json=values, headers={"If-Match": '"1"'})
    assert fine(draft)["status"] == "draft"
    assert administrator.put(path, json=values, headers={"If-Match": '"1"'}).status_code == 412
    notes = {hour: notes_of_arrival(gate, hour) for hour in (11, 15)}
    assert notes == {11: [], 15: ["planned_arrival"]}, "a draft counts for nobody"
    published = administrator.post(f"{path}/publish", json={}, headers={"If-Match": draft.headers["ETag"]})
    assert fine(published)["profile"]["sources"]["exports.hours"] == "set"
    assert published.json()["profile"]["sources"]["exports.lanes"] == "assumed"
    versions = fine(administrator.get(f"{path}/versions"))["items"]
    assert [(version["version"], version["status"]) for version in versions] == [(2, "published"), (1, "published")]
    # 18:00 and 00:30 local are open, 22:15 is a break, 10:00 closed; on 3 March nothing begins at all.
    assert {hour: notes_of_arrival(gate, hour) for hour in (3, 11, 15.25, 17.5, 36)} == {
        3: ["planned_arrival"],
        11: [],
        15.25: ["planned_arrival"],
        17.5: [],
        36: ["planned_arrival"],
    }
    settings = fine(gate.sign_in("planner").get(f"/api/v1/gates/{GATE}/settings"))
    assert (settings["open_from"], settings["open_to"]) == ("18:00:00", "02:00:00")


def notes_of_arrival(gate: Gate, hour_utc: float) -> list[str]:
    """The fields noted when a truck is declared for an hour of 2 March (UTC)."""
    day = gate.runtime.clock.now().replace(hour=0, minute=0)
    body = declaration_body(day + timedelta(hours=hour_utc), gate_id=GATE)
    declarant = Principal(1, "e", "E", Role.ENTERPRISE, gate.organisation_id, None, None, "en", b"", "")
    with gate.runtime.sessions() as session:
        now, corridor, sheets = gate.runtime.clock.now(), gate.runtime.corridor, make_sheets()
        action = declarations.DeclarationAction(session, declarant, now, corridor=corridor, sheets=sheets)
        _form, found = declarations.check_written(action, body, None, declarations.surroundings(action))
    return [problem.field for problem in found if problem.is_note and problem.field == "planned_arrival"]


def test_nothing_is_declared_for_or_diverted_to_it_that_it_does_not_take(gate: Gate) -> None:
    arrival = gate.runtime.clock.now() + timedelta(hours=2)
    cars = [declaration_line(hs_code="8703.23", description="Ô tô", goods_class="vehicles", temperature_c=None)]
    body = {**declaration_body(arrival, gate_id=GATE, lines=cars), "submit": True}
    refused = gate.person("enterprise").post("/api/v1/declarations", json=body)
    assert refused.status_code == 422
    assert "lines.1.goods_class" in {error["field"] for error in refused.json()["errors"]}
    gate.declare("29C-123.46", lines=cars)
    with gate.runtime.sessions() as session:
        put_truck(session, gate.runtime.corridor, "29C-123.46", time=gate.runtime.clock.now(), km=30.0)
        session.commit()
    order = {
        "kind": "divert",
        "selection": {"gate_id": "huu-nghi"},
        "parameters": {"gate_id": GATE, "reason": "shorter_wait"},
        "valid_to": (gate.runtime.clock.now() + timedelta(hours=2)).isoformat(),
    }
    police = gate.sign_in("traffic_police", locale="en")
    for path in ("/api/v1/orders/preview", "/api/v1/orders"):
        answer = police.post(path, json=order)
        assert answer.status_code == 422, path
        assert "29C-123.46" in answer.json()["detail"]
