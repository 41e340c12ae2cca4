"""Receiving vehicles of transshipments over the API: their sheets, their way out, the emptied vehicle's way home."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import text

from app.fees import tariffs
from app.reporting import bulletin
from tests.app.declaring import declaration_line
from tests.app.dispatching import add_organisation
from tests.app.equipping import bearer, set_up
from tests.app.stationing import FRUIT, Gate
from tests.app.transshipping import CHINESE, SECOND, URL, Yard, move, trip_of

ENDS = (*bulletin.EXPORTS, *bulletin.IMPORTS, "turned_back", "home_empty")
HALVES = [move(600, "10800", CHINESE), move(400, "7200", SECOND)]


@pytest.fixture
def yard(runtime: Any, sign_in: Any) -> Yard:
    return Yard(Gate.open(runtime, sign_in))


def figures(yard: Yard) -> dict[str, int]:
    answer = yard.gate.person("border_guard").get("/api/v1/statistics/bulletins")
    assert answer.status_code == 200, answer.text
    day = next(sheet for sheet in answer.json()["items"] if sheet["gate_id"] == "huu-nghi")
    return dict(day["figures"])


def rows(yard: Yard, query: str) -> list[Any]:
    with yard.gate.runtime.sessions() as session:
        return list(session.execute(text(query)).all())


def test_one_truck_into_two_whose_receivers_leave_and_the_giver_goes_home(yard: Yard) -> None:
    trip_id = yard.export()
    found = yard.transship(
        trip_id, HALVES, [{"plate": CHINESE, "trailer_plate": "桂F·1234挂", "driver_name": "王伟", "container": "40"}]
    )
    giver = yard.gate.sheet(trip_id)
    state = {step["step"]: step["status"] for step in giver["steps"]}
    assert (state["barrier_1"], state["transshipment"], state["quarantine_plant"]) == ("ready", "done", "done")
    assert state["customs"] == state["fee"] == state["barrier_2"] == "not_needed"
    assert giver["transshipment"]["vehicle_role"] == "empty_inward"
    assert [link["plate"] for link in giver["transshipment"]["given_to"]] == [CHINESE, SECOND]

    first, second = (trip_of(found, plate) for plate in (CHINESE, SECOND))
    sheet = yard.gate.sheet(first)
    steps = {step["step"]: step for step in sheet["steps"]}
    assert steps["quarantine_plant"]["status"] == "done"
    assert steps["quarantine_plant"]["done_by"].startswith("plant_quarantine")
    assert steps["quarantine_plant"]["data"]["carried_over"]["code"] == giver["trip"]["code"]
    opened = {name for name, step in steps.items() if step["status"] == "ready"}
    assert opened == {"health", "customs", "fee"}
    assert steps["yard"]["status"] == steps["transshipment"]["status"] == "done"
    assert steps["barrier_1"]["status"] == "not_needed"
    assert sheet["transshipment"]["received_from"][0]["trip_id"] == trip_id
    declared = sheet["declaration"]["data"]
    assert declared["customs_number"] == giver["declaration"]["data"]["customs_number"]
    assert (declared["plate"], declared["trailer_plate"], declared["driver_name"]) == (CHINESE, "桂F·1234挂", "王伟")
    assert sheet["trip"]["code"] != giver["trip"]["code"]
    lines = [yard.gate.sheet(each)["declaration"]["data"]["lines"][0] for each in (first, second)]
    for name in ("packages", "gross_weight_kg", "net_weight_kg", "quantity"):
        assert sum(Decimal(str(line[name])) for line in lines) == Decimal(str(FRUIT[name])), name
    guard = yard.gate.person("border_guard")
    assert guard.get(f"/api/v1/trips/{first}/sheet").json()["may"]["confirm"] == []
    code = yard.gate.person("enterprise").get(f"/t/{sheet['trip']['code']}.svg")
    assert code.headers["content-type"].startswith("image/svg+xml"), "a code of its own, to be scanned"

    yard.leave(first)
    yard.gate.pass_steps(trip_id, ("border_guard", "barrier_1"))
    assert yard.gate.sheet(trip_id)["is_finished"]
    yard.leave(second)
    yard.gate.runtime.clock.advance(60)  # type: ignore[attr-defined]
    counted = figures(yard)
    assert (counted["fruit_exports"], counted["home_empty"], counted["turned_back"]) == (2, 1, 0)
    over = rows(yard, "SELECT count(*) FROM app.trip WHERE stage = 'out'")[0][0]
    assert sum(counted[name] for name in ENDS) == over == 3, "every trip that is over is in one line"


def test_what_stays_goes_over_with_the_giver_and_what_comes_later_too(yard: Yard) -> None:
    trip_id = yard.export()
    part = yard.transship(trip_id, [move(600, "10800", CHINESE)])
    state = yard.gate.state(trip_id)
    assert (state["customs"], state["barrier_2"]) == ("ready", "waiting"), "it goes on with the rest"
    assert yard.gate.sheet(trip_id)["transshipment"]["left_kg"] == "7200.000"

    again = yard.register(trip_id, [move(400, "7200", SECOND)])
    assert yard.gate.state(trip_id)["transshipment"] == "ready"
    assert yard.act("enterprise", again.json(), "withdraw").status_code == 200
    assert yard.gate.state(trip_id)["transshipment"] == "done", "the earlier one was carried out"

    last = yard.transship(trip_id, [move(400, "7200", CHINESE)])
    assert trip_of(last, CHINESE) == trip_of(part, CHINESE), "one vehicle, one trip"
    (line,) = yard.gate.sheet(trip_of(last, CHINESE))["declaration"]["data"]["lines"]
    assert (line["packages"], line["gross_weight_kg"], line["net_weight_kg"]) == (1000, 18000.0, 18000.0)
    assert yard.gate.state(trip_id)["barrier_1"] == "ready"
    assert yard.register(trip_id, [move(1, "18", SECOND)]).status_code == 422, "nothing is left"
    yard.leave(trip_of(last, CHINESE))
    yard.gate.pass_steps(trip_id, ("border_guard", "barrier_1"))


def test_two_trucks_into_one_that_has_one_sheet_for_both(yard: Yard) -> None:
    first, second = yard.export(), yard.export("29C-222.22", customs_number="305999999990")
    whole = move(1000, "18000", CHINESE)
    receiver = trip_of(yard.transship(first, [whole]), CHINESE)
    yard.gate.pass_steps(receiver, ("health_quarantine", "health"), ("customs", "customs"))
    yard.pay(receiver)
    part = move(500, "9000", CHINESE)
    found = yard.transship(second, [part])
    assert trip_of(found, CHINESE) == receiver
    sheet = yard.gate.sheet(receiver)
    state = {step["step"]: step["status"] for step in sheet["steps"]}
    assert (state["health"], state["quarantine_plant"]) == ("done", "done"), "both sheets vouch for quarantine"
    assert state["customs"] == "ready", "customs see the load that is on it now"
    assert [line["packages"] for line in sheet["declaration"]["data"]["lines"]] == [1000, 500]
    assert [link["trip_id"] for link in sheet["transshipment"]["received_from"]] == [first, second]
    assert sheet["transshipment"]["left_kg"] == "27000.000"
    assert yard.gate.state(second)["customs"] == "ready", "the second keeps half"
    assert yard.gate.state(first)["barrier_1"] == "ready"
    other = yard.register(second, [move(500, "9000", "29C-123.45")])
    assert other.status_code == 409, "the first truck is on its own trip still"
    assert "open trip" in other.json()["detail"]


def test_an_import_goes_on_in_a_vietnamese_truck_and_the_chinese_one_goes_home(yard: Yard) -> None:
    trip_id = yard.gate.declare(CHINESE, regime="import", lines=[FRUIT])
    yard.gate.pass_steps(
        trip_id,
        ("border_guard", "barrier_2"),
        ("health_quarantine", "health"),
        ("yard_operator", "yard"),
        ("health_quarantine", "quarantine_health"),
        ("plant_quarantine", "quarantine_plant"),
    )
    found = yard.transship(trip_id, [move(1000, "18000", "29C-777.77")])
    giver = yard.gate.sheet(trip_id)
    assert giver["transshipment"]["vehicle_role"] == "empty_outward"
    assert giver["may"] == {"confirm": [], "return": []}
    yard.leave(
        trip_of(found, "29C-777.77"),
        ("health_quarantine", "health"),
        ("customs", "customs"),
        ("gate_management", "fee"),
        ("border_guard", "barrier_1"),
    )
    yard.gate.pass_steps(trip_id, ("border_guard", "barrier_2"))
    yard.gate.runtime.clock.advance(60)  # type: ignore[attr-defined]
    counted = figures(yard)
    assert (counted["cargo_imports"], counted["home_empty"]) == (1, 1)


def test_a_tractor_takes_over_the_trailer_with_the_goods(yard: Yard) -> None:
    trip_id = yard.export(trailer_plate="12R-001.23")
    receivers = [{"plate": SECOND, "trailer_plate": "12R-001.23"}]
    found = yard.transship(trip_id, [move(1000, "18000", SECOND)], receivers)
    assert yard.gate.sheet(trip_of(found, SECOND))["trip"]["trailer_plate"] == "12R-001.23"
    assert yard.gate.sheet(trip_id)["trip"]["trailer_plate"] is None, "it goes home alone"
    refused = yard.register(yard.export("29C-333.33"), HALVES, [{"plate": CHINESE, "trailer_plate": "12R-001.23"}])
    assert refused.status_code == 409
    assert "12R-001.23" in refused.json()["detail"]


def test_a_green_channel_releases_the_receivers_and_nothing_of_the_giver(yard: Yard) -> None:
    trip_id = yard.export()
    approved = yard.approved(trip_id, HALVES)
    headers = {"If-Match": f'"{yard.gate.sheet(trip_id)["version"]}"'}
    green = yard.gate.person("customs").put(
        f"/api/v1/trips/{trip_id}/channel", json={"channel": "green"}, headers=headers
    )
    assert green.status_code == 200, green.text
    found = yard.act("yard_operator", approved, "carry-out", {"moves": HALVES}).json()
    assert yard.gate.state(trip_id)["customs"] == "not_needed"
    assert yard.gate.state(trip_of(found, CHINESE))["customs"] == "done"


def test_retries_and_two_officers_at_once_make_no_doubles(yard: Yard) -> None:
    trip_id = yard.export()
    approved = yard.approved(trip_id, HALVES)
    yard.gate.person("yard_operator")
    start = Barrier(4)

    def confirm(_: int) -> int:
        start.wait()
        return yard.act("yard_operator", approved, "carry-out", {"moves": HALVES}).status_code

    with ThreadPoolExecutor(4) as pool:
        answers = sorted(pool.map(confirm, range(4)))
    assert answers == [200, 412, 412, 412]
    assert rows(yard, "SELECT count(*) FROM app.trip")[0][0] == 3
    other = yard.export("29C-222.22")
    second = yard.approved(other, [move(1000, "18000", "桂F·C0001")])
    body = {"moves": [move(1000, "18000", "桂F·C0001")]}
    made = [yard.act("yard_operator", second, "carry-out", body, **{"Idempotency-Key": "k"}) for _ in range(2)]
    assert [answer.status_code for answer in made] == [200, 200]
    assert made[0].json()["receivers"] == made[1].json()["receivers"]
    assert rows(yard, "SELECT count(*) FROM app.trip")[0][0] == 5


def test_two_givers_load_one_receiver_at_the_same_moment(yard: Yard) -> None:
    trips = [yard.export(plate) for plate in ("29C-123.45", "29C-222.22")]
    moves = [move(1000, "18000", CHINESE)]
    approved = [yard.approved(trip_id, moves) for trip_id in trips]
    start = Barrier(2)

    def confirm(found: dict[str, Any]) -> int:
        start.wait()
        return yard.act("yard_operator", found, "carry-out", {"moves": moves}).status_code

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(confirm, approved)) == [200, 200]
    (receiver,) = {row[0] for row in rows(yard, "SELECT trip_id FROM app.transshipment_receiver")}
    lines = yard.gate.sheet(receiver)["declaration"]["data"]["lines"]
    assert [line["packages"] for line in lines] == [1000, 1000]


def test_the_enterprise_takes_it_back_until_the_yard_begins(yard: Yard) -> None:
    trip_id = yard.export()
    approved = yard.approved(trip_id, HALVES)
    assert yard.act("enterprise", approved, "withdraw").json()["status"] == "cancelled"
    assert yard.gate.state(trip_id)["transshipment"] == "not_needed"
    assert rows(yard, "SELECT count(*) FROM app.trip")[0][0] == 1, "no vehicle has a trip"
    begun = yard.act("yard_operator", yard.approved(trip_id, HALVES), "begin")
    assert begun.json()["status"] == "begun", begun.text
    late = yard.act("enterprise", begun.json(), "withdraw")
    assert late.status_code == 409
    assert yard.register(trip_id, HALVES).status_code == 409, "it is open still"
    assert yard.act("customs", begun.json(), "begin").status_code == 403
    done = yard.act("yard_operator", begun.json(), "carry-out", {"moves": HALVES})
    assert done.status_code == 200, done.text


def test_a_truck_turns_back_with_its_goods_whole_or_not_at_all(yard: Yard) -> None:
    trip_id = yard.export()
    approved = yard.approved(trip_id, HALVES)
    assert yard.turn_back(trip_id).status_code == 200
    ended = yard.gate.person("enterprise").get(f"{URL}/{approved['transshipment_id']}").json()
    assert ended["status"] == "cancelled"

    trip_id = yard.export()
    begun = yard.act("yard_operator", yard.approved(trip_id, HALVES), "begin").json()
    refused = yard.turn_back(trip_id)
    assert refused.status_code == 409
    assert "moving the goods" in refused.json()["detail"]
    assert yard.act("yard_operator", begun, "carry-out", {"moves": HALVES}).status_code == 200


def test_a_vehicle_that_is_busy_elsewhere_is_refused_with_its_plate(yard: Yard, sign_in: Any) -> None:
    trip_id = yard.export()
    yard.gate.declare("29C-888.88")
    own = yard.register(trip_id, [move(1000, "18000", "29C-888.88")])
    assert own.status_code == 409
    assert "29C-888.88" in own.json()["detail"]
    others = add_organisation(yard.gate.runtime, "Người khác")
    other = Yard(Gate(yard.gate.runtime, sign_in, others))
    other.gate.people |= {key: who for key, who in yard.gate.people.items() if key[0] != "enterprise"}
    other.transship(other.export("29C-555.55"), [move(1000, "18000", CHINESE)])
    taken = yard.register(trip_id, [move(1000, "18000", CHINESE)])
    assert taken.status_code == 409
    assert "another enterprise" in taken.json()["detail"]
    for receivers, words in (
        ([{"plate": CHINESE}, {"plate": "桂F A1234"}], "twice"),
        ([{"plate": SECOND}], "would receive nothing"),
        ([{"plate": CHINESE, "trailer_plate": "29C-111.11"}], "not the plate of a trailer"),
        ([{"plate": "nonsense"}], "nonsense"),
    ):
        refused = yard.register(trip_id, [move(1000, "18000", CHINESE)], receivers)
        assert refused.status_code == 422
        assert words in refused.json()["detail"]
    trailer = yard.register(trip_id, [move(1000, "18000", "12R-001.23")])
    assert (trailer.status_code, trailer.json()["field"]) == (422, "receivers")


def test_what_was_moved_stays_declared(yard: Yard) -> None:
    trip_id = yard.export()
    receiver = trip_of(yard.transship(trip_id, [move(600, "10800", CHINESE)]), CHINESE)
    returned = yard.gate.act("customs", receiver, "customs", "return", reasons=["quantity_differs"])
    assert returned.status_code == 200, returned.text
    rest = {
        "inspection_expires": "2026-12-31",
        "container": "40",
        "refrigerated": True,
        "driver_name": "王伟",
        "driver_phone": "+86 138 1234 5678",
        "driver_paper": "passport",
        "driver_paper_number": "E1234567",
        "driver_paper_expires": "2029-12-31",
        "driver_licence_number": "450123456789",
        "driver_licence_expires": "2029-12-31",
        "health_symptoms": "none",
    }
    share = yard.gate.sheet(receiver)["declaration"]["data"]["lines"][0]
    more = yard.redeclare(receiver, **rest, lines=[{**share, "packages": 601}])
    assert more.status_code == 409, more.text
    assert "600 / 10800 kg" in more.json()["detail"]
    elsewhere = yard.redeclare(receiver, **rest, gate_id="tan-thanh", lines=[share])
    assert elsewhere.status_code == 409, elsewhere.text
    assert yard.redeclare(receiver, **rest, lines=[{**share, "hs_code": "0810.60"}]).status_code == 200
    assert yard.gate.act("customs", trip_id, "customs", "return", reasons=["quantity_differs"]).status_code == 200
    fewer = declaration_line(packages=599, gross_weight_kg=10799.0, net_weight_kg=10000.0, quantity=10000.0)
    short = yard.redeclare(trip_id, lines=[fewer])
    assert short.status_code == 409, short.text
    enterprise = yard.gate.person("enterprise")
    version = enterprise.get(f"/api/v1/trips/{receiver}").headers["ETag"]
    cancelled = enterprise.post(f"/api/v1/trips/{receiver}/cancel", headers={"If-Match": version})
    assert cancelled.status_code == 409, cancelled.text


def test_a_customs_number_corrected_on_the_giver_is_corrected_on_its_receivers(yard: Yard) -> None:
    trip_id = yard.export()
    receiver = trip_of(yard.transship(trip_id, [move(600, "10800", CHINESE)]), CHINESE)
    yard.gate.pass_steps(receiver, ("health_quarantine", "health"), ("customs", "customs"))
    assert yard.gate.act("customs", trip_id, "customs", "return", reasons=["quantity_differs"]).status_code == 200
    declared = yard.redeclare(trip_id, customs_number="305777777770")
    assert declared.status_code == 200, declared.text
    sheet = yard.gate.sheet(receiver)
    assert sheet["declaration"]["data"]["customs_number"] == "305777777770"
    state = yard.gate.state(receiver)
    assert (state["customs"], state["health"], state["quarantine_plant"]) == ("ready", "done", "done")


def test_the_fee_follows_the_goods(yard: Yard) -> None:
    with yard.gate.runtime.sessions() as session:
        tariffs.seed_tariffs(session, now=yard.gate.runtime.clock.now())
        session.commit()
    cashier = yard.gate.person("gate_management")

    def fee(trip_id: int) -> dict[str, Any]:
        return dict(cashier.get(f"/api/v1/fees/of-trip/{trip_id}").json())

    unpaid = yard.export()
    light = [move(1000, "18000", CHINESE)]
    found = yard.transship(
        unpaid, light, [{"plate": CHINESE, "payload_kg": 1500, "container": "none", "refrigerated": False}]
    )
    assert (fee(unpaid)["status"], fee(unpaid)["amount_vnd"]) == ("waived", 0)
    assert fee(trip_of(found, CHINESE))["amount_vnd"] == 100_000, "by the receiving vehicle's own payload"

    paid = yard.export("29C-222.22")
    yard.pay(paid, 250_000)
    receiver = trip_of(yard.transship(paid, [move(1000, "18000", SECOND)]), SECOND)
    asked = fee(receiver)
    assert (asked["status"], asked["question"]["kind"]) == ("open_question", "transshipped")
    assert asked["question"]["values"]["paid"] == "250.000"
    assert asked["question"]["values"]["plate"] == "29C-222.22"
    assert fee(paid)["status"] == "paid", "no money moves by itself"

    keeps = yard.export("29C-333.33")
    yard.pay(keeps)
    half = trip_of(yard.transship(keeps, [move(500, "9000", "桂F·C0001")]), "桂F·C0001")
    question = fee(half)["question"]
    assert question is None or question["kind"] != "transshipped", "the giver goes over too, and paid for itself"
    assert yard.gate.state(keeps)["fee"] == "done"


def test_the_scale_compares_with_what_is_on_the_vehicle(yard: Yard, client: Any, sign_in: Any) -> None:
    trip_id = yard.export()
    found = yard.transship(trip_id, [move(600, "10800", CHINESE)])
    scale = set_up(sign_in("administrator"), "scale", site_id="xuan-cuong", station="yard")
    for plate, each, gross_kg in (("29C-123.45", trip_id, 22_200), (CHINESE, trip_of(found, CHINESE), 25_800)):
        body = {"ref": plate, "plate": plate, "gross_kg": gross_kg, "tare_kg": 15_000}
        weighed = client.post("/equipment/weighings", json=body, headers=bearer(scale)).json()
        assert (weighed["trip_id"], weighed["declared_kg"], weighed["verdict"]) == (each, gross_kg - 15_000, "within")


def test_a_transshipment_is_read_by_both_sides_and_by_nobody_else(yard: Yard) -> None:
    trip_id = yard.export()
    found = yard.transship(trip_id, HALVES)
    yard.gate.pass_steps(trip_id, ("border_guard", "barrier_1"))
    where = f"{URL}/{found['transshipment_id']}"
    assert yard.gate.person("customs").get(where).status_code == 200, "a receiver is at the gate still"
    assert yard.gate.person("customs", "tan-thanh").get(where).status_code == 404
    listed = yard.gate.person("enterprise").get("/api/v1/trips").json()["items"]
    assert len(listed) == 3, "the enterprise sees every vehicle under the shipment"


def test_the_pages_link_the_vehicles_both_ways(yard: Yard) -> None:
    html = {"accept": "text/html"}
    trip_id = yard.export()
    form = yard.gate.person("yard_operator").get(f"/station?at=yard&trip={trip_id}", headers=html).text
    assert f"/transshipments/new?trip={trip_id}" in form, "the yard chooses receivers too"
    assert yard.gate.person("yard_operator").get(f"/transshipments/new?trip={trip_id}", headers=html).status_code == 200
    found = yard.transship(trip_id, HALVES)
    receiver, transshipment_id = trip_of(found, CHINESE), found["transshipment_id"]
    pages = {
        "giver at the barrier": ("border_guard", f"/station?at=barrier_1&trip={trip_id}", CHINESE),
        "receiver at customs": ("customs", f"/station?at=customs&trip={receiver}", "29C-123.45"),
        "giver, enterprise": ("enterprise", f"/enterprise/trips/{trip_id}", CHINESE),
        "receiver, enterprise": ("enterprise", f"/enterprise/trips/{receiver}", "29C-123.45"),
        "transshipment": (
            "enterprise",
            f"/transshipments/{transshipment_id}",
            f"/enterprise/trips/{receiver}",
        ),
    }
    for name, (role, where, shown) in pages.items():
        answer = yard.gate.person(role).get(where, headers=html)
        assert answer.status_code == 200, name
        assert shown in answer.text, name
    assert "plant_quarantine" in yard.gate.person("customs").get(pages["receiver at customs"][1], headers=html).text
