"""When a truck has its place in a yard, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.trip_eta.reasons import Wording
from app.trip_eta.turns import Turn, turn_of
from app.trips.places import Places
from geo.corridor import Corridor

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)  # 08:00 at the border


def at(minutes: int) -> datetime:
    return NOW + timedelta(minutes=minutes)


@dataclass(frozen=True)
class Planned:
    arrive_at: datetime
    place_free_at: datetime
    yard_id: str | None = "xuan-cuong"
    zone_id: str | None = None
    place_kind: str | None = None
    reason: dict[str, Any] = field(default_factory=lambda: {"code": "wait_for_entry", "before_veh": 20})


@pytest.fixture(scope="module")
def wording() -> Wording:
    return Wording(lambda text: text, "en", Places.of(Corridor.default()), NOW)


@pytest.mark.parametrize(
    ("arrive", "free", "enter", "in_place", "waits"),
    [
        (0, 0, 65, 65, False),  # the plan has a place at once: the truck is still in the line of the gate
        (0, 30, 65, 65, False),
        (0, 120, 65, 120, True),  # the yard is closed until then
        (40, 40, 40, 40, False),
    ],
)
def test_a_truck_has_its_place_when_it_is_through_the_entrance_and_one_is_free(
    arrive: int, free: int, enter: int, in_place: int, waits: bool
) -> None:
    quantiles = [at(enter - 10), at(enter), at(enter + 30)]
    turn = turn_of(Planned(at(arrive), at(free)), quantiles, is_own=True)
    assert (turn.in_place_at, turn.waits_for_place) == (at(in_place), waits)
    assert turn.wait == timedelta(minutes=free - enter if waits else 0)


def test_beyond_the_forecast_nobody_knows_when() -> None:
    turn = turn_of(Planned(at(0), at(30)), [at(300), None, None], is_own=True)
    assert (turn.in_place_at, turn.waits_for_place, turn.wait) == (None, False, timedelta(0))


def test_at_another_gate_and_without_a_forecast_the_plan_alone_tells() -> None:
    for turn in (
        turn_of(Planned(at(20), at(50)), [at(300), at(320), at(330)], is_own=False),
        turn_of(Planned(at(20), at(50)), None, is_own=True),
    ):
        assert (turn.in_place_at, turn.waits_for_place, turn.wait) == (at(50), True, timedelta(minutes=30))


def test_the_two_times_are_told_where_they_differ(wording: Wording) -> None:
    assert wording.turn(Turn(at(0), at(0), at(65), is_beyond=False)).endswith("when the truck comes, at about 09:05")
    told = wording.turn(Turn(at(120), at(0), at(65), is_beyond=False))
    assert "from 10:00" in told
    assert "entrance at about 09:05" in told
    assert wording.turn(Turn(at(120), at(0), None, is_beyond=False)) == "The place is free from 10:00 on"
    assert "later than the forecast reaches" in wording.turn(Turn(at(0), at(0), None, is_beyond=True))


def test_why_it_waits_for_its_place_is_told_only_if_it_does(wording: Wording) -> None:
    place = Planned(at(0), at(30))
    met, waits = Turn(at(30), at(0), at(65), is_beyond=False), Turn(at(30), at(0), at(10), is_beyond=False)
    assert wording.reason(place, "huu-nghi", met) == ""
    assert "entrance takes no more" in wording.reason(place, "huu-nghi", waits)
    assert "20 trucks go in before" in wording.reason(place, "huu-nghi", waits)
    assert "20" not in wording.reason(place, "huu-nghi", waits, is_in_line=True)  # its number in the line says so


def test_how_much_later_another_yard_would_be_is_of_the_plan_alone(wording: Wording) -> None:
    reason = {"code": "free_on_arrival", "free_veh": 9, "other_yard": "bao-nguyen", "other_later_s": 840}
    place = Planned(at(30), at(30), reason=reason)
    assert "later" in wording.reason(place, "huu-nghi", Turn(at(30), at(30), at(30), is_beyond=False))
    assert "later" not in wording.reason(place, "huu-nghi", Turn(at(30), at(30), at(240), is_beyond=False))
