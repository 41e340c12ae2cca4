"""The one intake of plate messages, fed without HTTP and MQTT; and what follows from the registry of camera formats.

`LANE` is the format that docs/recipes/add-a-camera-format.md adds, once as a webhook, once over MQTT.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from app.equipment import store
from app.equipment.cameras import PlateIntake
from app.equipment.frigate_gateway import PlateGateway
from app.equipment.pages import VENDOR_NAMES
from app.equipment.tables import Equipment
from app.gates.vocabulary import EquipmentKind
from app.platform.actions import ActionContext
from app.platform.permissions import Principal
from app.platform.runtime import Runtime
from app.sheets.service import Sheets
from geo.errors import MalformedError, NotFoundError
from ingest.formats.camera_format import CameraFormat
from ingest.formats.registry import CAMERA_FORMATS
from tests.app.dispatching import put_truck, set_stage
from tests.app.equipping import set_up
from tests.app.gps import rows
from tests.ingest.recipes import load_module

READS = "SELECT plate_norm, status, trip_id FROM app.plate_read ORDER BY read_id"


LANE: CameraFormat = load_module("add-a-camera-format").FORMAT
LANE_OVER_MQTT = replace(LANE, mqtt_topic="lane/plates")


@pytest.fixture
def trip_id(runtime: Runtime, sign_in) -> int:
    """A trip whose truck is near barrier 1 of its gate."""
    stage = set_stage(runtime, sign_in)
    with runtime.sessions() as session:
        put_truck(session, runtime.corridor, "29C-123.45", time=runtime.clock.now(), km=1.1)
        session.commit()
    return stage.trip_id


@pytest.fixture
def camera(runtime: Runtime, trip_id: int) -> Equipment:
    """A lane camera at barrier 1 that calls itself `in`."""
    with runtime.sessions() as session:
        device = Equipment(
            kind="plate_camera",
            name="Lane",
            vendor="lane",
            gate_id="huu-nghi",
            site_id="huu-nghi-barrier-1",
            station="barrier_1",
            config={"camera_id": "in"},
            created_at=runtime.clock.now(),
        )
        session.add(device)
        session.commit()
        return store.lock_equipment(session, device.equipment_id)


def test_a_webhook_and_the_truck_that_arrived(
    runtime: Runtime, sheets: Sheets, camera: Equipment, trip_id: int
) -> None:
    arrived: list[tuple[int, datetime, Principal | None]] = []

    def note_arrival(action: ActionContext, trip_id: int, at: datetime) -> None:
        assert action.now == now
        arrived.append((trip_id, at, action.principal))

    now = runtime.clock.now()
    intake = PlateIntake.of(runtime, sheets)
    intake = replace(intake, effects=replace(intake.effects, note_arrival=note_arrival))
    with runtime.sessions() as session:
        for number in (1, 0):  # the second time it is known
            received = intake.receive(session, LANE, b"in 29C12345", "text/plain", device=camera, now=now)
            assert (received.plates, len(received.new)) == (1, number)
        session.commit()
    assert arrived == [(trip_id, now, None)]
    assert rows(runtime, READS) == [("29C12345", "matched", trip_id)]


def test_a_read_that_comes_late_is_an_arrival_at_its_own_time_and_an_act_of_now(
    runtime: Runtime, sheets: Sheets, camera: Equipment, trip_id: int
) -> None:
    arrived: list[tuple[int, datetime, datetime]] = []

    def note_arrival(action: ActionContext, trip_id: int, at: datetime) -> None:
        arrived.append((trip_id, action.now, at))

    runtime.clock.advance(600)  # type: ignore[attr-defined]
    now = runtime.clock.now()
    seen_at = now - timedelta(minutes=4)
    late = replace(LANE, decode=lambda *given: [replace(read, time=seen_at) for read in LANE.decode(*given)])
    intake = PlateIntake.of(runtime, sheets)
    intake = replace(intake, effects=replace(intake.effects, note_arrival=note_arrival))
    with runtime.sessions() as session:
        intake.receive(session, late, b"in 29C12345", "text/plain", device=camera, now=now)
        session.commit()
    assert arrived == [(trip_id, now, seen_at)]


def test_a_camera_named_by_its_message(runtime: Runtime, sheets: Sheets, camera: Equipment, trip_id: int) -> None:
    intake, now = PlateIntake.of(runtime, sheets), runtime.clock.now()
    with runtime.sessions() as session:
        with pytest.raises(NotFoundError, match="camera out of Lane"):
            intake.receive(session, LANE_OVER_MQTT, b"out 29C12345", "", device=None, now=now)
        with pytest.raises(MalformedError, match="larger than 100 bytes"):
            intake.receive(session, LANE_OVER_MQTT, b"x" * 101, "", device=None, now=now)
        received = intake.receive(session, LANE_OVER_MQTT, b"in 29C12345", "", device=None, now=now)
        assert [row.trip_id for row in received.new] == [trip_id]


def test_a_gateway_commits_publishes_and_goes_on_after_a_fault(
    runtime: Runtime, sheets: Sheets, camera: Equipment, trip_id: int
) -> None:
    published: list[Session] = []
    gateway = PlateGateway(
        LANE_OVER_MQTT,
        lambda: PlateIntake.of(runtime, sheets),
        runtime.sessions,
        runtime.clock,
        after_commit=published.append,
    )
    payloads = (b"in ", b"out 29C12345", b"in 29C12345", b"in 29C12345")
    assert [gateway.receive(payload) for payload in payloads] == [0, 0, 1, 0]
    assert len(published) == 2
    assert rows(runtime, READS) == [("29C12345", "matched", trip_id)]


@pytest.mark.parametrize("vendor", CAMERA_FORMATS)
def test_a_format_in_the_registry_can_be_set_up_and_has_its_door(client, sign_in, vendor: str) -> None:
    administrator = sign_in("administrator")
    device = set_up(administrator, "plate_camera", vendor, site_id="huu-nghi-barrier-1", config={"camera_id": "in"})
    camera_format = CAMERA_FORMATS[vendor]
    assert VENDOR_NAMES[vendor] == camera_format.title
    assert vendor in EquipmentKind.PLATE_CAMERA.vendors
    if camera_format.path is None:
        assert device["url"] is None
        assert client.post(f"/cameras/{vendor}", headers={"Authorization": "Bearer x"}).status_code == 422
        config = {"kind": "plate_camera", "vendor": vendor, "name": "Nameless", "site_id": "huu-nghi-barrier-1"}
        assert administrator.post("/api/v1/equipment", json=config).status_code == 422
    else:
        assert device["url"].endswith(camera_format.path)
        headers = {"Authorization": f"Bearer {device['key']}"}
        assert client.post(camera_format.path, content=b"not a message", headers=headers).status_code == 400
        assert client.post(camera_format.path, headers={"Authorization": "Bearer x"}).status_code == 401
