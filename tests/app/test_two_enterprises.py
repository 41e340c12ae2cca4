"""Two enterprises on one vehicle: whose trip it is changes at once with the word of who may say so, and neither sees
the other's trip, by cameras, fees or transshipments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from tests.app.dispatching import add_organisation
from tests.app.equipping import rekor, send, set_up
from tests.app.registering import Companies, make_companies, sees
from tests.app.stationing import Gate
from tests.app.test_presence_shared import drive, stages
from tests.app.transshipping import Yard, move

PLATE = "29C-123.45"
RECEIVER = "桂F·A1234"


@pytest.fixture
def companies(runtime, sign_in) -> Companies:
    return make_companies(runtime, sign_in)


def accept_at_the_desk(companies: Companies, typed: int) -> None:
    companies.prove(companies.theirs)


def say_yes_as_holder(companies: Companies, typed: int) -> None:
    """The claim of the other one, accepted by who holds the truck and then lets go of it."""
    companies.prove(companies.ours)
    claim_id = companies.claim(companies.theirs)
    assert companies.ours.post(f"/api/v1/claims/{claim_id}/answer", json={"accept": True}).status_code == 200
    assert companies.ours.delete(f"/api/v1/own-vehicles/{companies.vehicle_id}").status_code == 204


def hand_on(companies: Companies, typed: int) -> None:
    companies.prove(companies.ours)
    where = f"/api/v1/own-vehicles/{companies.vehicle_id}/hand-on"
    assert companies.ours.post(where, json={"to_id": companies.theirs_id}).status_code == 204


@pytest.mark.parametrize("say", [accept_at_the_desk, say_yes_as_holder, hand_on])
def test_whose_trip_the_truck_is_on_follows_the_word_at_once(
    companies: Companies, sheets: Any, say: Callable[[Companies, int], None]
) -> None:
    companies.rest()
    first = companies.declare(companies.ours)
    typed = companies.declare(companies.theirs)
    drive(companies, sheets, 40.0)
    assert stages(companies, first, typed) == ["on_the_road", "planned"]
    assert not sees(companies.theirs, companies.vehicle_id)
    say(companies, typed)
    assert stages(companies, first, typed) == ["planned", "on_the_road"], "without another position"
    assert sees(companies.theirs, companies.vehicle_id)
    assert not sees(companies.ours, companies.vehicle_id)


def test_a_no_takes_the_truck_off_the_trip_at_once(companies: Companies, sheets: Any) -> None:
    companies.runtime.clock.advance(60.0)  # type: ignore[attr-defined]
    companies.prove(companies.ours)
    typed = companies.declare(companies.theirs)
    answer = f"/api/v1/trips/{typed}/vehicle-answer"
    assert companies.ours.post(answer, json={"agreed": True}).status_code == 204
    own = companies.declare(companies.ours)
    drive(companies, sheets, 40.0)
    assert sees(companies.theirs, companies.vehicle_id)
    assert stages(companies, typed, own) == ["on_the_road", "planned"]
    assert companies.ours.post(answer, json={"agreed": False}).status_code == 204
    assert stages(companies, typed, own) == ["planned", "on_the_road"]
    assert not sees(companies.theirs, companies.vehicle_id)


@pytest.fixture
def gates(runtime, sign_in) -> tuple[Gate, Gate]:
    """Our enterprise and another at one gate, with the same officers."""
    ours = Gate.open(runtime, sign_in)
    theirs = Gate(runtime, sign_in, add_organisation(runtime, "Vận tải Bắc Sơn"))
    theirs.people |= {key: who for key, who in ours.people.items() if key[0] != "enterprise"}
    return ours, theirs


def prove(gate: Gate, plate: str = PLATE) -> int:
    """A desk accepts the claim of the gate's enterprise; the vehicle's number."""
    made = gate.person("enterprise").post("/api/v1/claims", json={"plate": plate})
    claim_id = made.json()["claim_id"]
    decided = gate.person("support").post(f"/api/v1/claims/{claim_id}/decide", json={"accept": True})
    assert decided.status_code == 200, decided.text
    return int(decided.json()["vehicle_id"])


def plates_read_of(client: TestClient, trip_id: int) -> int:
    """How many reads somebody finds on the timeline of a trip."""
    answer = client.get(f"/api/v1/trips/{trip_id}")
    assert answer.status_code == 200, answer.text
    return sum(event["kind"] == "plate" for event in answer.json()["timeline"])


def sees_nothing(client: TestClient, trip_id: int, code: str) -> None:
    """An enterprise finds nothing of another's trip, wherever it asks."""
    for where in ("trips/{}", "trips/{}/sheet", "declarations/{}", "fees/of-trip/{}"):
        assert client.get(f"/api/v1/{where.format(trip_id)}").status_code == 404, where
    for where in ("trips", "declarations", "fees", "transshipments", "bills"):
        answer = client.get(f"/api/v1/{where}")
        assert answer.status_code in {200, 404}, where
        assert code not in answer.text, where
    assert code not in client.get("/enterprise", headers={"accept": "text/html"}).text


def test_a_camera_opens_the_trip_of_who_holds_the_truck(runtime, client, sign_in, gates) -> None:
    ours, theirs = gates
    typed = theirs.declare(PLATE)
    vehicle_id = prove(ours)
    own = ours.declare(PLATE)
    camera = set_up(
        sign_in("administrator"), "plate_camera", "rekor", site_id="huu-nghi-barrier-1", station="barrier_1"
    )
    people = ours.person("enterprise"), theirs.person("enterprise")

    def read(number: int) -> int:
        runtime.clock.advance(7200.0)
        answer = send(client, camera, rekor("29C12345", runtime.clock.now(), uuid=f"u{number}"))
        assert answer.json() == {"plates": 1, "new": 1}, answer.text
        with runtime.sessions() as session:
            query = text("SELECT trip_id FROM app.plate_read ORDER BY read_id DESC LIMIT 1")
            return int(session.scalar(query))

    assert read(1) == own
    assert (plates_read_of(people[0], own), plates_read_of(people[1], typed)) == (1, 0)
    where = f"/api/v1/own-vehicles/{vehicle_id}/hand-on"
    assert people[0].post(where, json={"to_id": theirs.organisation_id}).status_code == 204
    assert read(2) == typed
    assert (plates_read_of(people[0], own), plates_read_of(people[1], typed)) == (1, 1)
    for client_, trip_id, asked in ((people[0], typed, people[1]), (people[1], own, people[0])):
        sees_nothing(client_, trip_id, asked.get(f"/api/v1/trips/{trip_id}").json()["code"])


def test_each_owes_the_fee_of_the_own_trip(gates) -> None:
    ours, theirs = gates
    trips = [(gate, gate.declare(PLATE)) for gate in gates]
    for gate, trip_id in trips:
        fee = gate.person("enterprise").get(f"/api/v1/fees/of-trip/{trip_id}").json()
        assert fee["trip_id"] == trip_id
        Yard(gate).pay(trip_id)
        assert gate.person("enterprise").get(f"/api/v1/fees/of-trip/{trip_id}").json()["status"] == "paid"
        for other, other_id in trips:
            if other is not gate:
                code = other.person("enterprise").get(f"/api/v1/trips/{other_id}").json()["code"]
                sees_nothing(gate.person("enterprise"), other_id, code)
    assert ours.organisation_id != theirs.organisation_id


def test_a_receiving_vehicle_that_others_typed_is_free(gates) -> None:
    ours, theirs = gates
    typed = theirs.declare(RECEIVER, trailer_plate="29R-000.77")
    yard = Yard(ours)
    giver = yard.export()
    found = yard.transship(
        giver,
        [move(1000, "18000", RECEIVER)],
        [{"plate": RECEIVER, "trailer_plate": "29R-000.77"}],
    )
    assert [receiver["plate"] for receiver in found["receivers"]] == [RECEIVER]
    receiver = int(found["receivers"][0]["trip_id"])
    assert receiver != typed
    code = theirs.person("enterprise").get(f"/api/v1/trips/{typed}").json()["code"]
    sees_nothing(ours.person("enterprise"), typed, code)
    for trip_id in (giver, receiver):
        code = ours.person("enterprise").get(f"/api/v1/trips/{trip_id}").json()["code"]
        sees_nothing(theirs.person("enterprise"), trip_id, code)
    assert theirs.person("enterprise").get(f"/api/v1/trips/{typed}").json()["stage"] == "planned"


def test_a_receiving_vehicle_under_way_for_another_is_refused(gates) -> None:
    ours, theirs = gates
    under_way = theirs.declare(RECEIVER, trailer_plate="29R-000.77")
    theirs.pass_steps(under_way, ("health_quarantine", "health"))
    yard = Yard(ours)
    giver = yard.export()
    for receiver in ({"plate": RECEIVER}, {"plate": "桂F·B5678", "trailer_plate": "29R-000.77"}):
        refused = yard.register(giver, [move(1000, "18000", receiver["plate"])], [receiver])
        assert refused.status_code == 409, refused.text
        assert "T-" not in refused.json()["detail"], "nothing of the other's trip is said"
