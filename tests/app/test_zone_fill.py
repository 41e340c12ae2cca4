"""Which zone trucks are counted in, as far as their goods say."""

from __future__ import annotations

from datetime import UTC, datetime

from app.yards.store import InsideKind
from app.yards.zone_fill import fill_zones
from capacity.vocabulary import ZoneKind
from capacity.zones import Closure, PlacesChange, Zone

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)


def zone(name: str, kind: ZoneKind, places: int) -> Zone:
    return Zone("y", name, kind, (PlacesChange(NOW, places, NOW),))


ZONES = (
    zone("cold", ZoneKind.REEFER, 10),
    zone("dock", ZoneKind.DOCK, 2),
    zone("main", ZoneKind.STANDARD, 50),
    zone("pens", ZoneKind.LIVESTOCK, 5),
)


def filled(inside: list[InsideKind], inside_veh: int, closures: tuple[Closure, ...] = ()) -> dict[str, tuple[int, int]]:
    found = fill_zones(ZONES, closures, inside, inside_veh=inside_veh, whole_veh=0, now=NOW)
    assert sum(each.inside_veh for each in found) == inside_veh
    return {each.zone_id: (each.inside_veh, each.open_veh) for each in found}


def test_goods_say_where_trucks_stand() -> None:
    inside = [
        InsideKind("fresh_fruit", True, "not_needed", 4),
        InsideKind("live_animals", False, None, 3),
        InsideKind("textiles", False, "ready", 1),
        InsideKind(None, False, None, 12),
    ]
    assert filled(inside, 20) == {"cold": (4, 10), "dock": (1, 2), "main": (12, 50), "pens": (3, 5)}


def test_who_finds_no_place_of_the_kind_stands_in_standard_places_and_nobody_is_lost() -> None:
    assert filled([InsideKind("fresh_fruit", True, None, 14)], 14)["main"] == (4, 50)
    assert filled([], 60) == {"cold": (3, 10), "dock": (2, 2), "main": (50, 50), "pens": (5, 5)}
    assert filled([], 80)["main"] == (63, 50)
    assert filled([InsideKind("fresh_fruit", True, None, 9)], 2)["cold"] == (2, 10)  # a count found fewer


def test_a_closed_zone_holds_nobody_and_says_why() -> None:
    closed = Closure(1, "y", "cold", NOW, None, 0, "Sửa ổ cắm", NOW)
    inside = [InsideKind("fresh_fruit", True, None, 4)]
    assert filled(inside, 4, (closed,))["cold"] == (0, 0)
    found = fill_zones(ZONES, (closed,), inside, inside_veh=4, whole_veh=0, now=NOW)
    assert [(each.zone_id, each.is_closed, each.cause) for each in found if each.cause] == [("cold", True, "Sửa ổ cắm")]


def test_a_yard_without_zones_is_one_box() -> None:
    (whole,) = fill_zones((), (), [], inside_veh=90, whole_veh=450, now=NOW)
    assert (whole.zone_id, whole.inside_veh, whole.open_veh, whole.share) == ("", 90, 450, 0.2)
