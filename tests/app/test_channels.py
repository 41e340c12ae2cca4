"""What the channels of customs change of a gate's checks: found, shrunk, and used by every forecast of trucks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from app.forecasting.channels import channel_factors, check_factors
from app.forecasting.state_store import GatePassage
from app.gates.served_place import ServedPlace
from geo.corridor import Corridor
from routing.demand import CorridorState
from routing.forecast import forecast
from routing.gates import GateSetting, Server, ServiceTime
from routing.graph import build_network

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
PLACES = {"huu-nghi": ServedPlace(1.0, 60)}


def checked(channel: str | None, mean_s: float, n: int, seed: int = 1, km: float = 1.01) -> list[GatePassage]:
    checks = ServiceTime(mean_s, 0.4).sample(np.random.default_rng(seed), n)
    return [
        GatePassage("huu-nghi", i, NOW, None, True, False, None, km, NOW - timedelta(seconds=s), NOW, channel)
        for i, s in enumerate(checks.tolist())
    ]


def test_channels_are_told_apart_and_their_average_is_the_gates() -> None:
    passages = [*checked("green", 120.0, 300), *checked("red", 600.0, 100, 2), *checked("yellow", 240.0, 100, 3)]
    (found,) = channel_factors(passages, PLACES).values()
    mean_s = (3 * 120.0 + 600.0 + 240.0) / 5
    assert found["green"] == pytest.approx(120.0 / mean_s, rel=0.2)
    assert found["red"] == pytest.approx(600.0 / mean_s, rel=0.2)
    assert found["green"] < found["yellow"] < found["red"]
    assert 0.6 * found["green"] + 0.2 * (found["red"] + found["yellow"]) == pytest.approx(1.0)


def test_a_channel_of_which_little_was_seen_is_near_the_gates_pace() -> None:
    (found,) = channel_factors([*checked("green", 240.0, 200), *checked("red", 900.0, 2, 2)], PLACES).values()
    assert 1.0 < found["red"] < 1.25
    (alone,) = channel_factors(checked("red", 900.0, 50), PLACES).values()
    assert alone == {"red": pytest.approx(1.0)}


def test_only_stops_where_trucks_are_served_are_checks() -> None:
    assert channel_factors(checked("red", 300.0, 30), {}) == {}
    assert channel_factors(checked("red", 300.0, 30, km=2.0), PLACES) == {}
    unseen = [replace(passage, served_until=None) for passage in checked("red", 300.0, 30)]
    assert channel_factors(unseen, PLACES) == {}
    assert check_factors({}, ["huu-nghi"], ["red"]) is None
    found = check_factors({"huu-nghi": {"red": 2.0}}, ["huu-nghi", "huu-nghi", None], ["red", "blue", "red"])
    assert found is not None
    assert found.tolist() == [2.0, 1.0, 1.0]


def test_a_queue_of_red_trucks_takes_longer(corridor: Corridor) -> None:
    network = build_network(corridor)
    road_id, offset_m = corridor.place_at("QL1A", list(1.07 + 0.02 * np.arange(30)))
    four_lanes = Server(4, ServiceTime(384.0, 0.6))
    state = CorridorState(
        made_at=NOW,
        road_id=np.asarray(road_id, np.int64),
        offset_m=np.asarray(offset_m),
        speed_mps=np.zeros(30),
        gate=np.zeros(30, np.int64),
        gate_settings=(GateSetting("huu-nghi", "export", Server(40, ServiceTime(60.0, 0.6)), four_lanes),),
    )
    plain, red, usual = (
        forecast(network, replace(state, check_factor=factor), runs=40, horizon_s=4 * 3600.0, seed=1)
        for factor in (None, np.full(30, 2.0), np.ones(30))
    )
    last = int(np.argmax(plain.truck_entrance_s[1]))
    # All that follow are as long to check: the first four are taken at once, so the last is let in twice as late.
    assert red.truck_entrance_s[1, last] == pytest.approx(2.0 * plain.truck_entrance_s[1, last], rel=0.15)
    assert np.array_equal(usual.queue_veh, plain.queue_veh)
    assert red.queue_veh[1, 0, 6] > plain.queue_veh[1, 0, 6] + 4.0
