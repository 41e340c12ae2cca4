"""The corridor in the database."""

from __future__ import annotations

from collections.abc import Collection

from geoalchemy2.shape import from_shape, to_shape
from shapely.geometry import LineString, Point, Polygon
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from geo.corridor import Corridor, Direction, Road, Site
from geo.errors import NotFoundError
from geo.tables import CorridorRow, GeofenceRow, RoadRow, SiteRow

_SAME_ROAD_FIELDS = (
    "road_id",
    "edge_id",
    "name",
    "road",
    "direction",
    "from_node",
    "to_node",
    "km_from",
    "km_to",
    "length_m",
    "lanes",
    "free_speed_mps",
    "capacity_veh_per_h",
    "storage_veh",
    "hgv",
    "source",
    "provenance",
)
_SAME_SITE_FIELDS = ("site_id", "kind", "gate_id", "road", "km", "attributes", "source", "provenance")


def save_corridor(session: Session, corridor: Corridor) -> None:
    """Put a corridor into the database in place of the one that is there."""
    for table in (GeofenceRow, SiteRow, RoadRow, CorridorRow):
        session.execute(delete(table))
    session.execute(
        insert(CorridorRow),
        [{"corridor_id": 1, "attribution": corridor.attribution, "license": corridor.license}],
    )
    session.execute(
        insert(RoadRow),
        [
            {**{field: getattr(road, field) for field in _SAME_ROAD_FIELDS}, "geom": from_shape(road.geometry, 4326)}
            for road in corridor.roads
        ],
    )
    sites = [
        {
            **{field: getattr(site, field) for field in _SAME_SITE_FIELDS},
            "position": position,
            "name_vi": site.name.get("vi", site.site_id),
            "name_en": site.name.get("en", site.site_id),
            "name_zh": site.name.get("zh", site.site_id),
            "geom": from_shape(Point(site.lon, site.lat), 4326),
        }
        for position, site in enumerate(corridor.sites.values())
    ]
    if sites:
        session.execute(insert(SiteRow), sites)
    fences = [
        {"site_id": site.site_id, "geom": from_shape(site.geofence, 4326)}
        for site in corridor.sites.values()
        if site.geofence is not None
    ]
    if fences:
        session.execute(insert(GeofenceRow), fences)


def load_corridor(session: Session) -> Corridor:
    """The corridor in the database.

    Raises
    ------
    NotFoundError
        If no corridor has been saved.
    """
    origin = session.get(CorridorRow, 1)
    if origin is None:
        raise NotFoundError("The database holds no corridor; load one first.")
    roads = tuple(_road(row) for row in session.scalars(select(RoadRow).order_by(RoadRow.road_id)))
    fences = {row.site_id: to_shape(row.geom) for row in session.scalars(select(GeofenceRow))}
    sites: dict[str, Site] = {}
    for row in session.scalars(select(SiteRow).order_by(SiteRow.position)):
        point, fence = to_shape(row.geom), fences.get(row.site_id)
        assert isinstance(point, Point)
        assert fence is None or isinstance(fence, Polygon)
        sites[row.site_id] = Site(
            site_id=row.site_id,
            kind=row.kind,
            gate_id=row.gate_id,
            name={"vi": row.name_vi, "en": row.name_en, "zh": row.name_zh},
            road=row.road,
            km=row.km,
            lon=point.x,
            lat=point.y,
            attributes=row.attributes.copy(),
            source=row.source,
            provenance=dict(row.provenance),
            geofence=fence,
        )
    return Corridor(roads=roads, sites=sites, attribution=origin.attribution, license=origin.license)


def find_site_names(session: Session, site_ids: Collection[str | None]) -> dict[str, dict[str, str]]:
    """The names of some sites by language."""
    rows = session.execute(
        select(SiteRow.site_id, SiteRow.name_vi, SiteRow.name_en, SiteRow.name_zh).where(SiteRow.site_id.in_(site_ids))
    )
    return {site_id: {"vi": vi, "en": en, "zh": zh} for site_id, vi, en, zh in rows}


def _road(row: RoadRow) -> Road:
    line = to_shape(row.geom)
    assert isinstance(line, LineString)
    direction: Direction = "to_border" if row.direction == "to_border" else "from_border"
    fields = {field: getattr(row, field) for field in _SAME_ROAD_FIELDS}
    return Road(**{**fields, "direction": direction}, geometry=line)
