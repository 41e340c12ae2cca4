"""Gates and yards are data: three gates with two yards each, in the network, the engine, forecast and scenario."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.corridor import Corridor
from geo.opening_hours import OpeningHours
from routing.arrays import FloatArray
from routing.compiling import compiled
from routing.demand import CorridorState, DemandModel, gate_shares
from routing.forecast import forecast
from routing.gates import GateSetting, Server, ServiceTime, assumed_demand, assumed_settings, plain_day
from routing.graph import GatePlace, Link, Network, assemble, build_network
from routing.link_rules import next_open
from routing.measure import measure_queues
from routing.scenario import parse_scenario, run_scenario
from routing.series import Series
from routing.simulation import gate_arrays, link_arrays, open_spans, simulate
from routing.trucks import TruckBatch, sample_fleet
from tests.geo.test_opening_hours import moments, opening_hours

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
"""10:00 in Lạng Sơn."""
NOTHING = ServiceTime(0.0, 0.0, "deterministic")
QUIET = DemandModel(undeclared_factor=0.0, import_factor=0.0)
YARDS = ("bao-nguyen", "coc-nam-1", "coc-nam-2", "tan-thanh-2", "xuan-cuong", "xuan-cuong-2")


@pytest.fixture(scope="module")
def three_gates(corridor: Corridor) -> Corridor:
    """The shipped corridor with a third gate on its main road, and two yards at each gate."""
    gate, yard = corridor.get_site("huu-nghi"), corridor.get_site("xuan-cuong")
    sites = dict(corridor.sites)

    def add_yard(site_id: str, gate_id: str, road: str, km: float, capacity_veh: int) -> None:
        attributes = {"capacity_veh": capacity_veh}
        sites[site_id] = replace(yard, site_id=site_id, gate_id=gate_id, road=road, km=km, attributes=attributes)

    sites["coc-nam"] = replace(
        gate, site_id="coc-nam", gate_id="coc-nam", km=6.0, attributes={"lanes": 2, "cleared_veh_per_day": 150}
    )
    add_yard("coc-nam-1", "coc-nam", "QL1A", 6.2, 40)
    add_yard("coc-nam-2", "coc-nam", "QL1A", 6.3, 30)
    add_yard("xuan-cuong-2", "huu-nghi", "QL1A", 0.9, 100)
    add_yard("tan-thanh-2", "tan-thanh", "QL4A", 0.9, 50)
    return replace(corridor, sites=sites)


@pytest.fixture(scope="module")
def network(three_gates: Corridor) -> Network:
    return build_network(three_gates)


def test_the_network_has_every_gate_and_every_yard(network: Network) -> None:
    assert set(network.gate_ids) == {"huu-nghi", "tan-thanh", "coc-nam"}
    assert tuple(sorted(network.yard_ids)) == YARDS
    yards = {
        gate_id: {network.yard_ids[y] for y in network.yards_of(network.gate_number(gate_id))}
        for gate_id in network.gate_ids
    }
    assert yards == {
        "huu-nghi": {"xuan-cuong", "xuan-cuong-2"},
        "tan-thanh": {"bao-nguyen", "tan-thanh-2"},
        "coc-nam": {"coc-nam-1", "coc-nam-2"},
    }
    for yard, gate in enumerate(network.yard_gate):
        assert yard in network.yards_of(int(gate))
    # A gate on the way to another one cuts nobody off.
    for gate_id in network.gate_ids:
        entry = network.entry(network.gate_number(gate_id))
        assert network.links[entry].km_from > 100.0


def test_who_comes_to_a_gate_is_data(three_gates: Corridor, network: Network) -> None:
    demand = assumed_demand(three_gates)
    assert [gate.gate_id for gate in network.gate_demand] == list(network.gate_ids)
    shares = dict(zip(network.gate_ids, gate_shares(network.gate_demand), strict=True))
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["huu-nghi"] > shares["tan-thanh"] > shares["coc-nam"] > 0.0
    assert demand["coc-nam"].exports_veh_per_day == pytest.approx(60.0)


def test_the_forecast_counts_the_trucks_of_every_yard(network: Network) -> None:
    """Named trucks in one yard of each gate, unnamed ones in the other: all are inside at the start."""
    named = np.array([network.yard_ids.index(y) for y in ("coc-nam-2", "xuan-cuong-2", "tan-thanh-2")])
    inside = np.array([{"coc-nam-2": 12, "xuan-cuong-2": 30, "coc-nam-1": 7}.get(y, 5) for y in network.yard_ids])
    state = CorridorState(
        made_at=NOW,
        road_id=np.full(9, -1, np.int64),
        yard=np.repeat(named, 3),
        yard_since_s=np.zeros(9),
        yard_inside_veh=inside.astype(float),
        yard_capacity_veh=np.full(len(network.yard_ids), 60.0),
        gate_settings=tuple(
            GateSetting(g, "export", Server(1, ServiceTime(1e5, 0.1)), dwell=ServiceTime(2e5, 0.1))
            for g in network.gate_ids
        ),
    )
    found = forecast(network, state, runs=12, seed=1, model=QUIET)
    # One truck a gate is in its crossing lane at once.
    assert (np.abs(found.occupancy_veh[1, :, 0] - inside) <= 1.0).all()
    assert found.occupancy_veh[1, :, 0].sum() >= inside.sum() - len(network.gate_ids)
    assert found.summary["inside"] == 9


def test_a_truck_in_a_second_yard_leaves_through_its_gate(network: Network) -> None:
    second = network.yard_ids.index("tan-thanh-2")
    state = CorridorState(
        made_at=NOW,
        road_id=np.full(20, -1, np.int64),
        yard=np.full(20, second),
        yard_since_s=np.full(20, 600.0),
        yard_inside_veh=np.where(np.arange(len(network.yard_ids)) == second, 20.0, 0.0),
    )
    found = forecast(network, state, runs=12, seed=1, model=QUIET)
    assert found.occupancy_veh[1, second, 0] == pytest.approx(20.0, abs=1.0)
    assert found.occupancy_veh[1, second, -1] < 10.0
    others = np.delete(found.occupancy_veh, second, axis=1)
    assert others.max() == 0.0


def test_a_queue_is_measured_before_each_gate(network: Network) -> None:
    roads, gates, offsets = [], [], []
    for g, gate_id in enumerate(network.gate_ids):
        feeder = network.gate_feeder[network.gate_feeder_start[network.gate_number(gate_id)]]
        road = network.links[feeder].roads[-1]
        for place in range(3 + g):
            roads.append(road)
            gates.append(g)
            offsets.append(network.road_length_m[road] - 5.0 - 15.0 * place)
    state = CorridorState(
        made_at=NOW,
        road_id=np.array(roads),
        gate=np.array(gates),
        offset_m=np.array(offsets),
        speed_mps=np.zeros(len(roads)),
    )
    assert measure_queues(network, state).queue_veh.tolist() == [3.0, 4.0, 5.0]


def two_yards(lanes: int = 2) -> tuple[Network, list[GateSetting]]:
    network = assemble(
        [Link("road", "start", "end", 100.0, 10.0, 3.6e6, 1_000_000)], [GatePlace("g", "export", "end", ("a", "b"))]
    )
    service = ServiceTime(10.0, 0.0, "deterministic")
    crossing = Server(lanes, ServiceTime(100.0, 0.0, "deterministic"))
    return network, [GateSetting("g", "export", crossing, Server(64, service), NOTHING)]


@pytest.mark.parametrize("room", [(5.0, 3.0), (1.0, 1.0), (0.0, 4.0), (7.0, 0.0), (2.0, np.nan)])
def test_a_gate_uses_all_its_yards_and_overfills_none(room: tuple[float, float]) -> None:
    network, setting = two_yards()
    trucks = TruckBatch.of(0, 0, np.arange(60) * 1.0, to_come=True)
    fleet = sample_fleet(network, trucks, setting, np.random.default_rng(1).spawn(3))
    gates = gate_arrays(network, setting, yard_capacity_veh=room)
    result = simulate(link_arrays(network), gates, fleet, horizon_s=4000.0, step_s=1.0)
    most = result.occupancy_veh[:2].max(axis=1)
    limit = np.where(np.isnan(room), np.inf, room)
    assert (most <= limit).all()
    if np.isfinite(limit).all():
        # Until the end of the rush both are full: 60 trucks come in a minute, two cross in 100 s.
        assert (most == limit).all()
    assert result.left_veh == 60
    # What holds the gate up is its two crossing lanes, however the trucks are spread over the yards.
    assert result.exit_s.max() == pytest.approx(30 * 100.0, abs=200.0)


def test_two_yards_hold_what_one_of_their_size_holds() -> None:
    trucks = TruckBatch.of(0, 0, np.arange(300) * 20.0, to_come=True)

    def run(yards: tuple[str, ...], room: list[float]) -> Series:
        network = assemble(
            [Link("road", "start", "end", 3000.0, 10.0, 1200.0, 300, 3.0, 0.0)],
            [GatePlace("g", "export", "end", yards)],
        )
        setting = GateSetting("g", "export", Server(3, ServiceTime(90.0, 0.4)), Server(2, ServiceTime(30.0)))
        fleet = sample_fleet(network, trucks, [setting], np.random.default_rng(4).spawn(3))
        gates = gate_arrays(network, [setting], yard_capacity_veh=room)
        return Series.of(network, simulate(link_arrays(network), gates, fleet, horizon_s=20_000.0))

    one, two = run(("a",), [80.0]), run(("a", "b"), [50.0, 30.0])
    np.testing.assert_array_equal(one.queue_veh, two.queue_veh)
    np.testing.assert_array_equal(one.wait_s, two.wait_s)
    np.testing.assert_array_equal(one.occupancy_veh[0], two.occupancy_veh.sum(axis=0))
    assert (two.occupancy_veh.max(axis=1) == [50.0, 30.0]).all()


def test_a_scenario_fills_every_yard_and_changes_one(three_gates: Corridor) -> None:
    world = {
        "gates": {
            "coc-nam": {"exports_veh_per_day": 100, "standing_veh": 90},
            "huu-nghi": {"exports_veh_per_day": 300},
            "tan-thanh": {"exports_veh_per_day": 100, "imports_veh_per_day": 50},
        }
    }
    change = {"yards": {"coc-nam-1": {"capacity_veh": 5}}}
    scenario = parse_scenario({"name": "yards", "start": "07:00", "horizon_h": 4, "world": world, "change": change})
    result = run_scenario(three_gates, scenario, seed=1, runs=8)
    assert result is not None
    first, second = (result.yard_ids.index(y) for y in ("coc-nam-1", "coc-nam-2"))
    assert result.occupancy_veh[0, 1, [first, second], 0] == pytest.approx([40.0, 30.0], abs=2.0)
    gate = result.gate_ids.index("coc-nam")
    assert result.queue_veh[0, 1, gate, 0] == pytest.approx(20.0, abs=4.0)
    assert result.totals["waiting_truck_hours"][1].mean() > result.totals["waiting_truck_hours"][0].mean()
    record = result.to_record()
    assert set(record["yards"]) == set(YARDS)


def test_an_import_gate_keeps_its_hours_and_others_theirs(three_gates: Corridor, network: Network) -> None:
    settings_of = {(s.gate_id, s.direction): s for s in assumed_settings(three_gates)}
    assert set(settings_of) == {(g.gate_id, g.direction) for g in network.gates}
    gates = gate_arrays(network, list(settings_of.values()), start=plain_day(3 * 3600.0))
    number = network.gate_number("coc-nam")
    assert gates.crossing_open_s[number, 0].tolist() == [4 * 3600.0, 16 * 3600.0]
    assert gates.entrance_open_s[number, 0].tolist() == [-np.inf, np.inf]


# The engine's form of opening hours


@compiled
def _compiled_next_open(open_s: FloatArray, time_s: float) -> float:
    return next_open(open_s, time_s)  # rules are built into compiled functions; Python cannot call them


@settings(deadline=None, max_examples=60)
@given(st.lists(opening_hours(), min_size=1, max_size=3), moments)
def test_the_engine_opens_when_the_hours_say(hours: list[OpeningHours], start: datetime) -> None:
    until_s = 9 * 86400.0
    spans = open_spans(hours, start, until_s)
    for row, each in zip(spans, hours, strict=True):
        for time_s in np.arange(0, 8 * 1440, 97) * 60.0:
            expected = each.next_open(start + timedelta(seconds=time_s))
            at = _compiled_next_open(row, time_s)
            if expected is None or (expected - start).total_seconds() >= until_s:
                assert at == np.inf
            else:
                assert at == (expected - start).total_seconds()


def test_a_gate_with_a_break_and_a_holiday_waits_for_both_to_end() -> None:
    hours = OpeningHours.parse("07:00–19:00", breaks="11:30–13:00", holidays={"2026-03-03": ""})
    network, _ = two_yards()
    crossing = Server(1, ServiceTime(60.0, 0.0, "deterministic"), hours)
    setting = GateSetting("g", "export", crossing, Server(64, NOTHING), NOTHING)
    start = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)  # 11:00 local
    trucks = TruckBatch.of(0, -1, np.zeros(500))
    fleet = sample_fleet(network, trucks, [setting], np.random.default_rng(1).spawn(3))
    result = simulate(link_arrays(network), gate_arrays(network, [setting], start=start), fleet, horizon_s=86400.0)
    done = np.sort(result.exit_s)
    # 30 before the break, 360 after it; the others on the day after the holiday, in what is left of its morning.
    assert (done <= 1860.0).sum() == 30
    assert done[30] == 2 * 3600.0 + 60.0
    assert (done < 86400.0).sum() == 390
    assert done[390] == (24 + 20) * 3600.0 + 60.0


def test_a_run_longer_than_the_known_hours_is_refused() -> None:
    network, _ = two_yards()
    setting = GateSetting("g", "export", Server(1, NOTHING, OpeningHours.parse("07:00–19:00")), Server(1, NOTHING))
    gates = gate_arrays(network, [setting], hours_until_s=7200.0)
    fleet = sample_fleet(network, TruckBatch.of([], [], []), [setting], np.random.default_rng(1).spawn(3))
    with pytest.raises(ValueError, match="hours_until_s"):
        simulate(link_arrays(network), gates, fleet, horizon_s=3600.0)
