"""A vehicle put on file, claimed, accepted by a desk, picked when declaring, and then seen on the map."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import httpx
import pytest
from playwright.sync_api import Page, expect

from geo.clock import LOCAL_ZONE
from geo.corridor import Corridor
from ingest.plates import squeeze
from tests.e2e.conftest import Platform, SignedIn, eventually
from tests.e2e.fresh import fresh_plate
from tests.e2e.test_main_job import send_as


@pytest.fixture
def plate() -> str:
    """The truck's."""
    return fresh_plate()


@pytest.fixture
def vehicle_id(platform: Platform, plate: str) -> int:
    """A truck on the road with a tracker that an administrator enrolled; nobody has proven it."""
    with platform.client("administrator") as administrator:
        enrolled = administrator.post("/api/v1/devices", json={"plate": plate, "kind": "tracker"})
    assert enrolled.status_code == 201, enrolled.text
    lon, lat = (float(value[0]) for value in Corridor.default().position("QL1A", [55.0]))
    assert send_as(platform, "osmand", enrolled.json()["device_id"], lon, lat, time.time()).status_code == 200
    return int(enrolled.json()["vehicle_id"])


def sees(client: httpx.Client, vehicle_id: int) -> bool:
    features = client.get("/api/v1/positions").json()["features"]
    return any(feature["properties"]["vehicle_id"] == vehicle_id for feature in features)


def put_on_file(page: Page, platform: Platform, plate: str) -> None:
    page.goto(f"{platform.url}/enterprise/register")
    page.locator("#vehicles a.btn-primary").click()
    page.fill("#plate", squeeze(plate))
    page.select_option("#vehicle_class", "tractor")
    page.fill("#payload_kg", "26000")
    page.fill("#axles", "3")
    page.fill("#inspection_expires", (datetime.now(LOCAL_ZONE) + timedelta(days=20)).strftime("%Y-%m-%d"))
    page.get_by_test_id("keep").click()
    expect(page.locator("h1")).to_have_text(plate)
    page.goto(f"{platform.url}/enterprise/register")
    expect(page.get_by_test_id("vehicles")).to_contain_text(plate)
    expect(page.get_by_test_id("due")).to_contain_text(plate)


def test_registered_claimed_decided_picked_and_seen(
    platform: Platform, signed_in: SignedIn, vehicle_id: int, plate: str
) -> None:
    page = signed_in("enterprise", at=None)
    put_on_file(page, platform, plate)
    with platform.client("enterprise") as enterprise:
        assert not sees(enterprise, vehicle_id), "on file is not proven"

        form = page.get_by_test_id("claim-form")
        form.locator("input[name=plate]").fill(plate)
        form.locator("input[name=paper_number]").fill("29 004512")
        form.locator("button").click()
        expect(page.get_by_test_id("claim")).to_contain_text(plate)
        assert not sees(enterprise, vehicle_id)

        desk = signed_in("support", phone=True, at="/claims")
        card = desk.get_by_test_id(f"claim-{plate}")
        expect(card).to_contain_text("29 004512")
        card.get_by_test_id("accept").click()
        expect(desk.get_by_test_id(f"claim-{plate}")).to_have_count(0)

        page.goto(f"{platform.url}/enterprise/register")
        expect(page.get_by_test_id("holding").filter(has_text=plate)).to_be_visible()
        assert not sees(enterprise, vehicle_id), "between two trips nobody is shown where a truck is"

        page.goto(f"{platform.url}/declarations/new")
        page.select_option("#vehicle_entry", label=plate)
        expect(page.locator("#plate")).to_have_value(plate)
        expect(page.locator("#payload_kg")).to_have_value("26000")
        page.select_option("#regime", "export")
        arrival = datetime.now(LOCAL_ZONE) + timedelta(hours=6)
        page.fill("#planned_arrival", arrival.strftime("%Y-%m-%dT%H:%M"))
        page.fill("[name='lines.1.description']", "Nông sản")
        page.get_by_test_id("save").click()
        page.wait_for_url("**/declarations/*")
        assert eventually(lambda: sees(enterprise, vehicle_id), within_s=60), "proven, and on a trip: it is seen"

        found = enterprise.get("/api/v1/trips", params={"q": f"nong san {plate}"}).json()["items"]
        assert [trip["plate"] for trip in found] == [plate]
        assert found[0]["position"] is not None
    page.goto(f"{platform.url}/enterprise?q=nong%20san%20{plate[4:]}")
    expect(page.get_by_test_id("shipments")).to_contain_text(plate)
    expect(page.get_by_test_id("shipments")).to_contain_text("km")
