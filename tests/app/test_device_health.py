"""How devices fare: on the list, over the API, on the page, for whom they are."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from app.platform.runtime import Runtime
from app.tracking import health
from app.tracking.worker import Worker
from geo.clock import FixedClock
from tests.app.dispatching import add_organisation
from tests.app.gps import drain, enrol, rows
from tests.app.test_believing import at, drive, post, shifted
from tests.conftest import SignIn


@pytest.fixture
def worker(runtime: Runtime) -> Worker:
    worker = Worker(runtime, name="one")
    worker.keep_partitions()
    return worker


def test_heard_and_refused_is_never_never_seen(runtime: Runtime, client: TestClient, sign_in: SignIn) -> None:
    owner = sign_in("enterprise", organisation_id=add_organisation(runtime, "A"))
    device = enrol(owner, "29C-111.11")["device_id"]
    assert owner.get("/api/v1/devices").json()[0]["last_seen_at"] is None
    post(client, *shifted(drive(runtime, device, 1), timedelta(minutes=25)))
    [listed] = owner.get("/api/v1/devices").json()
    assert listed["last_seen_at"] is not None
    assert listed["refused"] == "future"
    [own] = owner.get("/api/v1/devices/health").json()
    assert (own["refused"], own["heard_at"] is not None, own["kept_at"]) == ("future", True, None)
    assert [(each["reason"], each["count"]) for each in own["refusals"]] == [("future", 1)]
    page = owner.get("/devices/health")
    assert 'data-testid="refused"' in page.text
    assert "refused" in owner.get("/enterprise/register").text or "bị từ chối" in owner.get("/enterprise/register").text


def test_what_is_kept_again_is_no_longer_refused(
    runtime: Runtime, client: TestClient, clock: FixedClock, sign_in: SignIn, worker: Worker
) -> None:
    owner = sign_in("enterprise", organisation_id=add_organisation(runtime, "B"))
    device = enrol(owner, "29C-111.11")["device_id"]
    post(client, drive(runtime, device, 1)[0] | {"lat": 0, "lon": 0})
    clock.advance(60)
    post(client, *drive(runtime, device, 4))
    drain(worker)
    worker.context.traits.save(runtime.engine)
    assert owner.get("/devices/health").status_code == 200
    [own] = owner.get("/api/v1/devices/health").json()
    assert own["refused"] is None
    assert own["refusals"][0]["reason"] == "no_position"
    assert own["kept_at"] is not None
    assert own["gaps"]["fixes"] == 4
    assert own["gaps"]["longest_s"] == 10
    assert own["clock_offset_s"] == pytest.approx(0, abs=1)
    assert "10 giây" in owner.get("/devices/health").text


def test_enterprises_see_their_own_and_police_all(runtime: Runtime, sign_in: SignIn) -> None:
    first, second = (
        sign_in("enterprise", organisation_id=add_organisation(runtime, "C")),
        sign_in("enterprise", organisation_id=add_organisation(runtime, "D")),
    )
    enrol(first, "29C-111.11")
    enrol(second, "29C-222.22")
    plates = lambda client: {each["plate"] for each in client.get("/api/v1/devices/health").json()}  # noqa: E731
    assert plates(first) == {"29C-111.11"}
    assert plates(second) == {"29C-222.22"}
    assert plates(sign_in("traffic_police")) >= {"29C-111.11", "29C-222.22"}
    assert sign_in("driver").get("/api/v1/devices/health").status_code == 403
    assert "29C-222.22" not in first.get("/devices/health").text


def test_pages_of_many_devices_follow_each_other(runtime: Runtime, sign_in: SignIn) -> None:
    owner = sign_in("enterprise", organisation_id=add_organisation(runtime, "E"))
    for number in range(5):
        enrol(owner, f"29C-333.3{number}")
    answer = owner.get("/api/v1/devices/health", params={"limit": 2})
    numbers = [each["number"] for each in answer.json()]
    while "Link" in answer.headers:
        answer = owner.get(answer.headers["Link"].split(">")[0].strip("<"))
        numbers += [each["number"] for each in answer.json()]
    assert len(numbers) == len(set(numbers)) == 5


def test_a_unit_set_by_hand_holds(runtime: Runtime, client: TestClient, sign_in: SignIn, worker: Worker) -> None:
    owner = sign_in("enterprise", organisation_id=add_organisation(runtime, "F"))
    device = enrol(owner, "29C-111.11")["device_id"]
    [number] = [each["number"] for each in owner.get("/api/v1/devices").json()]
    answer = owner.put(f"/api/v1/devices/{number}/speed-unit", json={"unit": "mps_for_knots"})
    assert answer.status_code == 204, answer.text
    post(client, *drive(runtime, device, 4, speed_mps=15 * 0.514444))
    drain(worker)
    assert [round(row[0], 1) for row in rows(runtime, "SELECT speed_mps FROM ingest.fix")] == [15.0] * 4
    assert owner.get("/api/v1/devices/health").json()[0]["speed_unit_set"] is True
    stranger = sign_in("enterprise", organisation_id=add_organisation(runtime, "G"))
    assert stranger.put(f"/api/v1/devices/{number}/speed-unit", json={"unit": "none"}).status_code == 404
    assert owner.put(f"/api/v1/devices/{number}/speed-unit", json={"unit": "furlongs"}).status_code == 422
    assert owner.put(f"/api/v1/devices/{number}/speed-unit", json={"unit": None}).status_code == 204
    assert owner.get("/api/v1/devices/health").json()[0]["speed_unit_set"] is False


def test_one_place_for_several_vehicles_is_flagged(
    runtime: Runtime, client: TestClient, sign_in: SignIn, worker: Worker
) -> None:
    owner = sign_in("enterprise", organisation_id=add_organisation(runtime, "H"))
    devices = [enrol(owner, f"29C-444.4{number}")["device_id"] for number in range(4)]
    place = {"lat": 21.5123457, "lon": 106.6123457}
    for device in devices[:3]:
        post(client, drive(runtime, device, 1)[0] | place)
    post(client, drive(runtime, devices[3], 1)[0] | at(runtime, 60.0))
    drain(worker)
    with runtime.sessions() as session:
        assert health.flag_shared_places(session, runtime.clock.now()) == 3
        assert health.flag_shared_places(session, runtime.clock.now()) == 3
        session.commit()
    police = sign_in("traffic_police")
    found = police.get("/api/v1/devices/health").json()
    assert sum(each["is_doubtful"] for each in found) == 3
    assert all(each["refusals"][0]["count"] == 1 for each in found if each["is_doubtful"])
    page = police.get("/devices/health", params={"view": "doubtful"}).text
    assert "29C-444.40" in page
    assert "29C-444.43" not in page


def test_nothing_yet(runtime: Runtime, sign_in: SignIn) -> None:
    owner = sign_in("enterprise", organisation_id=add_organisation(runtime, "I"))
    for view in ("all", "silent", "refused", "clock", "doubtful"):
        assert 'data-testid="health-empty"' in owner.get("/devices/health", params={"view": view}).text
