"""Calls for help and what else devices tell: from any door to the traffic police's page and bell, once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from redis.asyncio import Redis as AsyncRedis

from app.notifications import feed
from app.ops.embedded import ServerUrls
from app.platform.runtime import Runtime
from app.tracking.fix_intake import open_fix_intake
from app.tracking.signals import SignalReader
from ingest.devices import GatewayDirectory
from ingest.formats.report import Report
from ingest.signals import STREAM, SignalKind, SignalWriter, decode, read_signals
from ingest.store import DeviceBinding
from tests.app.dispatching import Stage, set_stage
from tests.app.gps import enrol, rows
from tests.app.test_terminals import at, talk
from tests.ingest.terminals import frame

LAT, LON = 21.9, 106.7


@pytest.fixture
def stage(runtime: Runtime, sign_in) -> Stage:
    return set_stage(runtime, sign_in)


@pytest.fixture
def device(stage: Stage, sign_in) -> str:
    return str(enrol(sign_in("administrator"), "29C-123.45")["device_id"])


@pytest.fixture
def reader(runtime: Runtime) -> SignalReader:
    return SignalReader(runtime.redis)


def take_in(runtime: Runtime, reader: SignalReader) -> int:
    with runtime.sessions() as session:
        new = reader.take_in(session, runtime.clock.now())
        feed.follow(session, runtime.clock.now())
        session.commit()
    return new


def send(client: TestClient, runtime: Runtime, device: str, ago_s: int = 0, **more: Any) -> None:
    query = {"id": device, "lat": LAT, "lon": LON, "timestamp": int(runtime.clock.now().timestamp()) - ago_s, **more}
    assert client.get("/gps/osmand", params=query).status_code == 200


def kinds(runtime: Runtime) -> list[str]:
    return [kind for (kind,) in rows(runtime, "SELECT kind FROM app.device_event ORDER BY event_id")]


def told(client: TestClient) -> list[str]:
    return [item["kind"] for item in client.get("/api/v1/notifications").json()["items"]]


def test_a_call_for_help_reaches_the_police_until_somebody_saw_it(runtime, client, stage, device, reader) -> None:
    send(client, runtime, device, alarm="sos")
    assert take_in(runtime, reader) == 1
    police, page = stage.police, stage.police.get("/police/emergencies").text
    assert "29C-123.45" in page
    assert "21.90000, 106.70000" in page
    assert "Gọi trợ giúp khẩn cấp (SOS)" in page
    assert told(police) == ["device.sos"]
    item = police.get("/api/v1/notifications").json()["items"][0]
    assert (item["text"], item["urgent"]) == ("Lái xe 29C-123.45 gọi trợ giúp khẩn cấp (SOS)", True)
    assert "device.sos" in told(stage.enterprise)
    (event,) = police.get("/api/v1/device-events").json()["items"]
    assert (event["kind"], event["plate"], event["lat"], event["seen_at"]) == ("sos", "29C-123.45", LAT, None)
    assert police.post(f"/api/v1/device-events/{event['event_id']}/seen").status_code == 204
    assert police.post(f"/api/v1/device-events/{event['event_id']}/seen").status_code == 204
    assert "29C-123.45" not in police.get("/police/emergencies").text
    assert police.post("/api/v1/device-events/999/seen").status_code == 404
    assert stage.enterprise.post(f"/api/v1/device-events/{event['event_id']}/seen").status_code == 403


def test_who_may_see_what_devices_told(runtime, client, stage, device, reader, sign_in) -> None:
    send(client, runtime, device, alarm="sos")
    take_in(runtime, reader)
    url = "/api/v1/device-events"
    assert [len(who.get(url).json()["items"]) for who in (stage.police, stage.enterprise, stage.driver)] == [1, 1, 1]
    assert sign_in("driver", vehicle_id=None).get(url).json()["items"] == []
    assert sign_in("planner").get(url).status_code == 403


def test_an_alarm_in_every_fix_is_one_call(runtime, client, stage, device, reader) -> None:
    for ago_s in range(50, 0, -10):
        send(client, runtime, device, ago_s, alarm="sos")
    runtime.redis.xadd(STREAM, {b"s": b"nonsense"})
    again = runtime.redis.xrange(STREAM)[0][1]
    runtime.redis.xadd(STREAM, again)  # another process heard it as well
    assert take_in(runtime, reader) == 1
    assert take_in(runtime, reader) == 0
    assert runtime.redis.xlen(STREAM) == 0
    assert kinds(runtime) == ["sos"]
    assert told(stage.police) == ["device.sos"]


def test_a_call_for_help_without_a_fix_counts(runtime, client, stage, device, reader) -> None:
    answer = client.get("/gps/osmand", params={"id": device, "alarm": "sos", "lat": 0, "lon": 0})
    assert answer.json() == {"accepted": False, "refused": "no_position"}
    assert take_in(runtime, reader) == 1
    assert "chưa rõ vị trí" in stage.police.get("/police/emergencies").text


def test_ignition_is_told_when_it_changes(runtime, client, stage, device, reader) -> None:
    for ago_s, ignition in ((60, "true"), (50, "true"), (40, "false"), (30, "false"), (20, "true")):
        send(client, runtime, device, ago_s, ignition=ignition)
    take_in(runtime, reader)
    assert kinds(runtime) == ["ignition_on", "ignition_off", "ignition_on"]
    assert told(stage.police) == told(stage.enterprise) == []


def test_regions_of_owntracks_and_a_low_battery(runtime, client, stage, device, reader) -> None:
    now = int(runtime.clock.now().timestamp())
    for event in ("enter", "leave"):
        message = {
            "_type": "transition",
            "event": event,
            "desc": "Bãi xe",
            "tst": now,
            "topic": f"owntracks/x/{device}",
        }
        for _ in range(2):
            assert client.post("/gps/owntracks", json=message).status_code == 200
    for ago_s, level in ((30, 12), (20, 11), (10, 80), (0, 10)):
        send(client, runtime, device, ago_s, batt=level)
    take_in(runtime, reader)
    assert kinds(runtime) == ["region_entered", "region_left", "low_battery"]
    details = rows(runtime, "SELECT detail FROM app.device_event ORDER BY event_id")
    assert details == [("Bãi xe",), ("Bãi xe",), ("12%",)]
    assert told(stage.enterprise) == ["device.low_battery"]
    assert told(stage.police) == []


def test_an_old_call_is_kept_with_its_time(runtime, client, stage, device, reader) -> None:
    send(client, runtime, device, 7200, alarm="sos")
    take_in(runtime, reader)
    [(time,)] = rows(runtime, "SELECT time FROM app.device_event")
    assert time == runtime.clock.now() - timedelta(hours=2)


@pytest.mark.parametrize(
    ("attributes", "battery", "wanted"),
    [
        ({"alarm": "sos"}, None, ["sos"]),
        ({"alarm": "lowPower,powerCut"}, None, ["low_battery", "power_lost"]),
        ({"alarm": "SOS"}, None, ["sos"]),
        ({"event": "sos"}, None, ["sos"]),
        ({"alarm": "accident"}, 0.5, ["accident"]),
        ({"alarm": "overspeed"}, 0.15, []),
        ({}, 0.14, ["low_battery"]),
        ({"charge": True}, 0.05, []),
        ({"ignition": False}, None, ["ignition_off"]),
        ({"ignition": "yes", "alarm": 5}, None, []),
    ],
)
def test_what_a_report_signals(attributes, battery, wanted) -> None:
    report = Report("x", battery=battery, attributes=attributes)
    assert [kind for kind, _ in read_signals(report)] == [SignalKind(name) for name in wanted]


def test_the_alarm_button_of_a_terminal(runtime, stage, sign_in, reader) -> None:
    enrol(sign_in("administrator"), "29C-123.45", kind="tracker", imei="13800001111")
    held = at(runtime, alarm=0x1, status=0x03)

    async def story(connect, served) -> None:
        served.intake = open_fix_intake(replace(runtime, async_redis=served.intake.writer.redis), GatewayDirectory())
        terminal = await connect()
        for serial in range(3):
            terminal.send(frame(0x0200, held, "013800001111", serial=serial))
            assert await terminal.result() == 0

    talk(runtime, story)
    assert take_in(runtime, reader) == 2
    assert kinds(runtime) == ["sos", "ignition_on"]
    assert "29C-123.45" in stage.police.get("/police/emergencies").text


def test_an_ignition_that_another_process_was_told_of_is_told_again(runtime: Runtime, servers: ServerUrls) -> None:
    """Two web processes, each with its own memory: what one missed comes at the latest some minutes later."""
    bound, begin_us = DeviceBinding(7, 7), 1_772_420_400_000_000
    minute_us = 60_000_000

    async def tell() -> None:
        redis = AsyncRedis.from_url(servers.redis_url)
        first, second = SignalWriter(redis), SignalWriter(redis)
        told = [(first, 0, True), (second, 1, False), *((first, minute, True) for minute in range(2, 12))]
        for writer, minute, is_on in told:
            report = Report("a", attributes={"ignition": is_on})
            await writer.take(report, bound, begin_us + minute * minute_us)
        await redis.aclose()

    asyncio.run(tell())
    said = [decode(fields[b"s"]) for _, fields in runtime.redis.xrange(STREAM)]
    minutes = [(signal.kind, (signal.time_us - begin_us) // minute_us) for signal in said]
    on, off = SignalKind.IGNITION_ON, SignalKind.IGNITION_OFF
    assert minutes == [(on, 0), (off, 1), (on, 5), (on, 10)]
