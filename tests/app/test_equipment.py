"""Devices: set up, heard of, silent; what scales, scanners and seals report."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.equipment import on_sheet, service
from app.equipment.config_secrets import HIDDEN, config_of
from app.equipment.pictures import KEPT_DAYS, Pictures
from app.equipment.tables import Equipment
from app.platform.runtime import Runtime
from app.trips.tables import Trip
from geo.errors import NotFoundError
from tests.app.dispatching import Stage, set_stage
from tests.app.equipping import JPEG, bearer, one, set_up
from tests.app.gps import rows


@pytest.fixture
def stage(runtime: Runtime, sign_in) -> Stage:
    return set_stage(runtime, sign_in)


@pytest.fixture
def administrator(stage, sign_in) -> TestClient:
    return sign_in("administrator")


def declare(runtime: Runtime, trip_id: int, *weights_kg: float) -> None:
    lines = ", ".join(f'{{"gross_weight_kg": {weight}}}' for weight in weights_kg)
    with runtime.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO app.declaration (trip_id, revision, status, data, created_at) "
                "VALUES (:trip_id, 1, 'submitted', CAST(:data AS jsonb), :now)"
            ),
            {"trip_id": trip_id, "data": f'{{"lines": [{lines}]}}', "now": runtime.clock.now()},
        )


def test_a_device_is_set_up_changed_and_taken_out_of_use(runtime, client, administrator, sign_in) -> None:
    made = set_up(administrator, "scale", site_id="xuan-cuong", station="yard", config={"tolerance_kg": 100})
    assert (made["gate_id"], made["version"]) == ("huu-nghi", 1)
    url = f"/api/v1/equipment/{made['equipment_id']}"
    tag = administrator.get(url).headers["ETag"]
    assert "key" not in administrator.get(url).json()
    assert administrator.patch(url, json={"name": "Cân 1"}).status_code == 428
    assert administrator.patch(url, json={"name": "Cân 1"}, headers={"If-Match": tag}).json()["name"] == "Cân 1"
    assert administrator.patch(url, json={"name": "Cân 2"}, headers={"If-Match": tag}).status_code == 412
    assert client.post("/equipment/heartbeat", headers=bearer(made)).status_code == 204
    changed = administrator.patch(url, json={"disabled": True}, headers={"If-Match": '"2"'}).json()
    assert changed["disabled_at"] is not None
    assert changed["config"] == {"tolerance_kg": 100}
    assert client.post("/equipment/heartbeat", headers=bearer(made)).status_code == 401
    officer = sign_in("border_guard", gate_id="tan-thanh")
    assert officer.get(url).status_code == 404
    assert officer.post("/api/v1/equipment", json={}).status_code == 403
    assert stage_audit(runtime) == ["equipment.register", "equipment.change", "equipment.change"]


def stage_audit(runtime: Runtime) -> list[str]:
    found = rows(runtime, "SELECT action FROM app.audit WHERE object_type = 'equipment' ORDER BY audit_id")
    return [action for (action,) in found]


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "plate_camera", "vendor": "acme"},
        {"kind": "scale", "vendor": "generic", "site_id": "nowhere"},
        {"kind": "scale", "vendor": "generic", "station": "kitchen"},
        {"kind": "barrier", "vendor": "http", "site_id": "huu-nghi-barrier-1", "station": "barrier_1"},
        {"kind": "barrier", "vendor": "http", "config": {"url": "http://127.0.0.1"}},
        {
            "kind": "barrier",
            "vendor": "http",
            "site_id": "huu-nghi",
            "station": "barrier_1",
            "config": {"url": "file:x"},
        },
        {"kind": "scale", "vendor": "generic", "config": {"silent_after_s": -1}},
        {"kind": "scale", "vendor": "generic", "name": "\x00"},
    ],
)
def test_set_ups_that_cannot_work_are_refused(administrator, wrong) -> None:
    answer = administrator.post("/api/v1/equipment", json={"name": "x", **wrong})
    assert answer.status_code == 422, answer.text


def test_secrets_are_not_shown_again_and_survive_an_edit(runtime, administrator) -> None:
    config = {"url": "http://127.0.0.1:9", "secret": "let-me-in"}
    made = set_up(administrator, "barrier", "http", site_id="huu-nghi-barrier-1", station="barrier_1", config=config)
    assert made["config"]["secret"] == HIDDEN
    edited = {**made["config"], "url": "http://127.0.0.1:10"}
    url = f"/api/v1/equipment/{made['equipment_id']}"
    administrator.patch(url, json={"config": edited}, headers={"If-Match": '"1"'})
    with runtime.sessions() as session:
        assert config_of(session.get_one(Equipment, made["equipment_id"])) == {
            "url": "http://127.0.0.1:10",
            "secret": "let-me-in",
        }
    assert rows(runtime, "SELECT count(*) FROM app.audit WHERE after::text LIKE '%let-me-in%'") == [(0,)]


def test_a_silent_device_raises_one_alarm_until_it_is_heard_of(runtime, client, administrator) -> None:
    made = set_up(administrator, "scale", config={"silent_after_s": 300})
    set_up(administrator, "scale")

    def sweep() -> int:
        with runtime.sessions() as session:
            raised = service.sweep(session, runtime.clock.now())
            session.commit()
        return raised

    client.post("/equipment/heartbeat", headers=bearer(made))
    assert sweep() == 0
    runtime.clock.advance(301)
    assert (sweep(), sweep()) == (1, 0)
    assert administrator.get("/api/v1/equipment").json()["items"][0]["alarm_since"] is not None
    client.post("/equipment/heartbeat", headers=bearer(made))
    assert administrator.get("/api/v1/equipment").json()["items"][0]["alarm_since"] is None
    told = rows(runtime, "SELECT data->>'status' FROM app.outbox WHERE type = 'equipment' ORDER BY event_id")
    assert told == [("silent",), ("ok",)]


def test_a_weighing_stands_beside_the_declaration(runtime, client, stage, administrator, sign_in) -> None:
    declare(runtime, stage.trip_id, 12_000, 10_000)
    scale = set_up(administrator, "scale", site_id="xuan-cuong", station="yard")
    body = {"ref": "1", "plate": "29C-123.45", "gross_kg": 38_120, "tare_kg": 15_900}
    first = client.post("/equipment/weighings", json=body, headers=bearer(scale)).json()
    assert (first["trip_id"], first["declared_kg"], first["difference_kg"]) == (stage.trip_id, 22_000, 220)
    assert (first["tolerance_kg"], first["verdict"]) == (440, "within")
    assert client.post("/equipment/weighings", json=body, headers=bearer(scale)).json() == first
    heavy = body | {"ref": "2", "gross_kg": 41_000}
    assert client.post("/equipment/weighings", json=heavy, headers=bearer(scale)).json()["verdict"] == "over"
    bare = {"ref": "3", "gross_kg": 41_000}
    assert client.post("/equipment/weighings", json=bare, headers=bearer(scale)).json()["trip_id"] is None
    assert (
        client.post("/equipment/weighings", json=bare | {"tare_kg": 50_000}, headers=bearer(scale)).status_code == 422
    )
    assert client.post("/equipment/weighings", json=bare).status_code == 401
    customs = sign_in("customs", gate_id="huu-nghi")
    assert [item["verdict"] for item in customs.get("/api/v1/weighings").json()["items"]].count("over") == 1
    assert sign_in("customs", gate_id="tan-thanh").get("/api/v1/weighings").json() == {"items": []}


def test_a_scan_is_for_border_guard_and_customs(runtime, client, stage, administrator, sign_in) -> None:
    scanner = set_up(administrator, "scanner", site_id="huu-nghi", station="customs")
    body = {
        "ref": "s1",
        "plate": "29C12345",
        "archive_ref": "archive/7",
        "image_base64": base64.b64encode(JPEG).decode(),
    }
    kept = client.post("/equipment/scans", json=body, headers=bearer(scanner)).json()
    assert kept["trip_id"] == stage.trip_id
    result = {"ref": "s1", "plate": "29C12345", "result": "suspicious", "note": "Khoang phía trước"}
    assert client.post("/equipment/scans", json=result, headers=bearer(scanner)).json() == kept
    found = one(runtime, "SELECT result, note, archive_ref FROM app.scan")
    assert tuple(found) == ("suspicious", "Khoang phía trước", "archive/7")
    url = f"/api/v1/scans/{kept['id']}/picture"
    assert sign_in("customs", gate_id="huu-nghi").get(url).content == JPEG
    assert sign_in("border_guard", gate_id="huu-nghi").get(url).status_code == 200
    assert sign_in("border_guard", gate_id="tan-thanh").get(url).status_code == 404
    assert sign_in("yard_operator", gate_id="huu-nghi").get(url).status_code == 403
    assert (
        client.post("/equipment/scans", json=body | {"image_base64": "?"}, headers=bearer(scanner)).status_code == 422
    )


def test_a_seal_stays_with_its_trip(runtime, client, stage, administrator) -> None:
    seal = set_up(administrator, "seal")
    body = {"seal_number": "E-7", "ref": "1", "kind": "closed", "plate": "29C12345", "lon": 106.7, "lat": 21.9}
    assert client.post("/equipment/seal-events", json=body, headers=bearer(seal)).json()["trip_id"] == stage.trip_id
    later = {"seal_number": "E-7", "ref": "2", "kind": "tampered"}
    assert client.post("/equipment/seal-events", json=later, headers=bearer(seal)).json()["trip_id"] == stage.trip_id
    assert rows(runtime, "SELECT count(*) FROM app.trip_event WHERE kind = 'seal'") == [(2,)]
    future = later | {"ref": "3", "time": (runtime.clock.now() + timedelta(hours=1)).isoformat()}
    assert client.post("/equipment/seal-events", json=future, headers=bearer(seal)).status_code == 422


def test_the_sheet_shows_what_equipment_saw(runtime, client, stage, administrator) -> None:
    scale, seal, scanner = (set_up(administrator, kind, site_id="huu-nghi") for kind in ("scale", "seal", "scanner"))
    named = {"plate": "29C12345", "ref": "1"}
    client.post("/equipment/weighings", json=named | {"gross_kg": 30_000}, headers=bearer(scale))
    for ref, kind in (("1", "closed"), ("2", "opened")):
        body = named | {"seal_number": "E-7", "ref": ref, "kind": kind}
        client.post("/equipment/seal-events", json=body, headers=bearer(seal))
    client.post("/equipment/scans", json=named | {"result": "clear"}, headers=bearer(scanner))
    with runtime.sessions() as session:
        trip = session.get_one(Trip, stage.trip_id)
        shown = {role: on_sheet.show(session, principal(role), trip) for role in ("customs", "yard_operator", "driver")}
    assert shown["driver"] is None
    customs = shown["customs"]
    assert [weighing["verdict"] for weighing in customs["weighings"]] == ["not_comparable"]
    assert [(seal["seal_number"], seal["state"]) for seal in customs["seals"]] == [("E-7", "opened")]
    assert [scan["result"] for scan in customs["scans"]] == ["clear"]
    assert "scans" not in shown["yard_operator"]


def principal(role: str):
    from app.platform.permissions import Principal, Role

    return Principal(1, role, role, Role(role), None, "huu-nghi", None, "vi", b"", "")


def test_pictures_are_pictures_and_are_erased_in_time(runtime: Runtime) -> None:
    pictures, now = Pictures.of(runtime.settings.data_dir), runtime.clock.now()
    ref = pictures.keep(JPEG, now)
    assert ref == pictures.keep(JPEG, now)
    assert pictures.load(ref) == (JPEG, "image/jpeg")
    assert pictures.keep(b"<svg onload=alert(1)>", now) is None
    assert pictures.keep(None, now) is None
    for wrong in ("../../etc/passwd", "2026-03-02/../../x.jpg", None):
        with pytest.raises(NotFoundError):
            pictures.load(wrong)
    assert pictures.drop_old(now + timedelta(days=KEPT_DAYS)) == 0
    assert pictures.drop_old(now + timedelta(days=KEPT_DAYS + 1)) == 1
    with pytest.raises(NotFoundError):
        pictures.load(ref)


def test_pages_of_devices_and_reads(runtime, client, stage, administrator, sign_in) -> None:
    set_up(administrator, "plate_camera", "rekor", site_id="xuan-cuong", station="yard")
    html = {"accept": "text/html"}
    page = administrator.get("/equipment", headers=html)
    assert page.status_code == 200
    assert 'id="device-form"' in page.text
    guard = sign_in("border_guard", gate_id="huu-nghi")
    page = guard.get("/equipment", headers=html)
    assert "device-form" not in page.text
    assert "Bến bãi Xuân Cương" in page.text
    for status in ("doubtful", "unknown", "matched"):
        assert guard.get(f"/equipment/reads?status={status}", headers=html).status_code == 200
