"""What is learned of a gate and of those who come, from plain records."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from app.forecasting.arrival_store import HourCount
from app.forecasting.arrivals import learn_arrivals
from app.forecasting.state import CorridorNow, compose
from app.forecasting.state_demand import (
    coming_hours,
    gate_share,
    import_arrivals,
    keeping,
    keeping_arrays,
    recent_arrivals,
    seen_share,
)
from app.forecasting.state_pace import gate_paces, import_paces
from app.forecasting.state_readings import Readings
from app.forecasting.state_store import GateExit, GatePassage, Punctuality, SeenCount
from app.forecasting.store import TruckSeen
from app.gates.profile import DeclaredLanes
from app.gates.served_place import ServedPlace
from geo.clock import LOCAL_ZONE
from geo.corridor import Corridor
from geo.opening_hours import OpeningHours
from routing.demand import beside_each_seen
from routing.gates import GateSetting, Server, ServiceTime
from routing.graph import Network, build_network

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
"""Monday, 10:00 in Lạng Sơn."""
HUU_NGHI = GateSetting("huu-nghi", "export", Server(4, ServiceTime(384.0, 0.6), OpeningHours.parse("07:00–19:00")))


@pytest.fixture(scope="module")
def network(corridor: Corridor) -> Network:
    return build_network(corridor)


def passages(
    every_s: float,
    hours: float,
    *,
    wait_s: float = 1200.0,
    gate_id: str = "huu-nghi",
    until_h: float = 0.0,
    **more: bool,
) -> list[GatePassage]:
    flags = {"is_declared": True, "was_read": False} | more
    times = np.arange(-hours * 3600.0, -until_h * 3600.0, every_s) + every_s / 2.0
    return [
        GatePassage(gate_id, i, NOW + timedelta(seconds=s), NOW + timedelta(seconds=s - 1200.0), **flags)
        for i, s in enumerate(times.tolist())
    ]


def test_the_pace_of_each_gate_is_its_own() -> None:
    other = GateSetting("tan-thanh", "export", HUU_NGHI.crossing)
    seen = [*passages(90.0, 3.0), *passages(360.0, 3.0, gate_id="tan-thanh")]
    found = gate_paces(seen, [], {}, (HUU_NGHI, other, GateSetting("x", "import", HUU_NGHI.crossing)), NOW)
    assert set(found) == {"huu-nghi", "tan-thanh"}
    assert found["huu-nghi"].mean_veh_per_h == pytest.approx(40.0, rel=0.12)
    assert found["tan-thanh"].mean_veh_per_h == pytest.approx(10.0, rel=0.25)


def test_trucks_that_wait_now_show_that_nobody_is_let_in() -> None:
    seen = passages(90.0, 4.0, until_h=1.0)
    waiting = {"huu-nghi": [NOW - timedelta(hours=1.2)]}
    assert gate_paces(seen, [], waiting, (HUU_NGHI,), NOW)["huu-nghi"].mean_veh_per_h < 8.0
    assert gate_paces(seen, [], {}, (HUU_NGHI,), NOW)["huu-nghi"].mean_veh_per_h > 30.0


def test_trucks_that_come_alone_and_slowly_show_no_stop() -> None:
    """Six an hour come to a gate that serves forty; each drives slowly for its last four minutes, one just now."""
    means = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        arrived_s = np.sort(rng.uniform(-6 * 3600.0, 0.0, 36))
        seen = [
            GatePassage("huu-nghi", i, NOW + timedelta(seconds=s), NOW + timedelta(seconds=s - 240.0), True, False)
            for i, s in enumerate(arrived_s.tolist())
        ]
        waiting = {"huu-nghi": [NOW - timedelta(minutes=8)]}
        found = gate_paces(seen, [], waiting, (HUU_NGHI,), NOW)["huu-nghi"]
        assert found.weight[0] < 0.01
        means.append(found.mean_veh_per_h)
    # Now and then some of them stand side by side, which looks like a small queue.
    assert np.median(means) > 19.0


def test_a_truck_that_dawdles_before_free_lanes_shows_no_slow_gate() -> None:
    """Three an hour stand for a quarter of an hour, each alone at a gate of four lanes: a quarter of it at most."""
    four = replace(HUU_NGHI, entrance=replace(HUU_NGHI.entrance, lanes=4))
    seen = [
        replace(
            passage,
            waited_since=passage.time - timedelta(seconds=1000),
            stop_km=1.0,
            served_since=passage.time,
            served_until=passage.time + timedelta(seconds=190),
        )
        for passage in passages(1200.0, 6.0)
    ]
    anywhere = gate_paces(seen, [], {}, (four,), NOW)["huu-nghi"]
    known = gate_paces(seen, [], {}, (four,), NOW, places={"huu-nghi": ServedPlace(1.0)})["huu-nghi"]
    assert anywhere.mean_veh_per_h < 5.0
    assert known.mean_veh_per_h > 2.5 * anywhere.mean_veh_per_h


@pytest.mark.parametrize("was_read", [False, True])
def test_passages_that_nobody_saw_are_counted(was_read: bool) -> None:
    """Half the trucks are undeclared; a third of these send positions, and where a camera reads it reads them all."""
    seen = [*passages(180.0, 4.0), *passages(540.0, 4.0, is_declared=False, was_read=was_read)]
    if was_read:
        unread = passages(270.0, 4.0, is_declared=False, was_read=True)
        seen += [GatePassage(passage.gate_id, None, passage.time, None, False, True) for passage in unread]
    found = gate_paces(seen, [], {}, (HUU_NGHI,), NOW, gps_share=1.0 / 3.0)["huu-nghi"]
    assert found.mean_veh_per_h == pytest.approx(40.0, rel=0.15)
    without = gate_paces([passage for passage in seen if passage.is_declared], [], {}, (HUU_NGHI,), NOW)["huu-nghi"]
    assert found.sd_veh_per_h > without.sd_veh_per_h


def test_lanes_that_the_profile_closes_are_believed_at_once() -> None:
    seen, closed = passages(90.0, 4.0), DeclaredLanes("huu-nghi", NOW - timedelta(minutes=2), 0.5)
    two_lanes = replace(HUU_NGHI, entrance=replace(HUU_NGHI.entrance, lanes=2))
    found = gate_paces(seen, [], {}, (two_lanes,), NOW, declared=[closed])["huu-nghi"]
    assert found.mean_veh_per_h == pytest.approx(22.0, rel=0.2)
    elsewhere = gate_paces(seen, [], {}, (two_lanes,), NOW, declared=[replace(closed, gate_id="tan-thanh")])["huu-nghi"]
    assert elsewhere.mean_veh_per_h == pytest.approx(40.0, rel=0.12)


def test_a_gate_that_lets_trucks_out_at_night_is_open_then() -> None:
    night = [GateExit("huu-nghi", i, NOW - timedelta(hours=10, minutes=-6 * i)) for i in range(50)]
    found = gate_paces(passages(90.0, 2.0), night, {}, (HUU_NGHI,), NOW)["huu-nghi"]
    assert found.crosses_closed
    assert found.crossing_veh_per_h >= HUU_NGHI.crossing.rate_veh_per_h() * 0.95
    day = [GateExit("huu-nghi", i, NOW - timedelta(hours=2.5, minutes=-1 * i)) for i in range(140)]
    busy = gate_paces(passages(90.0, 2.0), day, {}, (HUU_NGHI,), NOW)["huu-nghi"]
    assert not busy.crosses_closed
    assert busy.crossing_veh_per_h > 50.0


def test_imports_have_a_pace_of_their_own(network: Network) -> None:
    """Sixty an hour come in at a gate whose profile says twenty; of one where none was seen nothing is learned."""
    setting = GateSetting("huu-nghi", "import", Server(4, ServiceTime(720.0, 0.6)))
    seen = passages(60.0, 4.0)
    found = import_paces(seen, (HUU_NGHI, setting, replace(setting, gate_id="tan-thanh")), NOW)
    assert set(found) == {"huu-nghi"}
    assert found["huu-nghi"].quantile(0.1) > 45.0
    few = import_paces(passages(1800.0, 4.0), (setting,), NOW)["huu-nghi"]
    assert few.quantile(0.5) == pytest.approx(20.0, rel=0.2)
    hourly = import_arrivals(seen, network, NOW)
    usual = network.gate_demand[0].imports_veh_per_day / 24.0
    assert hourly is not None
    assert hourly[0] == pytest.approx((12.0 * usual + 240.0) / 36.0)
    assert import_arrivals([], network, NOW) is None


def test_who_does_not_say_where_to_goes_where_others_went(network: Network) -> None:
    nothing = gate_share([], network)
    went = passages(60.0, 3.0, is_declared=False, gate_id="tan-thanh")
    share = gate_share([*went, *passages(60.0, 3.0)], network)
    assert nothing.sum() == pytest.approx(1.0)
    assert share.sum() == pytest.approx(1.0)
    assert share[network.gate_ids.index("tan-thanh")] > 0.9 > nothing[network.gate_ids.index("tan-thanh")]


def test_few_plates_say_nothing_of_who_is_seen_and_many_do() -> None:
    assert seen_share(SeenCount(4, 0)) is None
    few, many = seen_share(SeenCount(10, 4)), seen_share(SeenCount(1000, 400))
    assert few is not None
    assert many is not None
    assert many[0] / many.sum() == pytest.approx(0.4, abs=0.01)
    assert 0.4 < few[0] / few.sum() < 0.5
    assert beside_each_seen(many) == pytest.approx(1.5, rel=0.03)
    assert beside_each_seen(None) == 0.0


def test_arrivals_are_read_off_where_trucks_drive(network: Network, corridor: Corridor) -> None:
    road_id, offset_m = corridor.place_at("QL1A", list(np.linspace(117.0, 95.0, 60)))
    share = np.array([0.75, 0.25])
    found = recent_arrivals(np.asarray(road_id), np.asarray(offset_m), share, None, network)
    assert found is not None
    assert found.shape[0] == 2
    assert found[:, -1].sum() == pytest.approx(60.0)
    assert found[0, -1] == pytest.approx(45.0)
    assert found[:, :-1].sum() == 0.0
    twice = recent_arrivals(np.asarray(road_id), np.asarray(offset_m), share, np.array([501.0, 500.0]), network)
    assert twice == pytest.approx(found * 2.0)


def test_hours_of_the_week_repeat_themselves(network: Network) -> None:
    """Twelve weeks in which 60 trucks went in each hour from 14:00 to 16:00 of a Monday, 10 in any other hour."""
    hours = [NOW - timedelta(hours=k) for k in range(1, 12 * 168)]
    local = [hour.astimezone(LOCAL_ZONE) for hour in hours]
    trucks = [60 if at.weekday() == 0 and at.hour in (14, 15) else 10 for at in local]
    history = tuple(HourCount(hour, count) for hour, count in zip(hours, trucks, strict=True))
    found = coming_hours(learn_arrivals(history), network, NOW, horizon_h=6.0)
    assert found.factor.shape == (6,)
    # At 10:00 those come in that pass the gate from 12:15 on.
    assert found.factor[2] > 2.5
    assert found.factor[0] == pytest.approx(1.0, abs=0.15)
    usual = [gate.undeclared_exports_veh_per_h for gate in network.gate_demand]
    assert found.expected_veh == pytest.approx(usual, rel=0.15)
    nothing = coming_hours(learn_arrivals(()), network, NOW, horizon_h=6.0)
    assert nothing.factor == pytest.approx(np.full(6, nothing.factor[0]))
    little = coming_hours(learn_arrivals((HourCount(NOW, 1),)), network, NOW, horizon_h=6.0)
    assert np.abs(little.factor - 1.0).max() < 0.05


def test_an_enterprise_of_which_little_is_known_is_like_the_others() -> None:
    known = keeping([Punctuality(1, 0, 0, 0.0, 0.0), Punctuality(2, 400, 200, -1800.0, 600.0)])
    lateness_s, spread_s, show_up = keeping_arrays([1, 2, None, 3], known)
    assert lateness_s[[0, 2, 3]] == pytest.approx(900.0)
    assert spread_s[[0, 2, 3]] == pytest.approx(3600.0)
    assert show_up[[0, 2, 3]] == pytest.approx(0.92)
    assert lateness_s[1] == pytest.approx(-1670.0, abs=10.0)
    assert 600.0 < spread_s[1] < 1300.0
    assert show_up[1] == pytest.approx(0.51, abs=0.01)


def standing(corridor: Corridor, kms: list[float], *, first: int = 0, **more: object) -> list[TruckSeen]:
    """Trucks of no trip that stand on QL1A toward the border, as their GPS shows."""
    road_id, offset_m = corridor.place_at("QL1A", kms)
    nothing = dict.fromkeys(
        ("trip_id", "gate_id", "goods_class", "regime", "trip_direction", "created_at", "organisation_id", "driver_id")
    )
    values = nothing | {"speed_mps": 0.0, "perishable": False, "hold_until": None} | more
    return [
        TruckSeen(vehicle_id=first + i, time=NOW, road_id=int(road_id[i]), offset_m=float(offset_m[i]), km=km, **values)
        for i, km in enumerate(kms)
    ]


BEHIND = np.arange(1.03, 0.56, -0.02).tolist()
"""24 trucks from the barrier of Hữu Nghị (km 1.05) to its gate (km 0.55)."""


def now_with(seen: list[TruckSeen], corridor: Corridor, network: Network, **more: object) -> CorridorNow:
    return compose(Readings(seen=tuple(seen), **more), corridor, network, (HUU_NGHI,), NOW)  # type: ignore[arg-type]


def test_a_line_that_goes_on_behind_the_barrier_waits_as_well(corridor: Corridor, network: Network) -> None:
    """Thirty stand before the barrier, 24 behind it; four are served."""
    before = standing(corridor, np.arange(1.06, 1.65, 0.02).tolist(), first=100)
    found = now_with([*standing(corridor, BEHIND), *before], corridor, network)
    assert found.queue.queue_veh[0] == len(before) + 20
    assert found.tails_km["huu-nghi"] == pytest.approx(before[-1].km, abs=0.03)
    alone = now_with(standing(corridor, BEHIND), corridor, network)
    assert alone.queue.queue_veh[0] == 20


@pytest.mark.parametrize(
    "behind",
    [
        {"kms": BEHIND[:5]},
        {"kms": np.arange(0.7, 0.4, -0.02).tolist()},
        {"site_id": "xuan-cuong"},
        {"by_gps": False},
        {"speed_mps": 6.0},
        {"trip_direction": "import"},
        {"gate_id": "tan-thanh"},
    ],
    ids=["in service", "apart", "in the yard", "seen by others", "driving", "imports", "of another gate"],
)
def test_who_is_behind_the_barrier_for_another_reason_is_in_no_line(
    behind: dict[str, object], corridor: Corridor, network: Network
) -> None:
    kms = behind.pop("kms", BEHIND)
    found = now_with(standing(corridor, kms, **behind), corridor, network)  # type: ignore[arg-type]
    assert found.queue.queue_veh[0] == 0


def test_where_a_line_goes_on_trucks_have_passed_when_they_stand_there_no_more(
    corridor: Corridor, network: Network
) -> None:
    """Trucks come in by the barrier 60 an hour for an hour, are served 20 an hour, and the rest stands behind it."""
    passed, there = [], []
    for i in range(60):
        came = NOW - timedelta(minutes=60 - i)
        stood = min(NOW, NOW - timedelta(minutes=60 - 3 * (i + 1)))
        own = passed if i < 20 else there
        own.append(GatePassage("huu-nghi", 1000 + i - 20, came, came - timedelta(minutes=1), False, False, stood))
    kms = np.linspace(1.03, 0.57, 40).tolist()
    freely = {each.vehicle_id: each.waited_since for each in there}
    found = now_with(
        standing(corridor, kms, first=1000), corridor, network, passages=(*passed, *there), drove_freely=freely
    )
    assert found.queue.queue_veh[0] == 36
    assert found.state.pace["huu-nghi"].mean_veh_per_h == pytest.approx(20.0, rel=0.35)
