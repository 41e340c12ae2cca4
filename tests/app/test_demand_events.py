"""What bans and events beforehand change of who comes, from plain records."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from app.forecasting.arrivals import learn_arrivals
from app.forecasting.demand_events import (
    BANNED_SHOW_UP,
    DIVERTED_SHARE,
    DemandEvent,
    Load,
    concerned_share,
    event_factors,
)
from app.forecasting.state import compose
from app.forecasting.state_demand import coming_hours
from app.forecasting.state_readings import Readings
from app.forecasting.store import DeclaredTrip
from app.gates.notice import GateNotice
from app.gates.vocabulary import GoodsClass, NoticeKind
from geo.corridor import Corridor
from routing.forecast import forecast
from routing.graph import Network, build_network

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def network(corridor: Corridor) -> Network:
    return build_network(corridor)


def ban(gate_id: str, begin_h: float, end_h: float, **more: object) -> GateNotice:
    values = {
        "notice_id": 1,
        "kind": NoticeKind.BAN,
        "gate_id": gate_id,
        "cause": "",
        "starts_at": NOW + timedelta(hours=begin_h),
        "ends_at": NOW + timedelta(hours=end_h),
        "over_at": None,
        "over_reason": "",
    }
    return GateNotice(**(values | more))  # type: ignore[arg-type]


def declared(trip_id: int, gate_id: str, due_h: float, goods: str = "fresh_fruit") -> DeclaredTrip:
    due = NOW + timedelta(hours=due_h)
    return DeclaredTrip(trip_id, trip_id, gate_id, True, goods, "export", due, NOW, 1, None)


def test_without_bans_and_events_nothing_changes(network: Network) -> None:
    assert (event_factors([], [], [], network, [NOW]) == 1.0).all()


def test_a_ban_of_everything_stops_a_gate_and_sends_part_to_the_other(network: Network) -> None:
    g, h = network.gate_ids.index("huu-nghi"), network.gate_ids.index("tan-thanh")
    usual = [gate.undeclared_exports_veh_per_h for gate in network.gate_demand]
    hours = [NOW + timedelta(hours=k) for k in range(4)]
    found = event_factors([], [ban("huu-nghi", 1.0, 3.0)], [], network, hours)
    assert found[g] == pytest.approx([1.0, 0.0, 0.0, 1.0])
    others = sum(usual) - usual[g]
    sent = DIVERTED_SHARE * usual[g] * usual[h] / others / usual[h]
    assert found[h] == pytest.approx([1.0, 1.0 + sent, 1.0 + sent, 1.0])
    everywhere = [replace(ban(gate_id, 0.0, 1.0), notice_id=i) for i, gate_id in enumerate(network.gate_ids)]
    assert event_factors([], everywhere, [], network, [NOW]).max() == 0.0
    outage = ban("huu-nghi", 0.0, 3.0, kind=NoticeKind.OUTAGE)
    assert (event_factors([], [outage], [], network, hours) == 1.0).all()


def test_whom_a_ban_is_about_is_seen_from_what_known_trucks_carry() -> None:
    fruit = ban("huu-nghi", 0.0, 1.0, goods=("fresh_fruit",))
    all_perishable = ban("huu-nghi", 0.0, 1.0, goods=tuple(goods for goods in GoodsClass if goods.perishable))
    assert concerned_share(ban("huu-nghi", 0.0, 1.0), []) == 1.0
    assert concerned_share(all_perishable, []) == pytest.approx(0.6)
    assert concerned_share(fruit, []) == pytest.approx(0.1)
    assert concerned_share(fruit, [Load("fresh_fruit", "export")] * 200) > 0.9
    assert concerned_share(fruit, [Load("ore", "export")] * 200) < 0.02
    transit = ban("huu-nghi", 0.0, 1.0, regimes=("transit",))
    assert concerned_share(transit, [Load("fresh_fruit", "export")] * 200) < 0.05


@pytest.mark.parametrize(("gate_id", "expected"), [(None, [1.5, 1.5]), ("tan-thanh", [1.0, 1.5])])
def test_an_event_elsewhere_changes_the_gates_that_it_names(
    network: Network, gate_id: str | None, expected: list[float]
) -> None:
    event = DemandEvent(gate_id, NOW, NOW + timedelta(hours=2), 1.5, "Móng Cái closed")
    hours = [NOW, NOW + timedelta(hours=2)]
    found = event_factors([event], [], [], network, hours)
    order = [network.gate_ids.index(name) for name in ("huu-nghi", "tan-thanh")]
    assert found[order, 0] == pytest.approx(expected)
    assert found[:, 1] == pytest.approx(1.0)


def test_an_event_that_goes_on_is_in_the_counts_already_and_its_end_is_not(network: Network) -> None:
    drive = timedelta(hours=2.2)
    event = DemandEvent(None, NOW - timedelta(hours=9), NOW + drive + timedelta(hours=3), 2.0)
    nothing = coming_hours(learn_arrivals(()), network, NOW, horizon_h=6.0)
    found = coming_hours(learn_arrivals(()), network, NOW, horizon_h=6.0, events=[event])
    relative = found.factor / nothing.factor
    assert relative[:, 0] == pytest.approx(1.0)
    assert relative[:, -1] == pytest.approx(0.5)
    assert found.expected_veh == pytest.approx(2.0 * nothing.expected_veh)


def test_the_forecast_knows_of_a_ban_to_come(corridor: Corridor, network: Network) -> None:
    """Hữu Nghị takes nothing from now on for half a day: its declared trucks mostly stay away, and so do the others."""
    trips = tuple(declared(i, "huu-nghi", 2.5) for i in range(40))
    g = network.gate_ids.index("huu-nghi")
    peaks = []
    for bans in ((), (ban("huu-nghi", 0.0, 12.0),)):
        now = compose(Readings(declared=trips, bans=bans), corridor, network, (), NOW)
        assert now.state.declared_show_up is not None
        assert now.state.declared_show_up.max() == pytest.approx(BANNED_SHOW_UP if bans else 0.92)
        found = forecast(network, now.state, runs=12, horizon_s=6 * 3600.0, seed=1)
        entered = np.isfinite(found.queue_veh)
        assert entered.all()
        peaks.append(found.queue_veh[1, g].max())
    assert peaks[1] < 0.5 * peaks[0]
