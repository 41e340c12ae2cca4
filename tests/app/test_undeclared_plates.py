"""A plate nobody declared rings at the support desk at once, and the desk starts with plate and picture filled in."""

from __future__ import annotations

import base64
import re
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.platform.runtime import Runtime
from app.procedures import service as procedures
from tests.app.dispatching import Stage, put_truck, set_stage
from tests.app.equipping import JPEG, rekor, send, set_up
from tests.app.gps import rows

HTML = {"accept": "text/html"}
DECLARED = "29C12345"
STRANGER = "51C99999"
EVENTS = "SELECT data, audience FROM app.outbox WHERE type = 'undeclared' ORDER BY event_id"


@pytest.fixture
def stage(runtime: Runtime, sign_in) -> Stage:
    """The truck 29C-123.45 is declared and at the gate."""
    stage = set_stage(runtime, sign_in)
    runtime.clock.advance(1800)
    with runtime.sessions() as session:
        put_truck(session, runtime.corridor, "29C-123.45", time=runtime.clock.now(), km=1.1)
        session.execute(text("UPDATE app.trip SET stage = 'queued'"))
        session.commit()
    declare(runtime)
    return stage


def declare(runtime: Runtime) -> None:
    """The one trip as declared: it goes by a procedure. What that one says is nobody's business here."""
    with runtime.sessions() as session:
        procedures.add_shipped(session, runtime.clock.now())
        session.execute(text("UPDATE app.trip SET procedure_id = (SELECT min(procedure_id) FROM app.procedure)"))
        session.commit()


@pytest.fixture
def barrier(stage, sign_in) -> dict:
    return set_up(sign_in("administrator"), "plate_camera", "rekor", site_id="huu-nghi-barrier-1", station="barrier_1")


@pytest.fixture
def desk(stage, sign_in) -> TestClient:
    return sign_in("support", gate_id="huu-nghi")


def ringing(desk: TestClient) -> list[str]:
    answer = desk.get("/api/v1/undeclared-plates")
    assert answer.status_code == 200, answer.text
    return [sighting["plate"] for sighting in answer.json()["items"]]


def picture(number: int = 0) -> str:
    return base64.b64encode(JPEG + bytes([number])).decode()


@pytest.mark.parametrize("plate", [STRANGER, "桂FA1234", "12R00123", "LAO5678"])
def test_a_plate_nobody_declared_rings_at_its_gates_desk_alone(runtime, client, barrier, desk, sign_in, plate) -> None:
    send(client, barrier, rekor(plate, runtime.clock.now()))
    ((data, audience),) = rows(runtime, EVENTS)
    assert (data["gate_id"], data["read_id"]) == ("huu-nghi", 1)
    assert (audience["roles"], audience["gates"]) == (["support"], ["huu-nghi"])
    assert plate not in str(data)
    assert [plate.replace("-", "").replace(".", "").replace("·", "") for plate in ringing(desk)] == [plate]
    assert ringing(sign_in("support", gate_id="tan-thanh")) == []
    assert sign_in("border_guard", gate_id="huu-nghi").get("/api/v1/undeclared-plates").status_code == 403


def test_a_declared_truck_does_not_ring(runtime, client, barrier, desk) -> None:
    send(client, barrier, rekor(DECLARED, runtime.clock.now()))
    assert rows(runtime, EVENTS) == []
    assert ringing(desk) == []


def test_a_truck_with_a_trip_that_nobody_declared_rings(runtime, client, barrier, desk) -> None:
    with runtime.engine.begin() as connection:
        connection.execute(text("UPDATE app.trip SET procedure_id = NULL"))
    send(client, barrier, rekor(DECLARED, runtime.clock.now()))
    assert ringing(desk) == ["29C-123.45"]
    declare(runtime)
    assert ringing(desk) == [], "it was declared since"


def test_several_reads_of_one_truck_ring_once(runtime, client, barrier, desk, sign_in) -> None:
    yard = set_up(sign_in("administrator"), "plate_camera", "rekor", site_id="xuan-cuong", station="yard")
    now = runtime.clock.now()
    for number, (device, seconds) in enumerate([(barrier, 0), (barrier, 5), (barrier, 200), (yard, 400)]):
        send(client, device, rekor(STRANGER, now + timedelta(seconds=seconds - 400), uuid=f"u{number}"))
    assert len(rows(runtime, EVENTS)) == 1
    assert ringing(desk) == ["51C-999.99"]


@pytest.mark.parametrize(
    ("config", "more"),
    [
        ({"movement": "leave"}, {}),
        ({"movement": "heading_enters", "enter_heading_deg": 0}, {"travel_direction": 180.0}),
    ],
)
def test_a_truck_that_leaves_does_not_ring(runtime, client, desk, sign_in, config, more) -> None:
    device = set_up(sign_in("administrator"), "plate_camera", "rekor", site_id="huu-nghi-barrier-1", config=config)
    send(client, device, rekor(STRANGER, runtime.clock.now(), **more))
    assert ringing(desk) == []


def test_on_the_highway_nothing_rings(runtime, client, desk, sign_in) -> None:
    device = set_up(sign_in("administrator"), "plate_camera", "rekor", site_id="camera-chi-lang")
    send(client, device, rekor(STRANGER, runtime.clock.now()))
    assert rows(runtime, "SELECT count(*) FROM app.undeclared_sighting") == [(0,)]


def test_the_desk_starts_with_plate_and_picture(runtime, client, barrier, desk) -> None:
    seen = runtime.clock.now() - timedelta(minutes=4)
    send(client, barrier, rekor(STRANGER, seen, vehicle_crop_jpeg=picture()))
    page = desk.get("/support", headers=HTML).text
    assert 'value="51C-999.99"' in page
    assert 'src="/api/v1/plate-reads/1/picture"' in page
    assert desk.get("/support/ringing", headers=HTML).text.count("<article") == 1
    assert desk.get("/api/v1/plate-reads/1/picture").content == JPEG + b"\x00"
    answers = dict(re.findall(r'name="(sighting|arrived|plate)" value="([^"]+)"', page.split("</article>")[0]))
    opened = desk.post("/support", data={**answers, "act": "declare"}, headers=HTML, follow_redirects=False)
    assert opened.headers["location"] == "/support/1/declare", opened.text
    form = desk.get("/support/1/declare", headers=HTML).text
    assert 'value="51C-999.99"' in form
    assert 'src="/api/v1/plate-reads/1/picture"' in form
    ((arrived_at,),) = rows(runtime, "SELECT arrived_at FROM app.undeclared_arrival")
    assert abs(arrived_at - seen) < timedelta(minutes=1)
    assert ringing(desk) == []
    assert 'src="/api/v1/plate-reads/1/picture"' in desk.get("/support", headers=HTML).text, "the list shows it as well"
    send(client, barrier, rekor(STRANGER, runtime.clock.now() + timedelta(seconds=60), uuid="later"))
    assert ringing(desk) == [], "it waits at the desk"


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_picture_that_comes_with_any_read_of_the_truck_is_shown(runtime, client, barrier, desk, number) -> None:
    now = runtime.clock.now() - timedelta(minutes=10)
    for read, seconds in enumerate((0, 5, 300)):
        crop = {"vehicle_crop_jpeg": picture(read)} if read == number else {}
        send(client, barrier, rekor(STRANGER, now + timedelta(seconds=seconds), uuid=f"p{read}", **crop))
    (sighting,) = desk.get("/api/v1/undeclared-plates").json()["items"]
    assert sighting["has_picture"]
    assert desk.get(f"/api/v1/plate-reads/{sighting['read_id']}/picture").content == JPEG + bytes([number])


def test_a_misread_plate_is_corrected_at_the_desk(runtime, client, barrier, desk) -> None:
    send(client, barrier, rekor("51C9999", runtime.clock.now()))
    made = desk.post("/support", data={"plate": "51C-999.98", "sighting": "1"}, headers=HTML, follow_redirects=False)
    assert made.status_code == 303, made.text
    assert ringing(desk) == []
    assert rows(runtime, "SELECT plate_norm, outcome, arrival_id FROM app.undeclared_sighting") == [
        ("51C9999", "registered", 1)
    ]


def test_what_needs_no_declaration_is_dismissed_for_the_day(runtime, client, barrier, desk, sign_in) -> None:
    send(client, barrier, rekor(STRANGER, runtime.clock.now()))
    elsewhere = sign_in("support", gate_id="tan-thanh")
    assert elsewhere.post("/support/sightings/1/dismiss", headers=HTML, follow_redirects=False).status_code == 422
    assert desk.post("/support/sightings/1/dismiss", headers=HTML, follow_redirects=False).status_code == 303
    assert rows(runtime, "SELECT action FROM app.audit WHERE object_type = 'undeclared_sighting'") == [
        ("undeclared.dismiss",)
    ]
    runtime.clock.advance(6 * 3600)
    send(client, barrier, rekor(STRANGER, runtime.clock.now(), uuid="again"))
    assert ringing(desk) == []
    runtime.clock.advance(7 * 3600)
    send(client, barrier, rekor(STRANGER, runtime.clock.now(), uuid="tomorrow"))
    assert ringing(sign_in("support", gate_id="huu-nghi")) == ["51C-999.99"]


def test_a_read_that_turns_out_to_be_a_declared_truck_rings_no_more(runtime, client, barrier, desk, sign_in) -> None:
    send(client, barrier, rekor("29C99345", runtime.clock.now(), 81.0))
    assert ringing(desk) == ["29C-993.45"]
    guard = sign_in("border_guard", gate_id="huu-nghi")
    answer = guard.post("/api/v1/plate-reads/1/decision", json={"plate": DECLARED})
    assert (answer.status_code, answer.json()["status"]) == (200, "matched")
    assert ringing(desk) == []


def test_a_doubtful_read_rings_once_a_person_says_whose_it_is(runtime, client, barrier, desk, sign_in) -> None:
    with runtime.engine.begin() as connection:
        connection.execute(text("DELETE FROM ingest.last_position"))
    send(client, barrier, rekor("29C1Z34S", runtime.clock.now(), 70.0))
    assert ringing(desk) == []
    guard = sign_in("border_guard", gate_id="huu-nghi")
    answer = guard.post("/api/v1/plate-reads/1/decision", json={"plate": "29C-123.49"})
    assert (answer.status_code, answer.json()["status"]) == (200, "unknown")
    assert ringing(desk) == ["29C-123.49"]


def test_every_page_of_the_desk_has_the_ring(desk, sign_in) -> None:
    for page in ("/support", "/station", "/declarations"):
        assert 'id="ring-sound"' in desk.get(page, headers=HTML).text
    assert 'id="ring-sound"' not in sign_in("customs", gate_id="huu-nghi").get("/station", headers=HTML).text
