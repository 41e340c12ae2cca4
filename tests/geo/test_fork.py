"""A truck at the fork of the roads to the two gates: no flicker, and no later on the right road for that."""

from __future__ import annotations

import numpy as np
import pytest

from bench.matching import make_drives
from geo.corridor import Corridor
from geo.fixes import LastPlaces
from geo.matching import Matcher
from tests.geo.test_matching import FORK_KM, NAMES, along, drive, noisy, one_by_one


@pytest.mark.parametrize("beyond_m", [-40, -20, 0, 20, 40])
@pytest.mark.parametrize("sigma_m", [8.0, 15.0])
def test_a_truck_at_the_fork_does_not_flicker(beyond_m: float, sigma_m: float) -> None:
    """It stands within the noise of both branches: its road changes once at most, not again and again."""
    for seed in range(4):
        points = along("QL1A", np.full(40, FORK_KM + beyond_m / 1000))
        placed = one_by_one(drive(*noisy(*points, sigma_m=sigma_m, seed=seed), every_s=15.0))
        names = NAMES[np.concatenate([places.road_id for places in placed])]
        assert (names[1:] != names[:-1]).sum() <= 1


def test_trucks_that_drive_on_are_on_the_right_road_and_stay_there() -> None:
    """One fix at a time, a third of the trucks at the fork: none is on the other road and back by noise."""
    corridor = Corridor.default()
    matcher, drives = Matcher(corridor), make_drives(corridor, trucks=800, steps=40, seed=1)
    last: LastPlaces | None = None
    roads = []
    for fixes in drives.fixes:
        places = matcher.match(fixes, last)
        last = matcher.last_places(fixes, places)[1]
        roads.append(NAMES[places.road_id])
    road = np.array(roads)
    assert (road == drives.road).mean() >= 0.9975
    assert (road[1:] != road[:-1]).sum() <= (drives.road[1:] != drives.road[:-1]).sum() + 2
