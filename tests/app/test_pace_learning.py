"""The pace that booked hours are counted by: learned where that is surer than what is set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.forecasting import pace_learning
from app.gates.service import gate_settings
from app.platform.runtime import Runtime
from routing.gates import GateSetting
from routing.pace import GatePace, learn_pace, usual_rate
from routing.pace_evidence import Passages
from tests.app.booking import HERE, Desk

SignIn = Callable[..., TestClient]


@pytest.fixture
def desk(runtime: Runtime, sign_in: SignIn) -> Desk:
    return Desk.open(runtime, sign_in)


def setting_of(desk: Desk) -> GateSetting:
    with desk.runtime.sessions() as session:
        found = gate_settings(session, desk.runtime.clock.now())
    return next(each for each in found if (each.gate_id, each.direction) == (HERE, "export"))


def seen(hours: float, veh_per_h: float, setting: GateSetting) -> GatePace:
    """What the filter knows of a gate that was busy for some hours."""
    count = round(hours * veh_per_h)
    return learn_pace(
        Passages.of((-hours * 3600.0 * (n + 0.5) / count for n in range(count)), [(-hours * 3600.0, 0.0)]),
        usual_veh_per_h=usual_rate(setting),
        service_cv=setting.entrance.service.cv,
    )


def calendar(desk: Desk) -> tuple[dict[str, Any], int]:
    """The pace as it is told, and places of all hours."""
    answer = desk.enterprise.get(f"/api/v1/gates/{HERE}/booking-hours").json()
    return answer["pace"], sum(hour["places"] for hour in answer["hours"])


def test_hours_are_counted_by_the_learned_pace_once_it_is_sure_and_until_it_is_old(desk: Desk) -> None:
    setting = setting_of(desk)
    set_pace, set_places = calendar(desk)
    assert set_pace["is_learned"] is False
    assert set_pace["veh_per_h"] == pytest.approx(usual_rate(setting))

    def learn(pace: GatePace) -> int:
        with desk.runtime.sessions.begin() as session:
            return pace_learning.learn(session, {HERE: pace}, [setting], desk.runtime.clock.now())

    half = usual_rate(setting) / 2.0
    assert learn(seen(0.1, half, setting)) == 1
    assert calendar(desk)[0]["is_learned"] is False, "a few trucks tell little"
    assert learn(seen(8.0, half, setting)) == 1
    pace, places = calendar(desk)
    assert pace["is_learned"] is True
    assert pace["veh_per_h"] == pytest.approx(half, rel=0.15)
    assert pace["low_veh_per_h"] < pace["veh_per_h"] < pace["high_veh_per_h"]
    assert places < 0.75 * set_places
    assert "as learned until" in desk.enterprise.get(f"/bookings?trip_id={desk.trip()}").text
    assert learn(seen(0.1, usual_rate(setting), setting)) == 0, "what is surer stays"
    later = desk.runtime.clock.now() + timedelta(days=9)
    with desk.runtime.sessions() as session:
        assert not pace_learning.find_pace(session, setting, later).is_learned, "by then it may work otherwise"


def test_lanes_that_are_set_anew_change_what_was_learned_alike(desk: Desk) -> None:
    now, setting = desk.runtime.clock.now(), setting_of(desk)
    entrance, crossing = (replace(server, lanes=1) for server in (setting.entrance, setting.crossing))
    slower = replace(setting, entrance=entrance, crossing=crossing)
    with desk.runtime.sessions.begin() as session:
        pace_learning.learn(session, {HERE: seen(8.0, 20.0, setting)}, [setting], now)
        before = pace_learning.find_pace(session, setting, now)
        after = pace_learning.find_pace(session, slower, now + timedelta(minutes=1))
    assert after.veh_per_h / before.veh_per_h == pytest.approx(usual_rate(slower) / usual_rate(setting))
