"""A forecast begins with the measured queue, as unsure as the measurement is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.corridor import Corridor
from routing.demand import CorridorState
from routing.forecast import forecast
from routing.gates import GateSetting, Server, ServiceTime
from routing.graph import build_network
from routing.measure import measure_queues
from routing.network import Network
from routing.runs import MAX_UNNOTICED_S, measurement_error, unnoticed_veh

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
SIXTY_AN_HOUR = GateSetting("huu-nghi", "export", Server(4, ServiceTime(240.0, 0.5)))


@pytest.fixture(scope="module")
def network(corridor: Corridor) -> Network:
    return build_network(corridor)


def queue_of(corridor: Corridor, n: int, age_s: float) -> CorridorState:
    road_id, offset_m = corridor.place_at("QL1A", list(1.07 + 0.02 * np.arange(n)))
    return CorridorState(
        made_at=NOW,
        road_id=np.asarray(road_id, np.int64),
        offset_m=np.asarray(offset_m),
        speed_mps=np.zeros(n),
        gate=np.zeros(n, np.int64),
        age_s=np.full(n, age_s),
        gate_settings=(SIXTY_AN_HOUR,),
    )


def test_as_many_are_unnoticed_as_pass_while_positions_age(network: Network, corridor: Corridor) -> None:
    for age_s, expected in ((0.0, 0.0), (60.0, 1.0), (3600.0, MAX_UNNOTICED_S / 60.0)):
        state = queue_of(corridor, 40, age_s)
        assert unnoticed_veh(network, state, measure_queues(network, state))[0] == pytest.approx(expected)
    few = queue_of(corridor, 1, 3600.0)
    assert unnoticed_veh(network, few, measure_queues(network, few))[0] == 1.0
    nobody = queue_of(corridor, 0, 0.0)
    assert unnoticed_veh(network, nobody, measure_queues(network, nobody)).tolist() == [0.0, 0.0]


def test_the_first_point_is_the_measured_queue_and_its_spread_that_of_the_measurement(
    network: Network, corridor: Corridor
) -> None:
    exact = forecast(network, queue_of(corridor, 40, 0.0), runs=40, horizon_s=600.0, seed=1)
    assert exact.queue_veh[:, 0, 0].tolist() == [40.0, 40.0, 40.0]
    aged = forecast(network, queue_of(corridor, 40, 120.0), runs=400, horizon_s=300.0, seed=1)
    low, middle, high = aged.queue_veh[:, 0, 0]
    assert middle == 40.0
    # Two are expected to have joined, and two to have left: a standard deviation of two trucks.
    assert (low, high) == (pytest.approx(37.4, abs=0.6), pytest.approx(42.6, abs=0.6))


@given(unnoticed=st.floats(0.3, 6.0), seed=st.integers(0, 1000))
def test_the_band_of_the_first_point_holds_what_it_says(unnoticed: float, seed: int) -> None:
    """Who joined and left in truth is drawn like them: the 80 % band holds 80 % and little more, and ranks are even."""
    rng = np.random.default_rng(seed)
    runs = measurement_error(rng, np.full(20_000, unnoticed))
    truth = rng.poisson(unnoticed, 20_000) - rng.poisson(unnoticed, 20_000)
    low, high = np.quantile(runs, (0.1, 0.9))
    held = ((low <= truth) & (truth <= high)).mean()
    at_ends = (truth == low).mean() + (truth == high).mean()
    assert 0.78 < held < 0.82 + at_ends
    assert runs.var() == pytest.approx(2.0 * unnoticed, rel=0.1)
    assert (truth < runs).mean() == pytest.approx((truth > runs).mean(), abs=0.03)


def test_a_queue_is_never_less_than_none(network: Network, corridor: Corridor) -> None:
    state = replace(queue_of(corridor, 2, 3600.0))
    found = forecast(network, state, runs=100, horizon_s=300.0, seed=1)
    assert found.queue_veh[0, 0, 0] == 0.0
    assert found.queue_veh.min() >= 0.0
