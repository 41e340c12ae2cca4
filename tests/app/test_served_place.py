"""Where trucks are really served: set in the gate's profile or learned, and what the state makes of it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from html import unescape
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.forecasting import state_store
from app.forecasting.served_places import served_places
from app.forecasting.skill_store import gate_visits
from app.forecasting.state import CorridorNow, compose
from app.forecasting.state_pace import gate_paces
from app.forecasting.state_readings import Readings
from app.forecasting.state_store import GatePassage
from app.gates.profile import GateProfile
from app.gates.served_place import MIN_STOPS, ServedPlace, learn_place
from app.gates.service import learned_places, save_learned_places
from app.platform.runtime import Runtime
from geo.corridor import Corridor
from ingest.fix_store import ensure_partitions
from routing.forecast import forecast
from routing.graph import Network

from .test_control import pass_site, put_trucks
from .test_corridor_state import corridor_now, ready
from .test_gate_pages import PAGE, administrator, profile, send
from .test_state_learning import BEHIND, HUU_NGHI, NOW, network, standing

__all__ = ["administrator", "network", "profile", "ready"]
SET = ServedPlace(0.55)


@given(
    km=st.floats(0.2, 1.5),
    far=st.lists(st.floats(0.0, 3.0), min_size=0, max_size=18),
    seed=st.integers(0, 1000),
)
def test_a_place_is_learned_whatever_fewer_than_half_the_tracks_say(km: float, far: list[float], seed: int) -> None:
    stops = [*(km + np.random.default_rng(seed).normal(0.0, 0.01, 40)), *far]
    place = learn_place(stops)
    assert place is not None
    assert place.km == pytest.approx(km, abs=0.03)
    assert place.stops == len(stops)


def test_few_tracks_or_scattered_ones_say_nothing() -> None:
    assert learn_place([1.0] * (MIN_STOPS - 1)) is None
    assert learn_place([1.0] * MIN_STOPS) is not None
    assert learn_place(list(np.linspace(0.4, 1.4, 60))) is None


def test_what_is_set_counts_before_what_is_learned_and_that_before_what_was() -> None:
    setting = replace(HUU_NGHI, served_km=0.7)
    learned, before = {"huu-nghi": ServedPlace(0.9, 30)}, {"huu-nghi": ServedPlace(1.0, 20), "other": SET}
    assert served_places([setting], learned, before) == {"huu-nghi": ServedPlace(0.7), "other": SET}
    assert served_places([HUU_NGHI], learned, before)["huu-nghi"].km == 0.9
    assert served_places([HUU_NGHI], {}, before)["huu-nghi"].km == 1.0


def passed(stops_km: list[float], every_s: float = 180.0, check_s: float = 300.0) -> list[GatePassage]:
    """Trucks that came one after the other, stood at a kilometre for their check and went in; nobody had to wait."""
    found = []
    for i, km in enumerate(stops_km):
        over = NOW - timedelta(seconds=every_s * (len(stops_km) - i))
        since = over - timedelta(seconds=check_s)
        drove = since - timedelta(seconds=20.0)
        found.append(GatePassage("huu-nghi", 5000 + i, over, drove, True, False, None, km, since, over))
    return found


def now_with(corridor: Corridor, network: Network, kms: list[float], **more: Any) -> CorridorNow:
    setting = replace(HUU_NGHI, served_km=more.pop("served_km", None))
    readings = Readings(seen=tuple(standing(corridor, kms)), **more)
    return compose(readings, corridor, network, (setting,), NOW)


def test_who_stands_between_the_barrier_and_the_place_waits(corridor: Corridor, network: Network) -> None:
    """Five behind the barrier are no line where nobody knows better; before a known place they are, but for the one
    who is served."""
    kms = [*BEHIND[:4], 0.56]
    assert now_with(corridor, network, kms).queue.queue_veh[0] == 0
    told = now_with(corridor, network, BEHIND[:4], served_km=0.55)
    assert told.queue.queue_veh[0] == 4
    served = now_with(corridor, network, [0.57, 0.56], served_km=0.55)
    assert served.queue.queue_veh[0] == 0


def test_the_place_is_learned_from_those_that_passed(corridor: Corridor, network: Network) -> None:
    passages = tuple(passed([0.6] * 20))
    found = now_with(corridor, network, [*BEHIND[:4], 0.61], passages=passages)
    assert found.learned["huu-nghi"] == ServedPlace(0.6, 20, NOW)
    assert found.queue.queue_veh[0] == 4
    assert found.state.served_km is not None
    assert found.state.served_km[0] == 0.6
    assert np.isnan(found.state.served_km[1])
    kept = now_with(corridor, network, BEHIND[:4], served={"huu-nghi": ServedPlace(0.6, 30)})
    assert kept.queue.queue_veh[0] == 4
    assert kept.learned == {}


def test_who_still_stands_about_the_place_has_not_passed(corridor: Corridor, network: Network) -> None:
    """The first ones of a queue stand a truck's length behind those that are checked. When a gate becomes slower they
    stand longer, and are no trucks that it let in."""
    came = passed([0.6] * 40, every_s=90.0)
    still = [replace(each, vehicle_id=7000 + i, served_until=None) for i, each in enumerate(passed([0.63] * 6, 60.0))]
    slower = [*(replace(each, time=each.time - timedelta(minutes=20)) for each in came), *still]
    slower = [
        replace(
            each,
            waited_since=each.time - timedelta(minutes=30),
            served_since=each.time,
            served_until=None if each.served_until is None else each.time + timedelta(minutes=5),
        )
        for each in slower
    ]
    found = now_with(corridor, network, BEHIND[:4], passages=tuple(slower), served_km=0.6)
    assert found.state.pace["huu-nghi"].served_veh == 40
    gone = [replace(each, served_until=each.time + timedelta(minutes=1)) for each in slower]
    assert (
        now_with(corridor, network, BEHIND[:4], passages=tuple(gone), served_km=0.6).state.served_veh["huu-nghi"] > 40
    )


def test_who_is_not_heard_of_after_its_check_has_gone_on_unseen(corridor: Corridor, network: Network) -> None:
    silent = [replace(each, served_until=None, time=each.time - timedelta(hours=2)) for each in passed([0.6] * 20)]
    silent = [replace(each, served_since=each.time - timedelta(minutes=5)) for each in silent]
    found = now_with(corridor, network, [], passages=tuple(silent), served_km=0.6)
    assert found.state.pace["huu-nghi"].rate_veh_per_h.size > 0
    assert found.state.pace["huu-nghi"].quantile(0.1) > 5.0


def test_queues_and_tails_begin_at_the_place(corridor: Corridor, network: Network) -> None:
    free = now_with(corridor, network, [], served_km=0.55)
    assert free.queue.tail_km[0] == pytest.approx(0.55)
    kms = list(np.arange(1.06, 1.6, 0.02))
    far, near = (
        forecast(network, now_with(corridor, network, kms, served_km=km).state, runs=4, horizon_s=1800.0, seed=1)
        for km in (None, 0.55)
    )
    assert near.tail_km[:, 0, 0] == pytest.approx(far.tail_km[:, 0, 0])
    assert np.array_equal(far.queue_veh[:, :, 0], near.queue_veh[:, :, 0])
    assert (near.queue_veh <= far.queue_veh).all(), "behind the barrier who is being checked waits no more"
    # Its lanes begin with trucks in them, so that the tail comes by as many later: two of 20 m.
    assert near.tail_km[:, 0, 1:] == pytest.approx(far.tail_km[:, 0, 1:] - 0.5, abs=0.05)
    assert near.tail_km[:, 0, -1] == pytest.approx(0.55)


def test_behind_a_place_inland_of_the_barrier_nobody_waits(corridor: Corridor, network: Network) -> None:
    after, before = list(np.arange(1.08, 1.5, 0.02)), list(np.arange(1.62, 1.8, 0.02))
    assert now_with(corridor, network, [*after, *before]).queue.queue_veh[0] == len(after) + len(before)
    found = now_with(corridor, network, [*after, *before], served_km=1.55)
    assert found.queue.queue_veh[0] == len(before)


def test_a_check_is_no_wait() -> None:
    """Twenty an hour came to a gate that could serve forty, and stood five minutes for their checks."""
    passages = passed([0.6] * 60)
    misled = gate_paces(passages, [], {}, (HUU_NGHI,), NOW)["huu-nghi"]
    known = gate_paces(passages, [], {}, (HUU_NGHI,), NOW, places={"huu-nghi": ServedPlace(0.6, 60)})["huu-nghi"]
    assert misled.mean_veh_per_h < 25.0
    assert known.busy_s == 0.0
    assert known.mean_veh_per_h > 30.0


def test_where_a_truck_stood_last_is_read_from_its_fixes(ready: Runtime) -> None:
    """It waits at km 1.2 and 1.1, is checked from minute 12 to 6 at km 1.01, goes in, and stands in the yard."""
    now = ready.clock.now()
    (vehicle_id,) = put_trucks(ready, [0.9], gate=None)
    track = [(40, 3.0, 14.0), (30, 1.2, 0.0), (20, 1.1, 0.2), (12, 1.01, 0.0), (9, 1.012, 0.1), (6, 1.009, 0.0)]
    with ready.sessions() as session:
        for minutes, km, speed_mps in [*track, (5, 0.95, 4.0), (2, 0.83, 0.0)]:
            _add_fix(session, vehicle_id, now - timedelta(minutes=minutes), km, speed_mps)
        pass_site(session, vehicle_id, "huu-nghi", "enter", now - timedelta(minutes=5))
        pass_site(session, vehicle_id, "xuan-cuong", "enter", now - timedelta(minutes=3))
        session.commit()
        (passage,) = state_store.gate_passages(session, since=now - timedelta(hours=1), now=now)
    assert passage.stop_km == pytest.approx(1.009, abs=1e-4)
    assert passage.served_since == now - timedelta(minutes=12)
    assert passage.waited_since == now - timedelta(minutes=40)
    assert passage.stood_until == now - timedelta(minutes=6)
    assert passage.served_until == now - timedelta(minutes=5)
    assert passage.channel is None


@pytest.mark.parametrize(
    ("served_km", "entered_min"), [({}, 30), ({"huu-nghi": 0.6}, 10), ({"huu-nghi": 1.3}, 50), ({"tan-thanh": 0.6}, 30)]
)
def test_a_truck_is_let_in_where_it_is_served(ready: Runtime, served_km: dict[str, float], entered_min: int) -> None:
    """It waits at km 1.4, comes to km 1.31, passes the barrier, waits in a line behind it, and is served at km 0.61."""
    now = ready.clock.now()
    (vehicle_id,) = put_trucks(ready, [0.6])
    with ready.sessions() as session:
        trip_id = session.execute(
            text("SELECT trip_id FROM app.trip WHERE vehicle_id = :v"), {"v": vehicle_id}
        ).scalar_one()
        for minutes, km in [(70, 1.4), (50, 1.31), (30, 1.02), (20, 0.8)]:
            _add_fix(session, vehicle_id, now - timedelta(minutes=minutes), km, 0.2)
        for kind, since, until in (("queued", 80, 30), ("gate_area", 30, None)):
            session.execute(
                text(
                    "INSERT INTO app.trip_place (trip_id, began_at, ended_at, kind, gate_id)"
                    " VALUES (:trip, :since, :until, :kind, 'huu-nghi')"
                ),
                {
                    "trip": trip_id,
                    "since": now - timedelta(minutes=since),
                    "until": None if until is None else now - timedelta(minutes=until),
                    "kind": kind,
                },
            )
        (waits,) = gate_visits(session, now - timedelta(hours=3), {"huu-nghi": 0.6})
        assert (waits.entered_at, waits.is_waiting) == (None, True)
        _add_fix(session, vehicle_id, now - timedelta(minutes=10), 0.61, 0.1)
        (found,) = gate_visits(session, now - timedelta(hours=3), served_km)
    assert found.entered_at == now - timedelta(minutes=entered_min)
    assert found.joined_at == now - timedelta(minutes=80)
    assert not found.is_waiting


def _add_fix(session: Session, vehicle_id: int, at: Any, km: float, speed_mps: float) -> None:
    ensure_partitions(session.connection(), at.date(), at.date())
    session.execute(
        text(
            "INSERT INTO ingest.fix (vehicle_id, time, device_id, geom, km, direction, status, flags, received_at,"
            " speed_mps)"
            " VALUES (:v, :at, 1, ST_SetSRID(ST_MakePoint(106.7, 21.95), 4326), :km, 1, 0, 0, :at, :speed)"
        ),
        {"v": vehicle_id, "at": at, "km": km, "speed": speed_mps},
    )


def test_what_was_learned_is_kept_and_counts_on_quiet_days(ready: Runtime) -> None:
    place = ServedPlace(0.62, 40, ready.clock.now())
    with ready.sessions() as session:
        save_learned_places(session, {"huu-nghi": ServedPlace(0.7, 20, ready.clock.now())})
        save_learned_places(session, {"huu-nghi": place})
        save_learned_places(session, {})
        session.commit()
        assert learned_places(session) == {"huu-nghi": place}
    state = corridor_now(ready).state
    assert state.served_km is not None
    assert state.served_km[0] == pytest.approx(0.62)


def test_the_page_shows_what_was_learned_and_takes_what_is_set(
    administrator: TestClient, profile: GateProfile, runtime: Runtime
) -> None:
    client = administrator
    assert "15" in _learned(client)
    with runtime.sessions() as session:
        save_learned_places(session, {"huu-nghi": ServedPlace(1.017, 88, runtime.clock.now())})
        session.commit()
    assert "1,02" in _learned(client)
    assert "88" in _learned(client)
    assert "1,02" in client.get("/admin/gates").text
    refused = send(client, profile, "publish", served_km="9")
    assert refused.status_code == 422
    found = re.search(r'id="served_km-problem-1">([^<]*)<', refused.text)
    assert found is not None
    assert "1.05" in unescape(found[1])
    assert "3.05" in unescape(found[1])
    assert send(client, profile, "publish", served_km="x").status_code == 422
    assert send(client, profile, "publish", served_km="0.6").status_code == 303
    stored = client.get("/api/v1/gates/huu-nghi/profile").json()["profile"]
    assert (stored["served_km"], stored["sources"]["served_km"]) == (0.6, "set")
    assert 'name="served_km" value="0.6"' in client.get(PAGE).text
    assert send(client, profile, "publish", served_km="").status_code == 303
    assert client.get("/api/v1/gates/huu-nghi/profile").json()["profile"]["served_km"] is None


def _learned(client: TestClient) -> str:
    found = re.search(r'data-testid="learned-place">([^<]*)<', client.get(PAGE).text)
    assert found is not None
    return unescape(found[1])
