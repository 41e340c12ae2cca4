"""What strangers at a gateway of trackers take from those who are enrolled: neither room nor place."""

from __future__ import annotations

import contextlib
from typing import Any

from app.tracking import terminal_gateway
from app.tracking.terminal_gateway import TerminalGateway
from tests.app.test_terminals import PHONE, at, device, talk  # noqa: F401 - device is a fixture
from tests.ingest.terminals import frame


def test_strangers_make_room(runtime, device, monkeypatch) -> None:
    monkeypatch.setattr(terminal_gateway, "MAX_CONNECTIONS", 6)

    async def story(connect: Any) -> None:
        enrolled = await connect()
        enrolled.send(frame(0x0200, at(runtime), PHONE))
        assert await enrolled.result() == 0
        strangers = [await connect() for _ in range(20)]
        for number, stranger in enumerate(strangers):  # as many as are left say something
            with contextlib.suppress(OSError):
                stranger.send(frame(0x0002, b"", f"0138{number:08d}"))
        for stranger in strangers[:14]:
            await stranger.is_closed()
        late = await connect()
        late.send(frame(0x0002, b"", "013800002222"))
        assert await late.result() == 0, "there is room for who comes last"
        enrolled.send(frame(0x0002, b"", PHONE))
        assert await enrolled.result() == 0, "whose positions are taken stays"

    talk(runtime, story)


def test_a_stranger_does_not_take_a_terminals_place_by_naming_its_number(runtime, device) -> None:
    async def story(connect: Any, served: TerminalGateway) -> None:
        own, stranger = await connect(), await connect()
        own.send(frame(0x0102, device.encode(), PHONE))
        assert await own.result() == 0
        stranger.send(frame(0x0002, b"", PHONE))
        assert await stranger.result() == 0
        own.send(frame(0x0200, at(runtime), PHONE))
        assert await own.result() == 0, "its connection stands"
        assert len(served.connections) == 1
        (followed,) = served.connections.values()
        assert followed.is_enrolled

    talk(runtime, story, must_authenticate=True)
