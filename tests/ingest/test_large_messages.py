"""Large messages: read apart, in limits, in parts, with the same result as small ones; strangers displace nobody."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import time

import numpy as np
import orjson
import pytest
from sqlalchemy import text

from app.platform.runtime import Runtime
from geo.errors import InvalidInputError, MalformedError, NotFoundError, UnavailableError
from ingest import devices
from ingest.decoding import APART_FROM_BYTES, PART_REPORTS, MessageReader
from ingest.formats.batch import MAX_LINES
from ingest.formats.gps_format import IntakeResult, RawMessage
from ingest.formats.registry import GPS_FORMATS
from ingest.formats.report import MAX_LISTED, RefusalReason, ReportColumns
from ingest.intake import FixIntake
from ingest.judging import last_of_each
from ingest.traces.files import read_trace
from tests.ingest.test_intake import appended, with_intake


def overland(device: str, count: int, padding: str = "") -> bytes:
    points = [
        {
            "geometry": {"coordinates": [106.7, 21.9 + number * 1e-6]},
            "properties": {"timestamp": number + 1, "device_id": device, "note": padding},
        }
        for number in range(count)
    ]
    return orjson.dumps({"locations": points})


def batch(device: str, count: int, **more: object) -> bytes:
    fix = {"device": device, "lat": 21.9, "lon": 106.7} | more
    return b"\n".join(orjson.dumps(fix | {"time": number + 1}) for number in range(count))


def eat_memory(_: RawMessage) -> list[bytes]:
    return [b"x" * 2**20 for _ in range(2_000)]


def eat_time(_: RawMessage) -> None:
    while True:
        pass


def eat_time_soon(message: RawMessage) -> None:
    signal.setitimer(signal.ITIMER_PROF, 0.05)
    eat_time(message)


def test_apart_as_here_and_within_limits() -> None:
    """In one event loop, so that one process is started; it serves on after each message that it could not read."""
    large = RawMessage(overland("a", 300, "x" * 4_000))
    columns = RawMessage(batch("b", 20_000, note="x" * 40))
    assert min(len(large.payload), len(columns.payload)) > APART_FROM_BYTES

    async def run() -> None:
        reader = MessageReader()
        for work in (eat_memory, eat_time_soon):
            with pytest.raises(MalformedError, match="takes too much"):
                await reader.apart(work, large)
        reports = await reader.decode(GPS_FORMATS["overland"], large)
        assert not isinstance(reports, ReportColumns)
        parts = list(reports)
        assert [len(part) for part in parts] == [PART_REPORTS, 300 - PART_REPORTS]
        assert [report for part in parts for report in part] == GPS_FORMATS["overland"].decode(large)
        found, here = await reader.decode(GPS_FORMATS["batch"], columns), GPS_FORMATS["batch"].decode(columns)
        assert isinstance(found, ReportColumns)
        assert isinstance(here, ReportColumns)
        assert (found.names, found.device[-1]) == (["b"], "b")
        assert np.array_equal(found.time_us, here.time_us)
        with pytest.raises(MalformedError, match="locations is missing"):
            await reader.decode(GPS_FORMATS["overland"], RawMessage(b'{"a": "' + b"x" * APART_FROM_BYTES + b'"}'))
        with pytest.raises(InvalidInputError, match="by its ending"):
            await reader.apart(read_trace, "trace.exe", b"")
        with pytest.raises(UnavailableError):
            await reader.apart(os._exit, 1)

    asyncio.run(run())


def test_the_event_loop_gets_its_turn(runtime: Runtime) -> None:
    """However many reports of strangers come at once, nothing else waits for all of them."""
    message = RawMessage(overland("nobody", 8_000))

    async def receive(intake: FixIntake) -> tuple[int, int]:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        counting = asyncio.create_task(count())
        with pytest.raises(NotFoundError, match="nobody"):
            await intake.receive(GPS_FORMATS["overland"], message)
        counting.cancel()
        return turns, len(message.payload)

    turns, size_bytes = with_intake(runtime, receive)
    assert size_bytes < APART_FROM_BYTES
    assert turns >= 8_000 // PART_REPORTS


@pytest.fixture
def device(runtime: Runtime) -> str:
    with runtime.sessions() as session:
        made = devices.enrol(session, "29C-123.45", "phone", now=runtime.clock.now())
        session.commit()
    return made.identifier


def test_good_lines_among_thousands_of_bad_ones(runtime: Runtime, device: str) -> None:
    now_s = int(runtime.clock.now().timestamp())
    good = [orjson.dumps({"device": device, "lat": 21.9, "lon": 106.7, "time": now_s - n}) for n in (9, 8)]
    strangers = [orjson.dumps({"device": secrets.token_hex(16), "lat": 21.9, "lon": 106.7}) for _ in range(9_000)]
    body = b"\n".join([good[0], *strangers, *[b"{"] * 3_000, good[1]])
    result: IntakeResult = with_intake(runtime, lambda intake: intake.receive(GPS_FORMATS["batch"], RawMessage(body)))
    assert result.accepted == len(appended(runtime)) == 2
    assert result.counts == {RefusalReason.UNKNOWN_DEVICE: 9_000, RefusalReason.MALFORMED: 3_000}
    assert [refusal.line for refusal in result.refusals] == list(range(2, 2 + MAX_LISTED))
    assert result.refused_count == 12_000


def test_strangers_displace_no_device(runtime: Runtime, device: str) -> None:
    """Names that somebody makes up are forgotten first, and are not what is renewed."""

    async def receive(intake: FixIntake) -> tuple[set[str], set[str]]:
        await intake.receive(GPS_FORMATS["batch"], RawMessage(batch(device, 1)))
        for _ in range(3):
            names = [secrets.token_hex(16) for _ in range(9_000)]
            body = b"\n".join(orjson.dumps({"device": name, "lat": 21.9, "lon": 106.7}) for name in names)
            await intake.receive(GPS_FORMATS["batch"], RawMessage(body))
        before = set(intake.directory.known({device}))
        with runtime.sessions() as session:
            intake.directory.renew(session)
        return before, set(intake.directory.known(set()))

    before, after = with_intake(runtime, receive)
    assert device in before
    assert len(before) <= devices.DeviceDirectory.MAX_UNKNOWN + 1
    assert after == {device}


def test_thousands_of_refusals_of_a_device_cost_little(runtime: Runtime, device: str) -> None:
    future_ms = int(runtime.clock.now().timestamp() * 1000) + 86_400_000 * 400
    lines = [orjson.dumps({"device": device, "lat": 21.9, "lon": 106.7, "time": future_ms + n}) for n in range(6_000)]
    faked = [orjson.dumps({"device": device, "lat": 21.9, "lon": 106.7, "mock": True})] * 3
    body = b"\n".join([*lines, *faked])

    async def receive(intake: FixIntake) -> tuple[IntakeResult, int]:
        result = await intake.receive(GPS_FORMATS["batch"], RawMessage(body))
        _, held = intake._hearing.release(1)
        return result, len(held)

    result, held = with_intake(runtime, receive)
    assert result.counts == {RefusalReason.FUTURE: 6_000, RefusalReason.MOCK: 3}
    with runtime.sessions() as session:
        rows = session.execute(text("SELECT reason, count FROM ingest.device_refusal ORDER BY reason")).all()
        faked_count = session.scalar(text("SELECT count(*) FROM ingest.faked_fix"))
    assert [tuple(row) for row in rows] == [("future", 6_000), ("mock", 3)]
    assert (held, faked_count) == (20, 1)


def test_too_many_lines_are_not_even_split() -> None:
    began = time.process_time()
    with pytest.raises(MalformedError, match=f"more than {MAX_LINES} lines"):
        GPS_FORMATS["batch"].decode(RawMessage(b"\n" * (8 * 2**20)))
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_last_of_each(count: int) -> None:
    device_id = np.array([7, 8, 7, 7, 9, 8, 7])
    rows = np.array([0, 1, 2, 3, 5, 6])
    expected = [[row for row in rows.tolist() if device_id[row] == own][-count:] for own in (7, 8)]
    assert last_of_each(device_id, rows, count) == sorted(expected[0] + expected[1])
