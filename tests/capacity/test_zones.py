"""Places of a yard by zone and time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from capacity.vocabulary import ZoneKind
from capacity.zones import Closure, PlacesChange, Zone, places_at, places_until
from geo.opening_hours import OpeningHours

NOON = datetime(2026, 1, 30, 5, 0, tzinfo=UTC)


def hours(number: float) -> datetime:
    return NOON + timedelta(hours=number)


def closure(since: float, until: float | None, left: int, zone_id: str | None = None) -> Closure:
    ends = None if until is None else hours(until)
    return Closure(1, "xuan-cuong", zone_id, hours(since), ends, left, "concrete", NOON)


COLD = Zone("xuan-cuong", "cold", ZoneKind.REEFER, (PlacesChange(NOON, 60, NOON), PlacesChange(hours(6), 80, NOON)))
PLAIN = Zone("xuan-cuong", "plain", ZoneKind.STANDARD, (PlacesChange(NOON, 300, NOON),))


def test_a_change_has_effect_from_its_time_and_the_later_entry_holds() -> None:
    assert [COLD.places_at(hours(h)) for h in (-1, 0, 5.9, 6, 100)] == [0, 60, 60, 80, 80]
    corrected = Zone("x", "z", ZoneKind.DOCK, (PlacesChange(NOON, 9, NOON), PlacesChange(NOON, 4, hours(1))))
    assert corrected.places_at(hours(2)) == 4


def test_a_yard_without_zones_has_its_whole() -> None:
    assert places_at(NOON, whole_veh=450, zones=(), closures=()) == 450


def test_a_yard_with_zones_has_the_sum_of_them() -> None:
    assert places_at(NOON, whole_veh=450, zones=(COLD, PLAIN), closures=()) == 360
    assert places_at(hours(7), whole_veh=450, zones=(COLD, PLAIN), closures=()) == 380


def test_closures_take_places_while_they_hold() -> None:
    of_zone, of_yard = closure(1, 3, 10, "cold"), closure(2, None, 100)
    given = {"whole_veh": 450, "zones": (COLD, PLAIN), "closures": (of_zone, of_yard)}
    assert [places_at(hours(h), **given) for h in (0, 1, 2, 3, 50)] == [360, 310, 100, 100, 100]
    assert not of_zone.holds_at(hours(3))
    assert closure(1, 2, 0).is_planned
    assert not closure(0, 2, 0).is_planned


def test_places_change_when_a_closure_begins_and_ends_and_with_the_hours_of_a_zone() -> None:
    night = PlacesChange(NOON, 20, hours(1), hours=OpeningHours.parse("22:00–04:30"))
    taken_back = PlacesChange(hours(2), 7, hours(1), undone_at=hours(1.5))
    yard = Zone("xuan-cuong", "plain", ZoneKind.STANDARD, (*PLAIN.changes, night, taken_back))  # noon is local
    closures = (closure(-3, 1.25, 90), closure(40, None, 0))
    found = places_until(NOON, hours(30), whole_veh=450, zones=(yard,), closures=closures)
    assert [((moment - NOON) / timedelta(hours=1), veh) for moment, veh in found] == [
        (0.0, 90),
        (1.25, 300),
        (10.0, 20),
        (16.5, 300),
    ]
    assert places_until(NOON, hours(30), whole_veh=450, zones=(), closures=()) == [(NOON, 450)]


def test_a_closure_never_adds_places() -> None:
    assert places_at(hours(1), whole_veh=50, zones=(), closures=(closure(0, 2, 400),)) == 50
