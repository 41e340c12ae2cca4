"""The elements of a corridor, and what is required of them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypedDict

import networkx as nx
import numpy as np
from shapely.geometry import LineString, Polygon

from geo.errors import InvalidInputError
from geo.opening_hours import OpeningHours
from geo.projection import geometry_to_metres

Direction = Literal["to_border", "from_border"]

PROVENANCES: Final = frozenset({"surveyed", "derived", "assumed"})
SITE_KINDS: Final = frozenset({"gate", "barrier", "yard", "temporary_yard", "camera", "staging"})
LENGTH_TOLERANCE: Final = 0.005
"""Share by which `length_m` may differ from its line; EPSG:32648 is within 0.1 % of geodesic lengths here."""


@dataclass(frozen=True)
class Road:
    """One directed piece of a road between two nodes; its line runs in driving order (EPSG:4326)."""

    road_id: int
    edge_id: str
    name: str
    road: str
    direction: Direction
    from_node: str
    to_node: str
    km_from: float
    km_to: float
    length_m: float
    lanes: int
    free_speed_mps: float
    capacity_veh_per_h: float
    storage_veh: int
    hgv: str
    source: str
    provenance: dict[str, str]
    geometry: LineString


class SiteAttributes(TypedDict, total=False):
    """What a corridor's file may say of a site besides its place; others are kept, and nobody reads them.

    Of a gate: `lanes`, its hours (see `Site.opening_hours`), what it does not take (`regimes_closed`, `goods_closed`,
    `hazards_closed`), who collects fees, and its traffic. Of a barrier its `number` counted from the border's far
    side; of yards and staging areas their places.
    """

    lanes: int
    opens: str
    closes: str
    breaks: str
    holidays: dict[str, str]
    regimes_closed: list[str]
    goods_closed: list[str]
    hazards_closed: list[str]
    collectors: list[str]
    cleared_veh_per_day: float
    exports_veh_per_day: float
    imports_veh_per_day: float
    undeclared_exports_veh_per_h: float
    number: int
    side: str
    cameras: int
    reads: str
    capacity_veh: int
    overflow_veh: int
    entrance_veh_per_h: float
    exit_veh_per_h: float


@dataclass(frozen=True)
class Site:
    """A place on or beside a road: gate, barrier, yard, temporary yard, camera, staging area (EPSG:4326)."""

    site_id: str
    kind: str
    gate_id: str | None
    name: dict[str, str]
    road: str
    km: float
    lon: float
    lat: float
    attributes: SiteAttributes
    source: str
    provenance: dict[str, str]
    geofence: Polygon | None = None

    @property
    def capacity_veh(self) -> int | None:
        """Places for trucks, where the site has any."""
        value = self.attributes.get("capacity_veh")
        return None if value is None else int(value)

    @property
    def entrance_headway_s(self) -> float:
        """Least time between two trucks through a yard's entrance; 0 where nobody says how many it lets in."""
        return self._headway_s("entrance_veh_per_h")

    @property
    def exit_headway_s(self) -> float:
        """Least time between two trucks through a yard's exit; 0 where nobody says how many it lets out."""
        return self._headway_s("exit_veh_per_h")

    def _headway_s(self, attribute: Literal["entrance_veh_per_h", "exit_veh_per_h"]) -> float:
        value = self.attributes.get(attribute)
        if value is None:
            return 0.0
        try:
            rate = float(value)
        except (TypeError, ValueError):
            rate = math.nan
        if not 0.0 < rate < math.inf:
            raise InvalidInputError(
                "{attribute} of {value} is not possible; give a number above 0, or leave it out.",
                field="attributes",
                attribute=attribute,
                value=value,
            )
        return 3600.0 / rate

    @property
    def opening_hours(self) -> OpeningHours | None:
        """When it is open, where its attributes say so: `opens` and `closes` ("07:00"), and if there are any `breaks`
        ("11:30–13:00") and `holidays` (ISO date → intervals).

        Raises
        ------
        InvalidInputError
            If one of them cannot be read.
        """
        values = self.attributes
        if "opens" not in values or "closes" not in values:
            return None
        return OpeningHours.parse(
            f"{values['opens']}–{values['closes']}",
            breaks=values.get("breaks", ""),
            holidays=values.get("holidays"),
        )


@dataclass(frozen=True)
class KilometrePost:
    """A kilometre post on a road, counted from the border (EPSG:4326)."""

    road: str
    km: float
    lon: float
    lat: float


def _refuse(edge_id: str, field: str, message: str, **values: Any) -> InvalidInputError:
    return InvalidInputError("Road {edge_id}: " + message, field=field, edge_id=edge_id, **values)


def check_roads(roads: tuple[Road, ...]) -> None:
    """Refuse roads that contradict themselves or each other (see `Corridor`)."""
    if not roads:
        raise InvalidInputError("A corridor needs at least one road.", field="roads")
    if len({road.edge_id for road in roads}) != len(roads):
        raise InvalidInputError("An edge_id occurs twice; each road piece needs its own.", field="edge_id")
    network: nx.Graph[str] = nx.Graph()
    ends: dict[str, tuple[float, float]] = {}
    for position, road in enumerate(roads):
        if road.road_id != position:
            raise _refuse(road.edge_id, "road_id", "road_id {value} is not its position.", value=road.road_id)
        if not isinstance(road.geometry, LineString) or not road.geometry.is_valid or road.geometry.is_empty:
            raise _refuse(road.edge_id, "geometry", "the geometry is not a valid LineString.")
        if road.direction not in {"to_border", "from_border"}:
            raise _refuse(road.edge_id, "direction", "direction {value} is unknown.", value=road.direction)
        for field in ("lanes", "free_speed_mps", "capacity_veh_per_h", "storage_veh", "length_m"):
            if not getattr(road, field) > 0:
                raise _refuse(road.edge_id, field, "{name} is not above zero.", name=field)
        if not set(road.provenance.values()) <= PROVENANCES:
            raise _refuse(road.edge_id, "provenance", "provenance is surveyed, derived or assumed.")
        line_m = geometry_to_metres(road.geometry)
        if abs(line_m.length - road.length_m) > max(1.0, LENGTH_TOLERANCE * road.length_m):
            raise _refuse(
                road.edge_id,
                "length_m",
                "length_m is {stated:.1f} but the line is {measured:.1f} m long.",
                stated=road.length_m,
                measured=line_m.length,
            )
        fall_m = (road.km_from - road.km_to) * (1000.0 if road.direction == "to_border" else -1000.0)
        if fall_m < 0.0 or fall_m > road.length_m * (1.0 + LENGTH_TOLERANCE) + 1.0:
            raise _refuse(
                road.edge_id,
                "km_from",
                "kilometres {km_from:.3f} to {km_to:.3f} do not fit {direction} over {length_m:.0f} m.",
                km_from=road.km_from,
                km_to=road.km_to,
                direction=road.direction,
                length_m=road.length_m,
            )
        for node, at in ((road.from_node, line_m.coords[0]), (road.to_node, line_m.coords[-1])):
            known = ends.setdefault(node, (at[0], at[1]))
            if float(np.hypot(known[0] - at[0], known[1] - at[1])) > 1.0:
                raise _refuse(road.edge_id, "from_node", "the node {node} lies in two places.", node=node)
        network.add_edge(road.from_node, road.to_node)
    if not nx.is_connected(network):
        parts = nx.number_connected_components(network)
        raise InvalidInputError("The roads fall apart into {parts} networks; connect them.", field="roads", parts=parts)


def check_sites(sites: Iterable[Site], roads: set[str]) -> None:
    """Refuse sites that name a road, gate or kind that does not exist, or have a broken geofence."""
    by_id = {site.site_id: site for site in sites}
    for site in by_id.values():
        if site.kind not in SITE_KINDS:
            raise InvalidInputError(
                "Site {site}: kind {kind} is unknown; use one of {kinds}.",
                field="kind",
                site=site.site_id,
                kind=site.kind,
                kinds=", ".join(sorted(SITE_KINDS)),
            )
        if site.road not in roads:
            raise InvalidInputError(
                "Site {site}: there is no road {road}.", field="road", site=site.site_id, road=site.road
            )
        if site.gate_id is not None and (site.gate_id not in by_id or by_id[site.gate_id].kind != "gate"):
            raise InvalidInputError(
                "Site {site}: there is no gate {gate}.", field="gate_id", site=site.site_id, gate=site.gate_id
            )
        if site.kind == "yard" and site.capacity_veh is None:
            raise InvalidInputError(
                "Yard {site}: attributes.capacity_veh is missing.", field="attributes", site=site.site_id
            )
        try:
            _ = site.opening_hours, site.entrance_headway_s, site.exit_headway_s
        except InvalidInputError as error:
            raise InvalidInputError(
                "Site {site}: " + error.message, field="attributes", site=site.site_id, **error.values
            ) from None
        if site.geofence is not None and not (isinstance(site.geofence, Polygon) and site.geofence.is_valid):
            raise InvalidInputError(
                "Site {site}: the geofence is not a valid Polygon.", field="geometry", site=site.site_id
            )
