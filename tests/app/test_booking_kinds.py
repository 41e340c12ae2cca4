"""Bookings by the kind of place that a truck needs."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.bookings import keeping
from app.control.minute import Minute
from app.gates.profile import default_profiles
from app.gates.service import publish_simulated
from app.platform.runtime import Runtime
from capacity.vocabulary import ZoneKind
from tests.app.booking import HERE, PLATE, THERE, Desk
from tests.app.declaring import declaration_body, declaration_line
from tests.app.test_diverting import on_the_road

SignIn = Callable[..., TestClient]
OTHER = "29C-222.22"


@pytest.fixture
def desk(runtime: Runtime, sign_in: SignIn) -> Desk:
    return Desk.open(runtime, sign_in)


def set_zones(desk: Desk, **zones: int) -> None:
    """Zones of the yard, each of the kind that it is called; trucks stay an hour, no place is kept for others."""
    desk.set_places(9)
    desk.set_rules(unreserved_share=0.0, priority_share=0.0, max_in_hour=20)
    operator = desk.gate.person("yard_operator")
    for kind, places in zones.items():
        body = {"kind": kind, "places_veh": places}
        assert operator.put(f"/api/v1/yards/xuan-cuong/zones/{kind}", json=body).status_code == 200


def test_a_reefer_books_plugs_alone_and_others_leave_them(desk: Desk) -> None:
    set_zones(desk, standard=3, reefer=2)
    dry = {"refrigerated": False, "container": "none"}
    chilled = [desk.hold(desk.trip(f"29C-500.0{n}"), 3) for n in range(3)]
    assert [answer.status_code for answer in chilled] == [201, 201, 409]
    assert {answer.json()["place_kind"] for answer in chilled[:2]} == {"reefer"}
    ordinary = [desk.hold(desk.trip(f"29C-600.0{n}", **dry), 3) for n in range(4)]
    assert [answer.status_code for answer in ordinary] == [201, 201, 201, 409]
    url, starts_at = f"/api/v1/gates/{HERE}/booking-hours", desk.hour(4).strftime("%Y-%m-%dT%H:%M:%SZ")
    free = {}
    for kind in ("standard", "reefer", "livestock"):
        hours = desk.enterprise.get(url, params={"kind": kind}).json()["hours"]
        hour = next(hour for hour in hours if hour["starts_at"] == starts_at)
        assert hour["kinds"] == {"standard": 3, "reefer": 2}
        free[kind] = hour["free"]
    assert free == {"standard": 3, "reefer": 2, "livestock": 0}
    page = desk.enterprise.get("/bookings").text
    assert "kind of place the truck needs: " in page
    assert "Reefer plugs" in page


def test_a_place_of_a_kind_that_is_lost_moves_who_needs_it_and_a_place_given_back_goes_to_who_needs_it(
    desk: Desk,
) -> None:
    set_zones(desk, standard=3, reefer=1)
    cold = desk.book(desk.trip(), 3)
    dry = desk.book(desk.trip(OTHER, refrigerated=False, container="none"), 3)
    waits = desk.hold(desk.trip("29C-700.01"), 3, stand_by=True).json()["booking_id"]
    assert desk.state(waits)["state"] == "standby"
    closure = {"zone_id": "reefer", "until": desk.hour(4).isoformat(), "reason": "Mất điện"}
    closed = desk.gate.person("yard_operator").post("/api/v1/yards/xuan-cuong/closures", json=closure)
    assert closed.status_code == 201, closed.text
    assert desk.state(cold)["starts_at"] > desk.state(dry)["starts_at"], "no plug, no place"
    ended = desk.gate.person("yard_operator").post(
        f"/api/v1/yards/xuan-cuong/closures/{closed.json()['closure_id']}/end"
    )
    assert ended.status_code == 200, ended.text
    desk.minute()
    assert desk.state(waits)["state"] == "held", "the plug is back, and free"


def test_board_and_screen_show_kinds_and_both_queues(desk: Desk) -> None:
    set_zones(desk, standard=3, reefer=2)
    desk.book(desk.trip(), 3)
    anybody = TestClient(desk.enterprise.app, headers={"Accept-Language": "en"})
    gate = anybody.get("/api/v1/board").json()["gates"][0]
    yard = next(yard for yard in gate["yards"] if yard["yard_id"] == "xuan-cuong")
    kinds = [{"kind": "standard", "places": 3, "free": 3}, {"kind": "reefer", "places": 2, "free": 2}]
    assert (yard["free"], yard["kinds"], gate["booked_veh"]) == (5, kinds, 1)
    assert "Reefer plugs" in anybody.get("/board").text
    for page in ("/board", f"/board/{HERE}"):
        assert re.search(r'data-testid="board-booked">\s*1\s*<', anybody.get(page).text), page
        assert "Booked, still to come" in anybody.get(page).text, page


def test_who_needs_a_plug_is_called_up_when_one_is_free(desk: Desk) -> None:
    set_zones(desk, standard=3, reefer=1)
    cold, dry = desk.book(desk.trip(), 1), desk.book(desk.trip(OTHER, refrigerated=False, container="none"), 1)
    now = desk.runtime.clock.now()
    for plugs, called in ((0, ["booked", "called_up"]), (1, ["called_up", "called_up"])):
        with desk.runtime.sessions.begin() as session:
            free = {"xuan-cuong": {ZoneKind.STANDARD: 3, ZoneKind.REEFER: plugs}}
            keeping.keep_up(session, now, {}, free)
        assert [desk.state(booking)["state"] for booking in (cold, dry)] == called


def test_nobody_stands_by_for_a_kind_of_place_that_no_yard_has(desk: Desk) -> None:
    set_zones(desk, standard=3)
    trip_id = desk.trip()
    refused = desk.hold(trip_id, 3, stand_by=True)
    assert (refused.status_code, "the kind that the truck needs" in refused.json()["detail"]) == (409, True)
    page = desk.enterprise.get(f"/bookings?trip_id={trip_id}").text
    assert "no yard with the kind of place that it needs (Reefer plugs)" in page


def test_goods_that_change_need_another_kind_of_place(desk: Desk) -> None:
    set_zones(desk, standard=1, reefer=1)
    desk.book(desk.trip(OTHER), 3)
    trip_id = desk.trip(refrigerated=False, container="none")
    booking_id = desk.book(trip_id, 3)
    with desk.runtime.sessions.begin() as session:
        changed = "UPDATE app.trip SET facts = facts || '{\"chilled\": true}' WHERE trip_id = :trip_id"
        session.execute(text(changed), {"trip_id": trip_id})
    assert desk.minute().moved == 1
    after = desk.state(booking_id)
    assert (after["place_kind"], after["starts_at"]) == ("reefer", "2026-03-02T07:00:00Z")


def test_who_has_no_booking_is_planned_to_a_zone_of_its_kind_and_every_answer_names_it(desk: Desk) -> None:
    set_zones(desk, standard=3, reefer=2)
    desk.runtime.settings.forecast_runs = 8
    cold = desk.trip()
    on_the_road(desk.gate)
    assert not Minute.of(desk.runtime).run().failed
    place = desk.enterprise.get("/api/v1/assignments", params={"trip_id": cold}).json()["items"][0]
    assert (place["yard_id"], place["zone_id"], place["place_kind"]) == ("xuan-cuong", "reefer", "reefer")
    assert place["text"].startswith("The place is in zone reefer (Reefer plugs).")
    outlook = desk.enterprise.get("/api/v1/outlooks", params={"trip_id": cold}).json()["items"][0]
    assert (outlook["yard"]["zone_id"], outlook["yard"]["reason"]) == ("reefer", place["text"])
    assert "zone reefer" in desk.gate.person("yard_operator").get("/yard").text
    closure = {"zone_id": "reefer", "reason": "Mất điện"}
    trial = desk.gate.person("yard_operator").post("/api/v1/yards/xuan-cuong/closures/trial", json=closure)
    assert trial.status_code == 200, trial.text
    yard = next(yard for yard in trial.json()["yards"] if yard["yard_id"] == "xuan-cuong")
    assert yard["least_places_veh"] == {"before": 5.0, "after": 3.0}, "zones of a yard are counted together"
    assert yard["sent_veh"] == {"before": 1.0, "after": 0.0}, "without a plug there is no place for it here"


def test_dangerous_goods_are_booked_and_planned_to_places_of_their_own_and_officers_see_what_they_are(
    desk: Desk,
) -> None:
    set_zones(desk, standard=3, dangerous=2)
    desk.runtime.settings.forecast_runs = 8
    petrol = declaration_line(hs_code="2710.12", goods_class="general", un_number="UN 1203", hazard_class="3")
    booked = desk.hold(desk.trip(OTHER, lines=[petrol]), 3)
    assert (booked.status_code, booked.json()["place_kind"]) == (201, "dangerous")
    trip_id = desk.trip(lines=[petrol])
    on_the_road(desk.gate)
    assert not Minute.of(desk.runtime).run().failed
    place = desk.enterprise.get("/api/v1/assignments", params={"trip_id": trip_id}).json()["items"][0]
    assert (place["zone_id"], place["place_kind"]) == ("dangerous", "dangerous")
    police = desk.gate.sign_in("traffic_police")
    assert police.get(f"/api/v1/trips/{trip_id}").json()["hazard_classes"] == ["3"]
    sheet = desk.gate.person("border_guard").get(f"/station/sheet/{trip_id}?at=barrier_1").text
    assert "UN 1203, class 3" in " ".join(sheet.split())
    assert "Flammable liquids" in sheet
    with desk.runtime.sessions.begin() as session:
        for gate_id in (HERE, THERE):
            values = default_profiles(desk.runtime.corridor)[gate_id].values().model_copy(update={"hazards": ("9",)})
            assert publish_simulated(session, gate_id, values, now=desk.runtime.clock.now())
    order = {
        "kind": "divert",
        "selection": {"gate_id": HERE},
        "parameters": {"gate_id": THERE, "reason": "shorter_wait"},
        "valid_to": desk.hour(2).isoformat(),
    }
    diverted = police.post("/api/v1/orders/preview", json=order)
    assert (diverted.status_code, PLATE in diverted.json()["detail"]) == (422, True)
    body = declaration_body(desk.hour(5), plate="29C-900.01", lines=[petrol])
    refused = desk.enterprise.post("/api/v1/declarations", json={**body, "submit": True})
    assert refused.status_code == 422
    assert "takes no dangerous goods of class 3" in str(refused.json())
