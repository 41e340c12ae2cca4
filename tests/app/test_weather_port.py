"""A weather service as a neighbour: what it warns of is announced of gates, once, in any order; nobody is stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.integrations import store
from app.integrations.exchange import Exchanger
from app.integrations.messages import Message
from app.integrations.simulators.server import Simulator
from app.integrations.simulators.weather import WeatherScript
from app.integrations.weather import NAME, weather
from app.notices import service as notices
from app.platform.runtime import Runtime
from tests.app.neighbouring import FAULTY, connect, exchange, simulated

SignIn = Callable[..., TestClient]
RAIN = "Mưa rất to, nguy cơ sạt lở trên QL4A"


@pytest.fixture
def simulator(runtime: Runtime, tmp_path: Path) -> Iterator[Simulator]:
    with simulated(runtime, WeatherScript(), tmp_path, faults=FAULTY, seed=3) as simulator:
        yield simulator


@pytest.fixture
def exchanger(runtime: Runtime, simulator: Simulator) -> Exchanger:
    return connect(runtime, weather(), simulator.url)


def fetch(runtime: Runtime, exchanger: Exchanger) -> None:
    for _ in range(20):
        exchange(exchanger)
        runtime.clock.advance(61)  # type: ignore[attr-defined]


def listed(client: TestClient) -> list[dict[str, Any]]:
    answer = client.get("/api/v1/gate-notices")
    assert answer.status_code == 200, answer.text
    return [item for item in answer.json()["items"] if item["kind"] == "weather"]


def test_a_warning_is_announced_changed_and_taken_back(
    runtime: Runtime, sign_in: SignIn, simulator: Simulator, exchanger: Exchanger
) -> None:
    officer = sign_in("border_guard", gate_id="huu-nghi")
    simulator.tell("LS-7", {"headline": RAIN, "gates": ["huu-nghi"]})
    fetch(runtime, exchanger)
    (shown,) = listed(officer)
    assert (shown["gate_id"], shown["state"], shown["is_simulated"]) == ("huu-nghi", "in_force", True)
    assert RAIN in shown["text"]
    page = officer.get("/gate-notices").text
    assert RAIN in page
    assert f"/gate-notices/outages/{shown['notice_id']}" not in page, "it is not theirs to change"
    refused = officer.post(
        f"/api/v1/gate-notices/{shown['notice_id']}/end",
        headers={"If-Match": f'"{shown["version"]}"'},
        json={"reason": "trời tạnh"},
    )
    assert refused.status_code in (403, 404), refused.text

    simulator.tell("LS-7", {"headline": "Mưa giảm", "gates": ["tan-thanh"]})
    fetch(runtime, exchanger)
    (shown,) = listed(sign_in("administrator"))
    assert (shown["gate_id"], shown["cause"]) == ("tan-thanh", "Mưa giảm")

    simulator.tell("LS-7", {"headline": "Hết mưa", "msgType": "Cancel", "gates": ["tan-thanh"]})
    fetch(runtime, exchanger)
    assert listed(sign_in("administrator")) == []


def test_what_is_overtaken_has_no_effect_and_an_end_comes_by_itself(runtime: Runtime, exchanger: Exchanger) -> None:
    now = runtime.clock.now()

    def message(version: int, kind: str, ends: timedelta = timedelta(hours=2)) -> Message:
        body = {
            "identifier": "LS-8",
            "msgType": kind,
            "headline": RAIN,
            "onset": now.isoformat(),
            "expires": (now + ends).isoformat(),
        }
        identity = f"w-{version}"
        return Message(id=identity, kind="weather.warning", about="LS-8", sent_at=now, version=version, body=body)

    def said(*messages: Message) -> tuple[int, int]:
        with runtime.sessions() as session:
            store.receive(session, NAME, messages, now)
            session.commit()
        exchanger.take_in()
        with runtime.sessions() as session:
            current = notices.list_notices(session, runtime.clock.now())
            dead = session.scalar(text("SELECT count(*) FROM app.neighbour_inbox WHERE tries > 0"))
        return len(current), int(dead or 0)

    assert said(message(2, "Cancel"), message(1, "Alert")) == (0, 0), "taken back before it was heard of"
    gates = len(runtime.corridor.gates())
    assert said(message(3, "Update")) == (gates, 0), "no gate is named: all"
    runtime.clock.advance(2 * 3600 + 1)  # type: ignore[attr-defined]
    assert said() == (0, 0)
    with runtime.sessions() as session:
        assert notices.follow(session, runtime.clock.now()) == gates
        assert notices.follow(session, runtime.clock.now()) == 0
    assert said(message(4, "Update", timedelta(hours=-1))) == (0, 1), "it ends before it begins"
