"""The main job, live: from a truck's GPS to a confirmed order, on the running platform."""

from __future__ import annotations

import math
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from geo.corridor import Corridor
from tests.e2e.conftest import MAP_MS, Platform, SignedIn, eventually
from tests.e2e.fresh import fresh_plate


def test_trucks_move_within_a_minute(platform: Platform) -> None:
    with platform.client("traffic_police") as police:

        def moving() -> int:  # the demo day must say that it is one
            found = [feature["properties"] for feature in police.get("/api/v1/positions").json()["features"]]
            return sum(position["state"] == "moving" and position["simulated"] for position in found)

        assert eventually(lambda: moving() > 100, within_s=60), moving()


CLIENTS = ("osmand", "osmand-json", "owntracks", "traccar")


def send_as(platform: Platform, client: str, device: str, lon: float, lat: float, now_s: float) -> httpx.Response:
    """One fix as a stock client sends it: no account, no session, the identifier is the credential. 36 km/h."""
    time_text = iso(now_s)
    if client == "osmand":
        query = {"id": device, "lat": lat, "lon": lon, "timestamp": int(now_s), "speed": 19.4}
        return httpx.post(f"{platform.url}/gps/osmand", params=query, timeout=10)
    bodies: dict[str, dict[str, Any]] = {
        "osmand-json": {
            "device_id": device,
            "location": {"timestamp": time_text, "coords": {"latitude": lat, "longitude": lon, "speed": 10}},
        },
        "owntracks": {"_type": "location", "topic": f"owntracks/x/{device}", "lat": lat, "lon": lon, "tst": int(now_s)},
        "traccar": {
            "position": {
                "fixTime": time_text.replace("Z", "+00:00"),
                "latitude": lat,
                "longitude": lon,
                "speed": 19.4,
                "course": 20,
                "altitude": 0,
                "accuracy": 6,
                "valid": True,
                "attributes": {},
            },
            "device": {"uniqueId": device, "name": "t"},
        },
    }
    path = client.removesuffix("-json")
    return httpx.post(f"{platform.url}/gps/{path}", json=bodies[client], timeout=10)


@pytest.mark.alone
@pytest.mark.parametrize("client", CLIENTS)
def test_a_fix_is_a_position_within_a_second(platform: Platform, client: str) -> None:
    km = 61.4
    lon, lat = (float(value[0]) for value in Corridor.default().position("QL1A", [km]))
    with platform.client("administrator") as administrator, platform.client("traffic_police") as police:
        enrolled = administrator.post("/api/v1/devices", json={"plate": fresh_plate(), "kind": "phone"})
        assert enrolled.status_code == 201, enrolled.text
        device, vehicle = enrolled.json()["device_id"], enrolled.json()["vehicle_id"]
        now_s = time.time()
        for _ in range(2):  # the same fix twice is one row
            assert send_as(platform, client, device, lon, lat, now_s).status_code == 200

        def find() -> Any:
            features = police.get("/api/v1/positions").json()["features"]
            return next((f for f in features if f["properties"]["vehicle_id"] == vehicle), None)

        feature = eventually(find, within_s=1.0, every_s=0.05)
        assert feature is not None, "not there within a second"
        assert abs(feature["properties"]["km"] - km) < 0.05
        hour = {"from": iso(now_s - 1800), "to": iso(now_s + 1800)}
        track = police.get(f"/api/v1/vehicles/{vehicle}/track", params=hour)
        assert len(track.json()["properties"]["times"]) == 1, track.text


def iso(moment_s: float) -> str:
    return datetime.fromtimestamp(moment_s, UTC).isoformat().replace("+00:00", "Z")


@pytest.mark.long
def test_the_forecast_is_fresh_ordered_and_made_from_live_positions(platform: Platform) -> None:
    corridor = Corridor.default()
    with platform.client("traffic_police") as police, platform.client("administrator") as administrator:
        before = eventually(lambda: get_forecast(police), within_s=90, every_s=1)
        assert before, "no forecast"
        age_s = time.time() - datetime.fromisoformat(before["made_at"]).timestamp()
        assert age_s < 120
        for name in ("queue_veh", "wait_s", "tail_km"):
            low, middle, high = ([math.inf if each is None else each for each in values] for values in before[name])
            assert all(a <= b <= c for a, b, c in zip(low, middle, high, strict=True)), name

        lines = []
        for number in range(300):
            enrolled = administrator.post("/api/v1/devices", json={"plate": fresh_plate(), "kind": "tracker"})
            lines.append((enrolled.json()["device_id"], 35.0 + 0.1 * number))
        lon, lat = corridor.position("QL1A", [km for _, km in lines])
        body = "\n".join(
            f'{{"device":"{device}","time":"{iso(time.time())}","lat":{lat[i]},"lon":{lon[i]},"speed_mps":12,"heading_deg":30}}'
            for i, (device, _) in enumerate(lines)
        )
        answer = httpx.post(f"{platform.url}/gps/batch", content=body, timeout=60)
        assert answer.json()["accepted"] == 300, answer.text
        sent_at = time.time()

        def newer() -> dict[str, Any] | None:
            forecast = get_forecast(police)
            return forecast if datetime.fromisoformat(forecast["made_at"]).timestamp() > sent_at + 2 else None

        after = eventually(newer, within_s=120, every_s=1)
        assert after, "no new forecast within two minutes"
        assert max(after["queue_veh"][1]) > max(before["queue_veh"][1]) + 60, "300 trucks upstream must be felt"


def get_forecast(client: httpx.Client) -> dict[str, Any] | None:
    answer = client.get("/api/v1/forecasts/latest", params={"gate": "huu-nghi"})
    return answer.json() if answer.status_code == 200 else None


@pytest.mark.alone
def test_an_order_reaches_a_driver_who_confirms_it(platform: Platform, signed_in: SignedIn) -> None:
    police, driver = signed_in("traffic_police"), signed_in("driver", phone=True)
    expect(driver.get_by_test_id("stage")).not_to_be_empty()
    with platform.client("driver") as client:
        features = eventually(lambda: client.get("/api/v1/positions").json()["features"], within_s=60, every_s=0.5)
        place = features[0]["properties"]
    words = f"Dừng chờ, kiểm tra {uuid.uuid4().hex[:8]}"

    pick_stretch(police, place["road"], place["km"] - 4, place["km"] + 4)
    expect(police.get_by_test_id("preview-count")).to_be_visible()
    police.get_by_test_id("text-vi").fill(words)
    expect(police.get_by_test_id("send")).to_be_enabled()
    police.get_by_test_id("send").click()
    police.get_by_test_id("send-confirm").click()
    sent = time.monotonic()
    card = driver.locator(".dr-order", has_text=words)
    expect(card).to_be_visible(timeout=2_000)
    assert time.monotonic() - sent < 2.5, "the order must be on the phone within two seconds, without a reload"

    card.get_by_test_id("confirm").click()
    expect(card).to_have_attribute("data-status", "acknowledged", timeout=5_000)
    order_id = (card.get_attribute("data-testid") or "").removeprefix("order-")
    police.get_by_test_id("tab-orders").click()
    confirmed = police.get_by_test_id(f"order-{order_id}-acknowledged")
    expect(confirmed).to_contain_text("1/", timeout=5_000)


def pick_stretch(page: Page, road: str, km_from: float, km_to: float) -> None:
    """Pick a stretch of road in the order composer with two clicks on the map, as an officer does."""
    page.get_by_test_id("tab-composer").click()
    page.wait_for_selector("live-map[data-ready=true]", timeout=MAP_MS)
    page.get_by_test_id("kind-hold").check(force=True)
    page.get_by_test_id("tool-stretch").click()
    for km in (km_from, km_to):
        x, y = page.evaluate(
            """async ([road, km]) => {
                const live = document.querySelector("live-map");
                const [lon, lat] = await fetch(`/api/v1/corridor`).then((r) => r.json()).then(({features}) => {
                    const pieces = features.filter((f) => f.properties.road === road
                        && f.properties.direction === "to_border"
                        && f.properties.km_from >= km && f.properties.km_to <= km);
                    const {properties: p, geometry: {coordinates: c}} = pieces[0];
                    const share = (p.km_from - km) / (p.km_from - p.km_to);
                    return c[Math.min(c.length - 1, Math.round(share * (c.length - 1)))];
                });
                const point = live.map.project([lon, lat]);
                const box = live.map.getCanvas().getBoundingClientRect();
                return [box.left + point.x, box.top + point.y];
            }""",
            [road, km],
        )
        page.mouse.click(x, y)
    expect(page.get_by_test_id("stretch")).to_be_visible()
    # The map shows 130 km on a screen: the kilometres are then set exactly, as the fields allow.
    for name, km in (("stretch-km_from", km_from), ("stretch-km_to", km_to)):
        page.get_by_test_id(name).fill(f"{km:.1f}")
        page.get_by_test_id(name).dispatch_event("change")


def test_everybody_sees_only_their_own(platform: Platform) -> None:
    with httpx.Client(base_url=platform.url) as nobody:
        for path in (
            "/api/v1/positions",
            "/api/v1/trips",
            "/api/v1/orders",
            "/api/v1/forecasts/latest?gate=huu-nghi",
            "/api/v1/yards",
            "/api/v1/events",
            "/api/v1/corridor",
        ):
            assert nobody.get(path).status_code == 401, path
        for path in ("/police", "/driver", "/enterprise", "/planner", "/admin", "/audit"):
            assert "/signin" in nobody.get(path, headers={"Accept": "text/html"}).headers.get("location", ""), path
    with platform.client("traffic_police") as police, platform.client("driver") as driver:
        foreign = police.get("/api/v1/trips").json()["items"]
        own = {trip["trip_id"] for trip in driver.get("/api/v1/trips").json()["items"]}
        assert len(own) == 1
        other = next(trip["trip_id"] for trip in foreign if trip["trip_id"] not in own)
        assert driver.get(f"/api/v1/trips/{other}").status_code == 404
        assert {f["properties"]["trip_id"] for f in driver.get("/api/v1/positions").json()["features"]} <= own
    with platform.client("enterprise") as enterprise:
        page = enterprise.get("/api/v1/trips", params={"limit": 200})
        trips = page.json()["items"]
        while "next" in page.links:
            page = enterprise.get(page.links["next"]["url"])
            trips += page.json()["items"]
        assert len({trip["organisation_id"] for trip in trips}) == 1
        mine = {trip["vehicle_id"] for trip in trips}
        seen = {f["properties"]["vehicle_id"] for f in enterprise.get("/api/v1/positions").json()["features"]}
        assert seen
        assert seen <= mine
        assert enterprise.post("/api/v1/orders/preview", json={}).status_code == 403


def test_figures_tell_what_happens(platform: Platform) -> None:
    figures = httpx.get(f"{platform.url}/metrics", timeout=10).text
    for name in (
        "fixes_in_total",
        "fixes_stored_total",
        "fixes_matched_total",
        "forecast_age",
        "forecast_duration",
        "lag",
    ):
        assert name in figures, name
