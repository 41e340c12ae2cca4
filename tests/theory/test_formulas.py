"""The closed formulas against each other and against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.errors import InvalidInputError
from tests.theory.queueing import erlang_c, lanes_needed, md1, mg1, mm1, mmc, mmck, peak


def test_textbook_values() -> None:
    # M/M/1 at load 0.8: L = 4 (Kleinrock). M/D/1 waits half as long. M/M/2 at load 0.75: Lq = 1.9286.
    assert mm1(0.8, 1.0).inside_veh == pytest.approx(4.0)
    assert md1(0.8, 1.0).wait_s == pytest.approx(mm1(0.8, 1.0).wait_s / 2)
    assert mmc(1.5, 1.0, 2).waiting_veh == pytest.approx(1.928571, abs=1e-5)
    assert erlang_c(1.5, 2) == pytest.approx(0.642857, abs=1e-5)


@given(st.floats(0.05, 0.95), st.floats(1.0, 500.0), st.integers(1, 12))
def test_formulas_agree_where_they_meet(load: float, service_s: float, servers: int) -> None:
    arrivals = load * servers / service_s
    assert mmc(load / service_s, service_s, 1).wait_s == pytest.approx(mm1(load / service_s, service_s).wait_s)
    full, limited = mmc(arrivals, service_s, servers), mmck(arrivals, service_s, servers, servers + 3000)
    assert limited.wait_s == pytest.approx(full.wait_s, rel=1e-6)
    assert full.waiting_veh == pytest.approx(arrivals * full.wait_s)


@given(st.floats(0.2, 3.0), st.integers(1, 4), st.integers(0, 10))
def test_finite_places_against_the_markov_chain(offered: float, servers: int, extra: int) -> None:
    places = servers + extra
    generator = np.zeros((places + 1, places + 1))
    for n in range(places):
        generator[n, n + 1] = offered
        generator[n + 1, n] = min(n + 1, servers)
    generator -= np.diag(generator.sum(axis=1))
    share = np.linalg.lstsq(
        np.vstack([generator.T, np.ones(places + 1)]), np.append(np.zeros(places + 1), 1.0), rcond=None
    )[0]
    found = mmck(offered, 1.0, servers, places)
    assert found.blocked == pytest.approx(share[-1], abs=1e-8)
    assert found.inside_veh == pytest.approx(float(np.arange(places + 1) @ share), abs=1e-7)


def test_a_peak_by_hand() -> None:
    # 60 trucks more than can pass in an hour at 60/h; 30/h come afterwards: 60 / (60 - 30) = 2 h to clear.
    found = peak(120 / 3600, 30 / 3600, 60 / 3600, 3600.0)
    assert found.longest_veh == pytest.approx(60.0)
    assert found.longest_wait_s == pytest.approx(3600.0)
    assert found.clears_at_s == pytest.approx(3 * 3600.0)
    assert found.delay_truck_s == pytest.approx(0.5 * 60 * 3 * 3600.0)


def test_lanes_needed_is_the_fewest() -> None:
    lanes = lanes_needed(40 / 3600, 300.0, 120.0)
    assert mmc(40 / 3600, 300.0, lanes).wait_s <= 120.0
    assert lanes == 4 or mmc(40 / 3600, 300.0, lanes - 1).wait_s > 120.0


def test_what_has_no_steady_state_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="grows for ever"):
        mm1(1.0, 2.0)
    with pytest.raises(InvalidInputError, match="above 0"):
        mg1(-1.0, 2.0, 1.0)
    with pytest.raises(InvalidInputError, match="never clears"):
        peak(2.0, 1.0, 1.0, 60.0)
