"""JT/T 808 over real connections, through the intake, to PostGIS; and what the gateway does when things go wrong."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis as AsyncRedis

from app.ops.supervisor import Supervisor
from app.platform.runtime import Runtime
from app.settings import GatewaySettings
from app.tracking.terminal_gateway import Patience, TerminalGateway
from app.tracking.terminal_state import PARTS_KEY, PartStore, list_unknown
from app.tracking.worker import Worker
from geo.errors import UnavailableError
from ingest import devices
from ingest.formats.gt06 import write_packet
from ingest.formats.jt808_frame import read_frame, unescape
from ingest.formats.registry import TERMINAL_FORMATS
from ingest.intake import FixIntake
from ingest.stream import FixWriter
from tests.app.gps import counters, drain, rows
from tests.ingest.terminals import batch, frame, location

PHONE = "013800001111"
FIXES = "SELECT time, ST_Y(geom), ST_X(geom), speed_mps, attributes FROM ingest.fix ORDER BY time"


@pytest.fixture
def device(runtime: Runtime) -> str:
    """A tracker enrolled with the number of its terminal; its identifier."""
    with runtime.sessions() as session:
        made = devices.enrol(session, "29C-123.45", "tracker", now=runtime.clock.now(), imei="13800001111")
        session.commit()
    return made.identifier


@pytest.fixture
def worker(runtime: Runtime) -> Worker:
    worker = Worker(runtime, name="test")
    worker.keep_partitions()
    return worker


class Terminal:
    """The other end of the line."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self) -> tuple[int, bytes]:
        """Message id and body of the next frame of the platform."""
        async with asyncio.timeout(10):
            await self.reader.readuntil(b"\x7e")
            data = await self.reader.readuntil(b"\x7e")
        found = read_frame(unescape(data[:-1]))
        return found.header.message_id, found.body

    async def result(self) -> int:
        """The result in the next general reply."""
        message_id, body = await self.answer()
        assert message_id == 0x8001
        return body[4]

    async def is_closed(self) -> bool:
        async with asyncio.timeout(10):
            with contextlib.suppress(ConnectionResetError):
                return not await self.reader.read()
        return True


def talk(runtime: Runtime, story: Callable[..., Awaitable[Any]], **more: Any) -> Any:
    """Run `story` with a function that connects to a gateway."""

    async def run() -> Any:
        async with (
            AsyncRedis.from_url(runtime.settings.redis_url.get_secret_value()) as redis,
            gateway(runtime, redis, **more) as (served, connect),
        ):
            return await story(connect, served) if story.__code__.co_argcount == 2 else await story(connect)

    return asyncio.run(run())


@contextlib.asynccontextmanager
async def gateway(runtime: Runtime, redis: AsyncRedis, protocol: str = "jt808", **more: Any) -> AsyncIterator[Any]:
    intake = FixIntake(
        writer=FixWriter(redis, runtime.settings.ingest_shards),
        directory=devices.GatewayDirectory(),
        sessions=runtime.sessions,
        clock=runtime.clock,
        retention_days=30,
        future_tolerance_s=120.0,
    )
    served = TerminalGateway(
        TERMINAL_FORMATS[protocol],
        intake,
        parts=PartStore(redis, protocol),
        sessions=runtime.sessions,
        key=b"key",
        **more,
    )
    server = await served.start("127.0.0.1", 0)
    opened: list[asyncio.StreamWriter] = []

    async def connect() -> Terminal:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
        opened.append(writer)
        return Terminal(reader, writer)

    try:
        yield served, connect
    finally:
        for writer in opened:
            writer.close()
        server.close()
        await served.close()


def at(runtime: Runtime, ago_s: float = 5, **more: Any) -> bytes:
    return location(21.9, 106.7, moment=runtime.clock.now() - timedelta(seconds=ago_s), **more)


def test_from_registration_to_the_map(runtime, device, worker) -> None:
    items = bytes.fromhex("010400000064 300114 310109".replace(" ", ""))

    async def story(connect) -> None:
        terminal = await connect()
        terminal.send(frame(0x0100, bytes(37), PHONE))
        message_id, body = await terminal.answer()
        assert (message_id, body[2]) == (0x8100, 0)
        terminal.send(frame(0x0102, body[3:], PHONE))
        assert await terminal.result() == 0
        terminal.send(frame(0x0002, b"", PHONE))
        assert await terminal.result() == 0
        terminal.send(frame(0x0200, at(runtime, speed_kmh=36, items=items), PHONE))
        assert await terminal.result() == 0
        late = [at(runtime, 60 + 10 * step) for step in range(3)]
        terminal.send(frame(0x0704, batch(*late), PHONE))
        assert await terminal.result() == 0
        assert sum(runtime.redis.xlen(f"ck:fixes:{shard}") for shard in range(2)) >= 2, "durable before the answer"
        terminal.send(frame(0x0900, b"\x00x", PHONE))
        assert await terminal.result() == 3
        terminal.send(frame(0x0004, b"", PHONE))
        assert await terminal.answer() == (0x8004, bytes.fromhex(runtime.clock.now().strftime("%y%m%d%H%M%S")))
        terminal.send(frame(0x0003, b"", PHONE))
        assert await terminal.result() == 0

    talk(runtime, story, must_authenticate=True)
    drain(worker)
    stored = rows(runtime, FIXES)
    assert len(stored) == 4
    time, lat, lon, speed_mps, attributes = stored[-1]
    assert (time, lat, lon, speed_mps) == (runtime.clock.now() - timedelta(seconds=5), 21.9, 106.7, 10.0)
    assert attributes == {
        "altitude_m": 0.0,
        "ignition": True,
        "odometer_m": 10_000,
        "satellites": 9,
        "signal": 20,
    }


def test_a_terminal_nobody_enrolled_is_told_so_and_shown(runtime, client, sign_in) -> None:
    async def story(connect) -> None:
        terminal = await connect()
        terminal.send(frame(0x0100, bytes(37), "000000000042"))
        assert (await terminal.answer())[1][2] == 4, "no such terminal"
        terminal.send(frame(0x0102, b"guess", "000000000042"))
        assert await terminal.result() == 1
        terminal.send(frame(0x0200, at(runtime), "000000000043"))
        assert await terminal.result() == 1

    talk(runtime, story)
    assert {(item.number, item.refused) for item in list_unknown(runtime.redis)} == {("42", 2), ("43", 1)}
    assert counters(runtime)['fixes_refused_total{reason="unknown_device"}'] == 3
    shown = sign_in("administrator").get("/api/v1/devices/unknown").json()
    assert {item["number"] for item in shown} == {"42", "43"}
    assert shown[0]["protocol"] == "jt808"
    assert sign_in("driver").get("/api/v1/devices/unknown").status_code == 403


def test_a_wrong_secret_shuts_out_until_the_terminal_registers(runtime, device) -> None:
    async def story(connect) -> None:
        terminal = await connect()
        terminal.send(frame(0x0102, b"guess", PHONE) + frame(0x0200, at(runtime), PHONE))
        assert [await terminal.result(), await terminal.result()] == [1, 1]
        terminal.send(frame(0x0100, bytes(37), PHONE))
        secret = (await terminal.answer())[1][3:]
        terminal.send(frame(0x0102, secret, PHONE) + frame(0x0200, at(runtime), PHONE))
        assert [await terminal.result(), await terminal.result()] == [0, 0]
        again = await connect()
        again.send(frame(0x0102, secret, PHONE))
        assert await again.result() == 0, "it holds on the next connection"

    talk(runtime, story, must_authenticate=True)


def test_an_identifier_is_the_secret_of_any_number(runtime, device, worker) -> None:
    async def story(connect) -> None:
        terminal = await connect()
        terminal.send(frame(0x0102, device.encode(), "099999999999") + frame(0x0200, at(runtime), "099999999999"))
        assert [await terminal.result(), await terminal.result()] == [0, 0]

    talk(runtime, story)
    drain(worker)
    assert len(rows(runtime, FIXES)) == 1


def test_an_enrolled_number_may_report_at_once_unless_it_must_authenticate(runtime, device) -> None:
    async def story(connect) -> int:
        terminal = await connect()
        terminal.send(frame(0x0200, at(runtime), "00000000013800001111", is_2019=True))
        return await terminal.result()

    assert talk(runtime, story) == 0
    assert talk(runtime, story, must_authenticate=True) == 1


def test_what_cannot_be_kept_for_good_is_acknowledged(runtime, device, worker) -> None:
    async def story(connect) -> list[int]:
        terminal = await connect()
        for body in (
            at(runtime, status=0x01),
            at(runtime, -3600),
            at(runtime, 40 * 86400),
            location(0, 0, moment=runtime.clock.now()),
            location(91, 10, moment=runtime.clock.now()),
            at(runtime, time=bytes.fromhex("261345000000")),
        ):
            terminal.send(frame(0x0200, body, PHONE))
        return [await terminal.result() for _ in range(6)]

    assert talk(runtime, story) == [0, 0, 0, 0, 2, 2]
    found = counters(runtime)
    assert [
        found[f'fixes_refused_total{{reason="{reason}"}}']
        for reason in ("no_position", "future", "too_old", "out_of_range", "malformed")
    ] == [2, 1, 1, 1, 1]


def test_while_nothing_can_be_kept_the_terminal_is_told_to_send_again(runtime, device, worker) -> None:
    async def story(connect, served) -> list[int]:
        terminal = await connect()
        room = served.intake.writer.require_room

        async def full() -> None:
            raise UnavailableError("Storage is behind.")

        served.intake.writer.require_room = full
        terminal.send(frame(0x0200, at(runtime), PHONE))
        first = await terminal.result()
        served.intake.writer.require_room = room
        terminal.send(frame(0x0200, at(runtime), PHONE))
        return [first, await terminal.result()]

    assert talk(runtime, story) == [1, 0]
    drain(worker)
    assert len(rows(runtime, FIXES)) == 1


def test_damaged_frames_are_counted_answered_and_survived(runtime, device, worker) -> None:
    good = frame(0x0200, at(runtime), PHONE)
    wrong = bytearray(good)
    wrong[-2] ^= 0x01

    async def story(connect) -> None:
        terminal = await connect()
        encrypted = bytearray(unescape(frame(0x0200, at(runtime), PHONE)[1:-1]))
        encrypted[2] ^= 0x04
        encrypted[-1] ^= 0x04
        terminal.send(b"noise" + bytes(wrong) + b"\x7e" + bytes(encrypted) + b"\x7e")
        assert [await terminal.result(), await terminal.result()] == [2, 3]
        for byte in good:
            terminal.send(bytes([byte]))
            await asyncio.sleep(0)
        assert await terminal.result() == 0
        terminal.send(good[:20])
        terminal.writer.write_eof()
        assert await terminal.is_closed()

    talk(runtime, story)
    drain(worker)
    assert len(rows(runtime, FIXES)) == 1
    assert counters(runtime)['fixes_refused_total{reason="malformed"}'] == 3
    assert counters(runtime)['fixes_refused_total{reason="encrypted"}'] == 1


def test_connections_end_that_stay_silent_send_slowly_or_only_noise(runtime, device) -> None:
    async def story(connect, served) -> None:
        silent, slow, noisy, good = [await connect() for _ in range(4)]
        slow.send(frame(0x0002, b"", PHONE) + b"\x7e\x02")
        good.send(frame(0x0002, b"", "013800002222"))
        noisy.send(b"\x7e".join(b"x%d" % number for number in range(30)))
        assert await silent.is_closed()
        assert await slow.result() == 0
        assert await slow.is_closed()
        assert await noisy.is_closed()
        assert await good.result() == 0
        newer = await connect()
        newer.send(frame(0x0002, b"", "013800002222"))
        assert await newer.result() == 0
        assert await good.is_closed(), "the same terminal, on a newer connection"
        assert list(served.connections) == ["13800002222"]

    talk(runtime, story, patience=Patience(first_s=0.3, idle_s=20, message_s=0.3))


def test_a_long_message_in_pieces_outlives_its_connection(runtime, device, worker) -> None:
    body = batch(*[at(runtime, 10 * step + 1) for step in range(40)])
    pieces = [body[start : start + 400] for start in range(0, len(body), 400)]
    sent = [
        frame(0x0704, piece, PHONE, serial=8 + index, part=(len(pieces), index))
        for index, piece in enumerate(pieces, 1)
    ]

    async def story(connect) -> None:
        first = await connect()
        first.send(sent[0])
        assert await first.result() == 0
        first.writer.close()
        second = await connect()
        second.send(sent[-1])
        assert (await second.answer())[0] == 0x8003, "asks for what is missing"
        assert await second.result() == 0
        for piece in sent[1:-1]:
            second.send(piece)
            assert await second.result() == 0

    talk(runtime, story)
    drain(worker)
    assert len(rows(runtime, FIXES)) == 40
    assert not list(runtime.redis.scan_iter(PARTS_KEY.format(protocol="*", group="*")))


def test_two_hundred_terminals_at_once(runtime, worker) -> None:
    with runtime.sessions() as session:
        for number in range(200):
            devices.enrol(
                session, f"29C-{10000 + number}", "tracker", now=runtime.clock.now(), imei=f"1390000{number:04d}"
            )
        session.commit()

    async def one(connect, number: int) -> int:
        terminal = await connect()
        phone = f"01390000{number:04d}"
        for step in range(5):
            terminal.send(frame(0x0200, at(runtime, 10 * step), phone, serial=step))
        return sum([await terminal.result() for _ in range(5)])

    async def story(connect) -> int:
        return sum(await asyncio.gather(*(one(connect, number) for number in range(200))))

    assert talk(runtime, story) == 0
    drain(worker)
    assert rows(runtime, "SELECT count(*), count(DISTINCT vehicle_id) FROM ingest.fix") == [(1000, 200)]


def test_the_answer_names_what_it_answers(runtime, device) -> None:
    async def story(connect) -> bytes:
        terminal = await connect()
        terminal.send(frame(0x0200, at(runtime), PHONE, serial=0x7D7E))
        return (await terminal.answer())[1]

    assert talk(runtime, story) == struct.pack(">HHB", 0x7D7E, 0x0200, 0)


def test_gt06_and_h02_go_through_the_same_gateway(runtime, worker) -> None:
    with runtime.sessions() as session:
        for number, imei in enumerate(("353861053849681", "353861053849682")):
            devices.enrol(session, f"29C-1000{number}", "tracker", now=runtime.clock.now(), imei=imei)
        session.commit()
    moment = runtime.clock.now() - timedelta(seconds=9)
    clock = (moment.year - 2000, *moment.timetuple()[1:6])
    place = struct.pack(">6BBIIBH", *clock, 0xC9, 39_420_000, 192_060_000, 36, 0x145A)

    async def gt06(connect) -> None:
        terminal = await connect()
        terminal.send(write_packet(0x01, 1, bytes.fromhex("0353861053849681")) + write_packet(0x12, 2, place))
        async with asyncio.timeout(10):
            assert (await terminal.reader.readexactly(20))[13] == 0x12
        stranger = await connect()
        stranger.send(write_packet(0x01, 1, bytes.fromhex("0353861053840000")))
        stranger.writer.write_eof()
        assert await stranger.is_closed()

    async def h02(connect) -> None:
        terminal = await connect()
        words = moment.strftime("*HQ,353861053849682,V1,%H%M%S,A,2154.0000,N,10642.0000,E,019.44,090,%d%m%y,FFFFFFFF#")
        terminal.send(words.encode())
        async with asyncio.timeout(10):
            assert await terminal.reader.readuntil(b"#") == b"*HQ,353861053849682,V4,V1#"

    talk(runtime, gt06, protocol="gt06")
    talk(runtime, h02, protocol="h02")
    drain(worker)
    stored = rows(runtime, FIXES)
    assert [(time, lat, lon) for time, lat, lon, _, _ in stored] == [(moment, 21.9, 106.7)] * 2


def test_bin_up_starts_the_gateways_that_are_wanted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("JT808_PORT", "GT06_PORT", "H02_PORT", "MQTT_URL"):
        monkeypatch.delenv(name, raising=False)
    supervisor = Supervisor(tmp_path, "127.0.0.1", 0, demo=False)
    assert supervisor.gateways({}, GatewaySettings()) == []
    monkeypatch.setenv("JT808_PORT", "8808")
    monkeypatch.setenv("CUAKHAU_H02_PORT", "5013")
    monkeypatch.setenv("MQTT_URL", "mqtt://user:secret@broker")
    commands: list[list[str]] = []
    monkeypatch.setattr("app.ops.supervisor.subprocess.Popen", lambda command, **_options: commands.append(command))
    for part in supervisor.gateways({}, GatewaySettings()):
        part.launch()
    ends = [command[command.index("app.cli") + 1 :] for command in commands]
    assert ends == [["jt808", "--port", "8808"], ["h02", "--port", "5013"], ["mqtt"]], "no password on a command line"
