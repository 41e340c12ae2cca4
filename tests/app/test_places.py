"""Where gates lie: forks, branches, distances by road."""

from __future__ import annotations

import pytest

from app.trips.places import Places
from geo.corridor import Corridor

PLACES = Places.of(Corridor.default())
HUU_NGHI, TAN_THANH = PLACES.gates["huu-nghi"], PLACES.gates["tan-thanh"]


def test_the_corridor_gives_the_forks() -> None:
    assert HUU_NGHI.fork_km == pytest.approx(4.045, abs=0.01)
    assert TAN_THANH.fork_km == pytest.approx(13.138, abs=0.01)
    assert TAN_THANH.distance_km("QL1A", 10.0) == pytest.approx(13.138 + 10.0 - 4.045, abs=0.01)
    assert HUU_NGHI.is_on_branch("QL1A", 3.0)
    assert not HUU_NGHI.is_on_branch("QL1A", 5.0)
    assert TAN_THANH.is_on_branch("QL4A", 9.0)
