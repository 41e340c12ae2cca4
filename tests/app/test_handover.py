"""Shift handover: begun from the work list, taken over by another officer, kept and audited."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.platform.runtime import Runtime
from geo.clock import FixedClock
from tests.app.equipping import bearer, set_up
from tests.app.stationing import Gate

SignIn = Callable[..., TestClient]
ADDRESS = "/api/v1/handovers"


@pytest.fixture
def gate(runtime: Runtime, sign_in: SignIn) -> Gate:
    return Gate.open(runtime, sign_in)


def second(sign_in: SignIn, gate_id: str = "huu-nghi") -> TestClient:
    return sign_in("border_guard", gate_id=gate_id, locale="en")


def give(client: TestClient, *texts: str, **body: Any) -> dict[str, Any]:
    answer = client.post(ADDRESS, json={"points": [{"text": text} for text in texts], **body})
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["items"][0])


def test_the_list_is_begun_with_what_is_open(gate: Gate, clock: FixedClock) -> None:
    gate.declare("29C-123.45")
    gate.declare("29C-555.55")
    gate.arrive("29C-123.45")
    clock.advance(5400)
    body = {"system": "scanner", "cause": "Hỏng máy soi"}
    gate.person("customs").post("/api/v1/gates/huu-nghi/outages", json=body)
    officer = gate.person("health_quarantine")
    points = officer.get(f"{ADDRESS}/open-points").json()["items"]
    assert [point["kind"] for point in points] == ["notice", "waiting"]
    assert "Hỏng máy soi" in points[0]["text"]
    assert points[1]["text"].startswith("29C-123.45 · 1 h 30 min")
    page = officer.get("/station/handover").text
    assert "29C-123.45 · 1 h 30 min" in page
    assert "29C-555.55" not in page


def test_alarms_come_from_every_open_trip_and_not_from_those_that_wait_longest(
    gate: Gate, clock: FixedClock, client: TestClient, sign_in: SignIn
) -> None:
    plates = [f"29C-20{number:01}.{number:02}" for number in range(10)] + ["29C-311.11", "29C-322.22"]
    trips = {plate: gate.declare(plate) for plate in plates}
    for plate in plates[:11]:
        gate.arrive(plate)
        clock.advance(60)
    scale = set_up(sign_in("administrator"), "scale", site_id="huu-nghi")

    def weigh(plate: str, gross_kg: int) -> None:
        body = {"ref": f"{plate}-{gross_kg}", "plate": plate, "gross_kg": gross_kg, "tare_kg": 15_000}
        sent = client.post("/equipment/weighings", json=body, headers=bearer(scale))
        assert sent.json()["verdict"] == "over", sent.text

    weigh("29C-311.11", 40_000)  # the last of those that wait
    weigh("29C-311.11", 41_000)  # once more is the same alarm
    weigh("29C-322.22", 40_000)  # not here yet
    officer = gate.person("border_guard")
    for trip_id in trips.values():
        gate.pass_steps(trip_id, ("health_quarantine", "health"))
    found = officer.get(f"{ADDRESS}/open-points", params={"station": "barrier_1"}).json()
    alarms = [(point["trip_id"], point["text"]) for point in found["items"] if point["kind"] == "alarm"]
    assert alarms == [
        (trips["29C-311.11"], "29C-311.11 · heavier than declared"),
        (trips["29C-322.22"], "29C-322.22 · heavier than declared"),
    ]
    waiting = [point["trip_id"] for point in found["items"] if point["kind"] == "waiting"]
    assert sorted(waiting) == sorted(trips.values()), "an officer saw them all at the entrance"
    assert (found["total"], found["counts"]) == (14, {"alarm": 2, "waiting": 12})
    elsewhere = officer.get(f"{ADDRESS}/open-points", params={"station": "barrier_2"}).json()
    assert [point["trip_id"] for point in elsewhere["items"] if point["kind"] == "alarm"] == [
        trip for trip, _ in alarms
    ]

    # In pages, each point once, and the count the same on all.
    first = officer.get(f"{ADDRESS}/open-points", params={"station": "barrier_1", "limit": 5})
    listed, link = list(first.json()["items"]), first.links["next"]["url"]
    while link:
        page = officer.get(link)
        assert page.json()["total"] == 14
        listed += page.json()["items"]
        link = page.links.get("next", {}).get("url")
    assert listed == found["items"]


def test_all_that_is_open_is_handed_over(gate: Gate, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.stations.handover_pages.PAGE", 2)
    for number in range(5):
        trip_id = gate.declare(f"29C-400.0{number}")
        gate.pass_steps(trip_id, ("health_quarantine", "health"))
    officer = gate.person("border_guard")
    page = officer.get("/station/handover", params={"at": "barrier_1", "after": 2}).text
    assert 'data-testid="total">5<' in page
    assert "3 to 4 of 5" in page
    shown = re.findall(r'name="point" value="([^"]*)"', page)
    assert len(shown) == 2
    form = {"point": html.unescape(shown[0]), "others": "true", "own": "Khóa tủ"}
    given = officer.post("/station/handover?at=barrier_1&after=2", data=form, follow_redirects=False)
    assert given.status_code == 303
    points = second(sign_in).get(ADDRESS, params={"station": "barrier_1"}).json()["items"][0]["points"]
    assert sorted(point["text"].split(" · ")[0] for point in points) == [
        *(f"29C-400.0{number}" for number in (0, 1, 2, 4)),
        "Khóa tủ",
    ], "all but what was shown and not chosen"
    by_api = officer.post(ADDRESS, params={"station": "barrier_1"}, json={"points": [], "others": True})
    assert len(by_api.json()["items"][0]["points"]) == 5


def test_another_officer_takes_it_over_once(gate: Gate, sign_in: SignIn) -> None:
    first, next_officer, third = gate.person("border_guard"), second(sign_in), second(sign_in)
    given = give(first, "Xe 29C chờ chứng thư gốc", note="Ca đêm")
    assert (given["taken_at"], given["may_take"]) == (None, False)
    address = f"{ADDRESS}/{given['handover_id']}/take"
    assert first.post(address, json={}).status_code == 403
    assert second(sign_in, "tan-thanh").post(address, json={}).status_code == 404
    assert gate.person("customs").post(address, json={}).status_code == 404  # not a station of theirs
    taken = next_officer.post(address, json={"remark": "Đã nhận"})
    assert taken.status_code == 200, taken.text
    assert next_officer.post(address, json={"remark": "again"}).json() == taken.json()
    assert third.post(address, json={}).status_code == 409
    handover = taken.json()["items"][0]
    assert (handover["remark"], handover["points"][0]["text"]) == ("Đã nhận", "Xe 29C chờ chứng thư gốc")
    acts = [line["action"] for line in sign_in("auditor").get("/api/v1/audit").json()]
    assert [act for act in acts if act.startswith("handovers.")] == ["handovers.take", "handovers.give"]


def test_one_handover_waits_at_a_station_and_its_author_may_change_it(gate: Gate, sign_in: SignIn) -> None:
    first, other = gate.person("border_guard"), second(sign_in)
    given = give(first, "một")
    assert give(first, "một", "hai")["handover_id"] == given["handover_id"]
    refused = other.post(ADDRESS, json={"points": [{"text": "ba"}]})
    assert refused.status_code == 409
    barrier_2 = first.post(f"{ADDRESS}?station=barrier_2", json={"points": [{"text": "x"}]})
    assert barrier_2.status_code == 201
    assert first.post(f"{ADDRESS}?station=customs", json={"points": []}).status_code == 404
    assert other.post(f"{ADDRESS}/{given['handover_id']}/take", json={}).status_code == 200
    assert give(other, "ba")["handover_id"] != given["handover_id"]


def test_a_request_that_comes_twice_hands_over_once(gate: Gate) -> None:
    headers = {"Idempotency-Key": "shift-1"}
    body = {"points": [{"text": "x"}]}
    for _ in range(2):
        answer = gate.person("border_guard").post(ADDRESS, json=body, headers=headers)
        assert answer.status_code == 201
    assert len(answer.json()["items"]) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"points": [{"text": ""}]},
        {"points": [{"text": "x" * 501}]},
        {"points": [{"text": "x", "kind": "gossip"}]},
        {"points": [{"text": "x"}] * 61},
        {"note": "x" * 2001},
        {"note": "a\x00b"},
    ],
)
def test_what_cannot_be_handed_over_is_refused(gate: Gate, body: dict[str, Any]) -> None:
    assert gate.person("border_guard").post(ADDRESS, json=body).status_code == 422


def test_the_page_hands_over_and_takes_over(gate: Gate, sign_in: SignIn) -> None:
    first, other = gate.person("border_guard"), second(sign_in)
    form = {
        "point": '{"kind":"waiting","text":"29C-123.45 · 2:10 h","trip_id":null}',
        "own": "Khóa tủ\n\nMực in",
        "note": "n",
    }
    assert first.post("/station/handover", data=form, follow_redirects=False).status_code == 303
    page = other.get("/station/handover").text
    assert "29C-123.45 · 2:10 h" in page
    assert "Mực in" in page
    handover_id = other.get(ADDRESS).json()["items"][0]["handover_id"]
    answer = other.post(f"/station/handover/{handover_id}/take", data={"remark": "ok"}, follow_redirects=False)
    assert answer.status_code == 303
    assert other.get(ADDRESS).json()["items"][0]["remark"] == "ok"
