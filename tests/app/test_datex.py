"""DATEX II: what the board tells, in the structure of the standard's classes, and nothing about anybody."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from lxml import etree
from sqlalchemy import text

from app.gates.vocabulary import GoodsClass
from app.open_data.datex import NAMESPACES
from app.platform.runtime import Runtime
from app.trips.places import Places
from tests.app.boarding import queue_at_huu_nghi
from tests.app.test_board import keep_fresh
from tests.conftest import SignIn

PROFILE = etree.XMLSchema(etree.parse(Path(__file__).parent / "data" / "datex" / "d2.xsd"))


@pytest.fixture
def board(runtime: Runtime) -> Runtime:
    return queue_at_huu_nghi(runtime)


def read(client: TestClient, name: str) -> etree._Element:
    keep_fresh(client)
    answer = client.get(f"/api/v1/datex/{name}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/xml"
    found = etree.fromstring(answer.content)
    PROFILE.assertValid(found)
    assert found.findtext(".//com:informationStatus", namespaces=NAMESPACES) in ("test", None)
    return found


def texts(found: etree._Element, path: str) -> list[str]:
    return [each.text or "" for each in found.iterfind(path, NAMESPACES)]


def test_situations_are_those_of_the_board(client: TestClient, board: Runtime, sign_in: SignIn) -> None:
    body = {
        "cause": "Cửa khẩu bạn dừng tiếp nhận thanh long",
        "goods": [GoodsClass.FRESH_FRUIT],
        "ends_at": (board.clock.now() + timedelta(hours=6)).isoformat(),
    }
    assert sign_in("planner").post("/api/v1/gates/huu-nghi/bans", json=body).status_code == 201
    found = read(client, "situations")
    gate = client.get("/api/v1/board").json()["gates"][0]
    assert next(each.get("id") for each in found.iterfind("sit:situation", NAMESPACES)) == "huu-nghi-queue"
    assert texts(found, ".//sit:numberOfVehiclesWaiting") == [str(round(gate["queue_veh"]))]
    (length_m,) = texts(found, ".//sit:queueLength")
    place = Places.of(board.corridor).gates["huu-nghi"]
    assert float(length_m) == pytest.approx(1000 * (gate["tail_km"] - place.km), abs=1)
    line = texts(found, ".//loc:posList")[0].split()
    site = board.corridor.sites["huu-nghi"]
    assert [float(line[-2]), float(line[-1])] == pytest.approx([site.lat, site.lon], abs=0.01)
    values = found.findall(".//sit:generalMessageToRoadUsers//com:value", NAMESPACES)
    assert {value.get("lang"): body["cause"] in (value.text or "") for value in values} == {
        "vi": True,
        "en": True,
        "zh": True,
    }


def test_a_closed_gate_is_a_closed_road_until_it_opens(client: TestClient, board: Runtime) -> None:
    board.clock.advance(12 * 3600)  # type: ignore[attr-defined]
    found = read(client, "situations")
    assert texts(found, ".//sit:roadOrCarriagewayOrLaneManagementType") == ["roadClosed", "roadClosed"]
    assert len(texts(found, ".//com:overallEndTime")) == 2


def test_parking_has_the_free_places(client: TestClient, board: Runtime) -> None:
    found = read(client, "parking")
    told = {yard["yard_id"]: yard for gate in client.get("/api/v1/board").json()["gates"] for yard in gate["yards"]}
    shown = {
        each.find("fac:reference", NAMESPACES).get("id"): (
            int(each.findtext(".//prk:numberOfSpacesOverride", namespaces=NAMESPACES)),
            int(each.findtext(".//prk:numberOfVacantSpaces", namespaces=NAMESPACES)),
        )
        for each in found.iterfind("prk:parkingStatusInformation", NAMESPACES)
    }
    assert shown == {name: (yard["capacity"], yard["free"]) for name, yard in told.items()}


def test_travel_times_measured_and_foreseen(client: TestClient, board: Runtime) -> None:
    with board.engine.begin() as connection:
        connection.execute(
            text("UPDATE app.public_gate SET measured_share = 0.5, travel_s = 4000 WHERE gate_id = 'huu-nghi'")
        )
    found = read(client, "travel-times")
    gate = client.get("/api/v1/board").json()["gates"][0]
    quantities = found.findall("roa:physicalQuantity", NAMESPACES)
    measured, foreseen = (
        [each for each in quantities if each.findtext("roa:forecast", namespaces=NAMESPACES) == is_forecast]
        for is_forecast in ("false", "true")
    )
    assert len(measured) == 1, "at Tân Thanh no position showed a speed: nothing was measured there"
    duration, free = (
        float(measured[0].findtext(f".//roa:{name}/roa:duration", namespaces=NAMESPACES))
        for name in ("travelTime", "freeFlowTravelTime")
    )
    assert duration == 4000.0
    now = float(foreseen[0].findtext(".//roa:travelTime/roa:duration", namespaces=NAMESPACES))
    assert now == pytest.approx(free + gate["wait_s"][1], abs=1.5)


def test_an_empty_platform(client: TestClient) -> None:
    assert read(client, "situations").findall("sit:situation", NAMESPACES) == []
    for name in ("parking", "travel-times"):
        assert client.get(f"/api/v1/datex/{name}").status_code == 404


def test_nobody_is_in_it(client: TestClient, board: Runtime) -> None:
    keep_fresh(client)
    for name in ("situations", "parking", "travel-times"):
        body = client.get(f"/api/v1/datex/{name}").text
        assert "29C" not in body
        assert "Enterprise" not in body
