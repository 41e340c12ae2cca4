"""Which trucks an order goes to: criteria that all must hold, and how many of them, nearest first. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, TypeVar

import shapely
from shapely.errors import ShapelyError
from shapely.geometry import shape

from app.gates.vocabulary import GoodsClass
from app.trips.places import FROM_BORDER, TO_BORDER, Places
from app.trips.vocabulary import Regime, Stage
from geo.errors import InvalidInputError

DIRECTIONS = {"to_border": TO_BORDER, "from_border": FROM_BORDER, "both": 0}
MAX_LIST_LENGTH = 5000
MAX_VERTICES = 1000


@dataclass(frozen=True)
class Stretch:
    """A stretch of a road between two kilometres (`km_from` ≤ `km_to`); `direction` 1, -1, or 0 for both."""

    road: str
    km_from: float
    km_to: float
    direction: int


@dataclass(frozen=True)
class Selection:
    """Criteria that are left out hold for every truck; at least one is given.

    Arguments: `area`, a GeoJSON Polygon or MultiPolygon (EPSG:4326); `site_id`, trucks now at a site; `gate_id`,
    trucks on a trip to a gate; `limit_veh`, only so many, the ones nearest the border first. Unless trucks are
    listed, only those heard of within `seen_within` are taken.
    """

    stretch: Stretch | None = None
    gate_id: str | None = None
    area: Mapping[str, object] | None = None
    site_id: str | None = None
    goods_classes: tuple[str, ...] = ()
    perishable: bool | None = None
    regimes: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    vehicle_ids: tuple[int, ...] | None = None
    limit_veh: int | None = None
    seen_within: timedelta = timedelta(hours=1)


class Candidate(Protocol):
    """What ordering by nearness asks of a truck."""

    @property
    def vehicle_id(self) -> int: ...
    @property
    def gate_id(self) -> str | None: ...
    @property
    def road(self) -> str | None: ...
    @property
    def km(self) -> float | None: ...


C = TypeVar("C", bound=Candidate)


def check_selection(wanted: Selection, places: Places) -> Selection:
    """The selection, if its criteria make sense here.

    Raises
    ------
    InvalidInputError
        If there is no criterion, or one names a road, kilometre, gate, site, class, regime or polygon that is none.
    """
    if not any(
        (
            wanted.stretch,
            wanted.gate_id,
            wanted.area,
            wanted.site_id,
            wanted.goods_classes,
            wanted.regimes,
            wanted.stages,
            wanted.perishable is not None,
            wanted.vehicle_ids is not None,
        )
    ):
        raise InvalidInputError(
            "The selection is empty; name a stretch of road, a gate, an area, goods, a regime or trucks.",
            field="selection",
        )
    if wanted.stretch is not None:
        _check_stretch(wanted.stretch, places)
    if wanted.area is not None:
        _check_area(wanted.area)
    _check_known("selection.gate_id", wanted.gate_id, places.gates)
    _check_known("selection.site_id", wanted.site_id, places.names)
    for field, values, known in (
        ("selection.goods_classes", wanted.goods_classes, tuple(GoodsClass)),
        ("selection.regimes", wanted.regimes, tuple(Regime)),
        ("selection.stages", wanted.stages, Stage.open()),
    ):
        for value in values:
            _check_known(field, value, known)
    if wanted.vehicle_ids is not None and not 1 <= len(wanted.vehicle_ids) <= MAX_LIST_LENGTH:
        raise InvalidInputError(
            "The list names {count} trucks; name 1 to {most}.",
            field="selection.vehicle_ids",
            count=len(wanted.vehicle_ids),
            most=MAX_LIST_LENGTH,
        )
    if wanted.limit_veh is not None and wanted.limit_veh < 1:
        raise InvalidInputError(
            "The limit is {value}; give at least 1 or leave it out.",
            field="selection.limit_veh",
            value=wanted.limit_veh,
        )
    return wanted


def take_nearest(found: Sequence[C], wanted: Selection, places: Places) -> list[C]:
    """Trucks ordered by their way to the gate, nearest first, cut to the limit.

    The gate is the selection's, else the one of the truck's trip, else the nearest; trucks off the roads come last.
    """

    def rank(truck: C) -> tuple[float, int]:
        gate = places.gates.get(wanted.gate_id or truck.gate_id or "")
        gates = [gate] if gate else list(places.gates.values())
        ways = [way for gate in gates if (way := gate.distance_km(truck.road, truck.km)) is not None]
        return (min(ways, default=float("inf")), truck.vehicle_id)

    return sorted(found, key=rank)[: wanted.limit_veh]


def _check_stretch(stretch: Stretch, places: Places) -> None:
    _check_known("selection.stretch.road", stretch.road, places.km_spans)
    low_km, high_km = places.km_spans[stretch.road]
    if stretch.km_from > stretch.km_to:
        raise InvalidInputError(
            "The stretch runs from km {km_from} to km {km_to}; give the smaller kilometre first.",
            field="selection.stretch.km_from",
            km_from=stretch.km_from,
            km_to=stretch.km_to,
        )
    if stretch.km_to < low_km or stretch.km_from > high_km:
        raise InvalidInputError(
            "{road} has no kilometre {km_from} to {km_to}; it runs from {low:.1f} to {high:.1f}.",
            field="selection.stretch",
            road=stretch.road,
            km_from=stretch.km_from,
            km_to=stretch.km_to,
            low=low_km,
            high=high_km,
        )


def _check_area(area: Mapping[str, object]) -> None:
    try:
        polygon = shape(dict(area))
        is_fine = area.get("type") in {"Polygon", "MultiPolygon"} and polygon.is_valid and not polygon.is_empty
        west, south, east, north = polygon.bounds if is_fine else (0.0, 0.0, 0.0, 0.0)
        vertices = shapely.get_num_coordinates(polygon) if is_fine else 0
    except (ShapelyError, ValueError, TypeError, KeyError, IndexError, AttributeError):
        is_fine = False
    if not is_fine:
        raise InvalidInputError(
            "The area is not a valid GeoJSON Polygon; draw it again without crossing its own line.",
            field="selection.area",
        )
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90) or vertices > MAX_VERTICES:
        raise InvalidInputError(
            "The area lies outside the world or has too many corners; give longitude before latitude, in degrees.",
            field="selection.area",
        )


def _check_known(field: str, value: str | None, known: Collection[str]) -> None:
    if value is not None and value not in known:
        raise InvalidInputError(
            "{name} {value} is unknown; use one of {known}.",
            field=field,
            name=field,
            value=value,
            known=", ".join(sorted(known)),
        )
