"""The query of the trucks that an order goes to. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import ColumnElement, and_, exists, func, select
from sqlalchemy.orm import Session

from app.accounts.service import Account
from app.dispatch.selection import Selection
from app.trips.service import Trip, is_current
from geo.database import records
from geo.tables import RoadRow
from ingest.tables import Device, LastPosition, Vehicle


@dataclass(frozen=True)
class SelectedTruck:
    """A truck that meets a selection: its open trip, driver and last position (EPSG:4326), `None` where it has none.

    `km` on `road` counts from the border.
    """

    vehicle_id: int
    plate: str
    trip_id: int | None
    gate_id: str | None
    goods_class: str | None
    regime: str | None
    perishable: bool | None
    stage: str | None
    driver_id: int | None
    has_device: bool
    road: str | None
    km: float | None
    position_time: datetime | None
    lon: float | None
    lat: float | None
    facts: Mapping[str, object] | None = None
    """What the declaration of its trip says beside the class of its goods."""


def select_vehicles(session: Session, wanted: Selection, now: datetime) -> list[SelectedTruck]:
    """Trucks that meet all criteria of a selection, with their open trip, place and driver; its limit not applied."""
    driver_id = func.coalesce(
        Trip.driver_id,
        select(func.max(Account.account_id))
        .where(Account.vehicle_id == Vehicle.vehicle_id, Account.role == "driver", Account.disabled_at.is_(None))
        .scalar_subquery(),
    )
    query = (
        select(
            Vehicle.vehicle_id,
            Vehicle.plate,
            Trip.trip_id,
            Trip.gate_id,
            Trip.goods_class,
            Trip.regime,
            Trip.perishable,
            Trip.stage,
            driver_id.label("driver_id"),
            exists().where(Device.vehicle_id == Vehicle.vehicle_id, Device.revoked_at.is_(None)).label("has_device"),
            RoadRow.road,
            LastPosition.km,
            LastPosition.time.label("position_time"),
            func.ST_X(LastPosition.geom).label("lon"),
            func.ST_Y(LastPosition.geom).label("lat"),
            Trip.facts,
        )
        .outerjoin(LastPosition, LastPosition.vehicle_id == Vehicle.vehicle_id)
        .outerjoin(RoadRow, RoadRow.road_id == LastPosition.road_id)
        .outerjoin(Trip, and_(Trip.vehicle_id == Vehicle.vehicle_id, is_current()))
        .where(Vehicle.kind == "truck", *_criteria(wanted, now))
        .order_by(Vehicle.vehicle_id)
    )
    return records(SelectedTruck, session.execute(query))


def _criteria(wanted: Selection, now: datetime) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.vehicle_ids is not None:
        found.append(Vehicle.vehicle_id.in_(wanted.vehicle_ids))
    else:
        found.append(LastPosition.time >= now - wanted.seen_within)
    if wanted.stretch is not None:
        found.append(RoadRow.road == wanted.stretch.road)
        found.append(LastPosition.km.between(wanted.stretch.km_from, wanted.stretch.km_to))
        if wanted.stretch.direction:
            found.append(LastPosition.direction == wanted.stretch.direction)
    if wanted.area is not None:
        polygon = func.ST_SetSRID(func.ST_GeomFromGeoJSON(orjson.dumps(wanted.area).decode()), 4326)
        found.append(func.ST_Intersects(LastPosition.geom, polygon))
    if wanted.site_id is not None:
        found.append(LastPosition.site_id == wanted.site_id)
    if wanted.gate_id is not None:
        found.append(Trip.gate_id == wanted.gate_id)
    if wanted.goods_classes:
        found.append(Trip.goods_class.in_(wanted.goods_classes))
    if wanted.perishable is not None:
        found.append(Trip.perishable.is_(wanted.perishable))
    if wanted.regimes:
        found.append(Trip.regime.in_(wanted.regimes))
    if wanted.stages:
        found.append(Trip.stage.in_(wanted.stages))
    return found
