"""The intake fed without HTTP, as an MQTT or TCP gateway feeds it, on a real database and Redis.

`BEACON` is the format that docs/recipes/add-a-gps-protocol.md adds: the file is in the recipe, its line is `FORMATS`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from redis.asyncio import Redis as AsyncRedis
from sqlalchemy.orm import Session

from app.platform import errors
from app.platform.runtime import Runtime
from app.tracking.gps_endpoints import make_router
from geo.errors import InvalidInputError, MalformedError, NotFoundError, UnavailableError
from ingest import devices
from ingest.fixes import unpack
from ingest.formats.gps_format import GpsFormat, IntakeResult, RawMessage
from ingest.formats.registry import GPS_FORMATS, by_name
from ingest.formats.report import EncryptedError
from ingest.intake import FixIntake
from ingest.store import add_gateway
from ingest.stream import FixWriter
from tests.app.gps import counters
from tests.ingest.recipes import load_module

IMEI = "353861053849681"
Answer = TypeVar("Answer")


BEACON: GpsFormat = load_module("add-a-gps-protocol").FORMAT
FORMATS = by_name(*GPS_FORMATS.values(), BEACON)


@pytest.fixture
def device(runtime: Runtime) -> str:
    """A device whose IMEI a gateway with the token `the token` may name."""
    now = runtime.clock.now()
    with runtime.sessions() as session:
        made = devices.enrol(session, "29C-123.45", "tracker", now=now, imei=IMEI)
        add_gateway(session, "traccar", "the token", now=now)
        session.commit()
    return made.identifier


@pytest.fixture
def feed(runtime: Runtime) -> Callable[[str, RawMessage], IntakeResult]:
    """Takes in one message of a format."""

    def take(name: str, message: RawMessage) -> IntakeResult:
        return with_intake(runtime, lambda intake: intake.receive(FORMATS[name], message))

    return take


def with_intake(runtime: Runtime, use: Callable[[FixIntake], Awaitable[Answer]], sessions=None) -> Answer:
    """What `use` makes of an intake in an event loop of its own."""

    async def run() -> Answer:
        url = runtime.settings.redis_url.get_secret_value()
        async with AsyncRedis.from_url(url) as redis:
            intake = FixIntake(
                writer=FixWriter(redis, runtime.settings.ingest_shards),
                directory=devices.DeviceDirectory(),
                sessions=sessions or runtime.sessions,
                clock=runtime.clock,
                retention_days=31,
                future_tolerance_s=120.0,
            )
            return await use(intake)

    return asyncio.run(run())


def appended(runtime: Runtime) -> list[tuple[float, float]]:
    """Longitude and latitude of the fixes in the streams."""
    found = []
    for shard in range(runtime.settings.ingest_shards):
        for _, entry in runtime.redis.xrange(f"ck:fixes:{shard}"):
            fixes, _ = unpack(entry)
            found += zip(fixes["lon"].tolist(), fixes["lat"].tolist(), strict=True)
    return found


def track(device: str | None = None) -> RawMessage:
    """A location of OwnTracks as an MQTT broker delivers it: the topic names the device."""
    payload = json.dumps({"_type": "location", "lat": 21.9, "lon": 106.7, "acc": 5})
    return RawMessage(payload.encode(), topic=f"owntracks/driver/{device}" if device else None)


def test_owntracks_as_a_broker_delivers_it(runtime, device, feed) -> None:
    result = feed("owntracks", track(device))
    assert result == IntakeResult(1, [])
    assert FORMATS["owntracks"].answer(result) == b"[]"
    assert appended(runtime) == [(106.7, 21.9)]


def test_each_shipped_format_needs_no_http(runtime, device, feed) -> None:
    place = {"lat": 21.9, "lon": 106.7}
    position = {"latitude": 21.9, "longitude": 106.7, "fixTime": runtime.clock.now().isoformat()}
    messages = {
        "osmand": RawMessage(query=f"id={device}&lat=21.9&lon=106.7".encode()),
        "owntracks": track(device),
        "traccar": RawMessage(json.dumps({"device": {"uniqueId": device}, "position": position}).encode()),
        "batch": RawMessage(json.dumps({"device": device} | place).encode()),
    }
    feature = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [106.7, 21.9]}, "properties": {}}
    companion = {"type": "update_location", "data": {"gps": [21.9, 106.7]}}
    messages |= {
        "json": RawMessage(json.dumps({"id": device} | place).encode()),
        "homeassistant": RawMessage(json.dumps(companion).encode(), path=(device,)),
        "overland": RawMessage(json.dumps({"locations": [feature]}).encode(), path=(device,)),
        "phonetrack": RawMessage(query=b"lat=21.9&lon=106.7", path=(device, "truck")),
    }
    assert messages.keys() == GPS_FORMATS.keys()
    for name, message in messages.items():
        assert feed(name, message).accepted == 1, name
    assert appended(runtime) == [(106.7, 21.9)] * len(messages)


def test_refusals_are_told_from_errors_and_counted(runtime, device, feed) -> None:
    nowhere = feed("osmand", RawMessage(query=f"id={device}&lat=0&lon=0".encode()))
    assert (nowhere.accepted, [item.reason for item in nowhere.refusals]) == (0, ["no_position"])
    assert GPS_FORMATS["osmand"].answer(nowhere) == b'{"accepted":false,"refused":"no_position"}'
    faults = {
        "malformed": (MalformedError, "owntracks", RawMessage(b"not json")),
        "encrypted": (EncryptedError, "owntracks", RawMessage(b'{"_type":"encrypted","data":"x"}')),
        "unknown_device": (NotFoundError, "owntracks", track("nobody")),
        "out_of_range": (InvalidInputError, "osmand", RawMessage(query=f"id={device}&lat=91&lon=0".encode())),
    }
    for error, name, message in faults.values():
        with pytest.raises(error):
            feed(name, message)
    for reason in ("no_position", *faults):
        assert counters(runtime)[f'fixes_refused_total{{reason="{reason}"}}'] == 1, reason
    assert appended(runtime) == []


def test_a_payload_over_the_limit_of_its_format_is_not_decoded(runtime, feed) -> None:
    with pytest.raises(MalformedError, match="larger than 200 bytes"):
        feed("beacon", RawMessage(b"x" * 201))
    assert counters(runtime) == {'fixes_refused_total{reason="malformed"}': 1}


def test_an_imei_counts_where_the_format_takes_a_gateways_token(runtime, device, feed) -> None:
    query = f"id={IMEI}&lat=21.9&lon=106.7".encode()
    assert feed("osmand", RawMessage(query=query, gateway_token="the token")).accepted == 1
    with pytest.raises(NotFoundError):
        feed("osmand", RawMessage(query=query, gateway_token="another"))
    with pytest.raises(NotFoundError):
        feed("beacon", RawMessage(f"{IMEI};21.9;106.7".encode(), gateway_token="the token"))
    assert feed("beacon", RawMessage(f"{device};21.9;106.7".encode(), gateway_token="the token")).accepted == 1


def test_a_database_that_does_not_answer_is_said_to_be_away(runtime, device) -> None:
    def closed() -> Session:
        return Session(runtime.engine.execution_options(isolation_level="no such level"))

    with pytest.raises(UnavailableError):
        with_intake(runtime, lambda intake: intake.receive(FORMATS["owntracks"], track(device)), sessions=closed)


def test_a_format_added_by_one_line_is_served_over_http_with_its_own_answer(runtime, device) -> None:
    app = FastAPI()
    app.state.runtime = runtime
    errors.install(app)
    app.include_router(make_router(FORMATS.values()))
    with TestClient(app) as client:
        answer = client.post("/gps/beacon", content=f"{device};21.9;106.7\n{device};21.8;106.7\n")
        assert (answer.status_code, answer.text) == (200, "OK 2\n")
        assert answer.headers["content-type"].startswith("text/plain")
        assert client.post("/gps/beacon", content=f"{device};x;1").status_code == 400
        assert client.post("/gps/beacon", content=b"x" * 201).status_code == 413
        assert client.get("/gps/beacon").status_code == 405
    assert sorted(appended(runtime)) == [(106.7, 21.8), (106.7, 21.9)]
