"""The position of a vehicle as the worker publishes it: in the channel `ck:positions` and the hash `ck:last`."""

from __future__ import annotations

from typing import TypedDict


class PublishedPosition(TypedDict):
    """The newest trusted fix of a vehicle, placed on the corridor.

    `time` is RFC 3339 in UTC, `lon` and `lat` are EPSG:4326, `km` counts from the border, `direction` is that of
    `geo.matching`, `site` the site whose geofence it is in and `gate` that site's gate. What is not known is `None`, or
    NaN among the numbers, which JSON writes as null.
    """

    vehicle_id: int
    plate: str | None
    time: str
    lon: float
    lat: float
    speed_mps: float | None
    heading_deg: float | None
    edge_id: str | None
    road: str | None
    km: float | None
    direction: int
    site: str | None
    gate: str | None
    state: str
