"""DATEX II: what the board tells, in the structure of the standard's classes, and nothing about anybody."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from lxml import etree
from sqlalchemy import text

from app.dispatch.diversion_store import MIN_PUBLIC_VEH
from app.gates.vocabulary import GoodsClass
from app.open_data.datex_xml import NAMESPACES
from app.ops.datex_commands import PUBLICATIONS, ROOT_SCHEMA, validate
from app.platform.runtime import Runtime
from app.trips.places import Places
from geo.errors import InvalidInputError
from tests.app.boarding import queue_at_huu_nghi
from tests.app.dispatching import set_stage
from tests.app.test_board import keep_fresh
from tests.conftest import SignIn

SCHEMAS = Path(__file__).parent / "data" / "datex"
PROFILE = etree.XMLSchema(etree.parse(SCHEMAS / ROOT_SCHEMA))


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
    statuses = dict.fromkeys(texts(found, ".//fac:openingStatus"))
    assert list(statuses) == ["open"]


def test_the_parking_table_is_what_the_status_refers_to(client: TestClient, board: Runtime) -> None:
    table, status = (read(client, name) for name in ("parking-table", "parking"))
    places = {each.get("id"): each for each in table.iterfind(".//prk:hierarchyElementGeneral", NAMESPACES)}
    referred = {each.get("id"): each.get("version") for each in status.iterfind(".//fac:reference", NAMESPACES)}
    assert referred == {name: each.get("version") for name, each in places.items()}
    of_table = status.find("prk:parkingTableReference", NAMESPACES)
    assert of_table.get("version") == table.find("prk:parkingTable", NAMESPACES).get("version")
    place = places["xuan-cuong"]
    site = board.corridor.sites["xuan-cuong"]
    assert float(place.findtext(".//loc:latitude", namespaces=NAMESPACES)) == pytest.approx(site.lat, abs=1e-5)
    assert {value.get("lang"): value.text for value in place.iterfind("fac:name//com:value", NAMESPACES)} == site.name
    before = place.get("version")
    with board.engine.begin() as connection:
        connection.execute(
            text("UPDATE capacity.yard SET capacity_veh = capacity_veh + 1 WHERE yard_id = 'xuan-cuong'")
        )
    again = read(client, "parking-table")
    (changed,) = again.xpath(".//prk:hierarchyElementGeneral[@id='xuan-cuong']", namespaces=NAMESPACES)
    assert changed.get("version") != before, "a place that changed is another version"
    assert again.find("prk:parkingTable", NAMESPACES).get("version") != of_table.get("version")


def test_a_diversion_is_told_if_it_is_of_several_trucks(client: TestClient, board: Runtime, sign_in: SignIn) -> None:
    stage = set_stage(board, sign_in)

    def divert(veh: int) -> None:
        selection = {"gate_id": "huu-nghi", "limit_veh": veh}
        stage.issue(kind="divert", selection=selection, parameters={"gate_id": "tan-thanh"})

    divert(MIN_PUBLIC_VEH - 1)
    assert b"Rerouting" not in etree.tostring(read(client, "situations")), "that is theirs alone"
    divert(MIN_PUBLIC_VEH)
    found = read(client, "situations")
    (record,) = found.xpath(".//sit:situationRecord[@xsi:type='sit:ReroutingManagement']", namespaces=NAMESPACES)
    lat = record.findtext("sit:destination//loc:latitude", namespaces=NAMESPACES)
    assert float(lat) == pytest.approx(board.corridor.sites["tan-thanh"].lat, abs=1e-5)
    ways = texts(record, "sit:reroutingItineraryDescription//com:value")
    assert any("Hữu Nghị" in way and "Tân Thanh" in way for way in ways), ways
    (shown,) = client.get("/api/v1/board").json()["gates"][0]["diversions"]
    assert (shown["to_gate_id"], shown["veh"]) == ("tan-thanh", MIN_PUBLIC_VEH)
    assert 'data-testid="board-diversion"' in client.get("/board").text


def test_an_operator_validates_with_a_folder_of_schemas(client: TestClient, tmp_path: Path) -> None:
    keep_fresh(client)
    assert validate(SCHEMAS, client.get) == {name: [] if name == "situations" else None for name in PUBLICATIONS}
    with pytest.raises(InvalidInputError, match=ROOT_SCHEMA):
        validate(tmp_path, client.get)
    for path in SCHEMAS.glob("*.xsd"):
        content = path.read_text(encoding="utf-8").replace('name="publicationCreator"', 'name="supplier"')
        (tmp_path / path.name).write_text(content, encoding="utf-8")
    errors = validate(tmp_path, client.get)["situations"]
    assert errors
    assert "publicationCreator" in errors[0]


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
    for name in ("parking", "parking-table", "travel-times"):
        assert client.get(f"/api/v1/datex/{name}").status_code == 404


def test_nobody_is_in_it(client: TestClient, board: Runtime) -> None:
    keep_fresh(client)
    for name in PUBLICATIONS:
        body = client.get(f"/api/v1/datex/{name}").text
        assert "29C" not in body
        assert "Enterprise" not in body
