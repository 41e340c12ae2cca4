"""Queries on how devices fare: last heard and kept, refusals, gaps, battery, clock, unit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, select, text
from sqlalchemy.orm import Session

from app.tracking.position_store import WHEREABOUTS, Whereabouts
from app.trips.service import Trip, TripPlace, is_current
from geo.motion import STANDING_MPS
from ingest.store import heard_at, refused_as
from ingest.tables import Device, DeviceRefusal, DeviceTrait, LastPosition, Vehicle


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A device in use with its vehicle, what is known of it, and its vehicle's last position and place."""

    number: int
    hint: str
    kind: str
    vehicle_id: int
    plate: str
    heard_at: datetime | None
    refused: str | None
    kept_at: datetime | None
    clock_shift_s: int | None
    weeks_rolled: bool | None
    clock_offset_s: float | None
    speed_factor: float | None
    speed_set: bool | None
    position_at: datetime | None
    position_device: int | None
    speed_mps: float | None
    battery: str | None
    place: Whereabouts


@dataclass(frozen=True, slots=True)
class Refused:
    """Reports of a device refused for a reason: how many, from when to when, what was wrong with the last."""

    device_id: int
    reason: str
    count: int
    first_at: datetime
    last_at: datetime
    detail: str


@dataclass(frozen=True, slots=True)
class Gaps:
    """The gaps between a device's fixes of a span, seconds, and how many of them break the regulation's limits.

    `moving` and `standing` are gaps after a fix that moved or stood longer than the limit, `relay` fixes that were
    received later than they may be.
    """

    device_id: int
    fixes: int
    median_s: float | None
    p95_s: float | None
    longest_s: float | None
    moving: int
    standing: int
    relay: int


def list_devices(session: Session, visible: ColumnElement[bool], *, after: int, limit: int) -> list[DeviceRow]:
    """Up to `limit` devices in use after number `after` that the condition on `Device` lets through, by number."""
    query = (
        select(
            Device.device_id,
            Device.key_hint,
            Device.kind,
            Device.vehicle_id,
            Vehicle.plate,
            heard_at(),
            refused_as(),
            DeviceTrait.last_kept_at,
            DeviceTrait.clock_shift_s,
            DeviceTrait.weeks_rolled,
            DeviceTrait.clock_offset_s,
            DeviceTrait.speed_factor,
            DeviceTrait.speed_set,
            LastPosition.time,
            LastPosition.device_id,
            LastPosition.speed_mps,
            LastPosition.attributes["battery"].astext,
            *WHEREABOUTS,
        )
        .join(Vehicle, Vehicle.vehicle_id == Device.vehicle_id)
        .outerjoin(DeviceTrait, DeviceTrait.device_id == Device.device_id)
        .outerjoin(LastPosition, LastPosition.vehicle_id == Device.vehicle_id)
        .outerjoin(Trip, and_(Trip.vehicle_id == Device.vehicle_id, is_current()))
        .outerjoin(TripPlace, and_(TripPlace.trip_id == Trip.trip_id, TripPlace.ended_at.is_(None)))
        .where(visible, Device.revoked_at.is_(None), Device.device_id > after)
        .order_by(Device.device_id)
        .limit(limit)
    )
    own = -len(WHEREABOUTS)
    found: Iterable[Sequence[Any]] = session.execute(query)
    return [DeviceRow(*(*row[:own], Whereabouts(*row[own:]))) for row in found]


def list_refusals(session: Session, device_ids: Sequence[int]) -> dict[int, list[Refused]]:
    """What was refused of devices, newest first."""
    found: dict[int, list[Refused]] = defaultdict(list)
    query = (
        select(
            DeviceRefusal.device_id,
            DeviceRefusal.reason,
            DeviceRefusal.count,
            DeviceRefusal.first_at,
            DeviceRefusal.last_at,
            DeviceRefusal.detail,
        )
        .where(DeviceRefusal.device_id.in_(device_ids))
        .order_by(DeviceRefusal.last_at.desc(), DeviceRefusal.reason)
    )
    for row in session.execute(query):
        found[row.device_id].append(Refused(*row))
    return found


def load_gaps(
    session: Session,
    devices: Sequence[tuple[int, int]],
    since: datetime,
    *,
    moving_s: float,
    standing_s: float,
    relay_s: float,
) -> dict[int, Gaps]:
    """The gaps of devices, given as (device, vehicle), since a time; limits are those of `Gaps`."""
    query = text(
        """
        WITH own AS (
            SELECT f.device_id, f.time, f.speed_mps, f.received_at,
                   extract(epoch FROM f.time - lag(f.time) OVER w)::float8 AS gap_s,
                   lag(f.speed_mps) OVER w AS before_mps
            FROM unnest(CAST(:device_ids AS bigint[]), CAST(:vehicle_ids AS int[])) AS d (device_id, vehicle_id)
            JOIN ingest.fix f ON f.vehicle_id = d.vehicle_id AND f.device_id = d.device_id AND f.time >= :since
            WINDOW w AS (PARTITION BY f.device_id ORDER BY f.time)
        )
        SELECT device_id, count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY gap_s),
               percentile_cont(0.95) WITHIN GROUP (ORDER BY gap_s), max(gap_s),
               count(*) FILTER (WHERE gap_s > :moving_s AND before_mps >= :standing_mps),
               count(*) FILTER (WHERE gap_s > :standing_s AND coalesce(before_mps, 0) < :standing_mps),
               count(*) FILTER (WHERE received_at - time > make_interval(secs => :relay_s))
        FROM own GROUP BY device_id
        """
    )
    values = {
        "device_ids": [device_id for device_id, _ in devices],
        "vehicle_ids": [vehicle_id for _, vehicle_id in devices],
        "since": since,
        "moving_s": moving_s,
        "standing_s": standing_s,
        "relay_s": relay_s,
        "standing_mps": STANDING_MPS,
    }
    return {row[0]: Gaps(*row) for row in session.execute(query, values)} if devices else {}


def find_shared_places(session: Session, since: datetime, least: int) -> list[tuple[list[int], float, float]]:
    """Exactly equal coordinates that at least `least` vehicles report since a time: their devices, degrees.

    Coordinates of four decimals or fewer are a tracker's rounding, and many trucks may share one.
    """
    rows = session.execute(
        text(
            """
            SELECT array_agg(device_id ORDER BY device_id), ST_X(geom), ST_Y(geom) FROM ingest.last_position
            WHERE time >= :since AND device_id > 0
                AND abs(ST_X(geom) * 10000 - round(ST_X(geom) * 10000)) > 0.001
                AND abs(ST_Y(geom) * 10000 - round(ST_Y(geom) * 10000)) > 0.001
            GROUP BY geom HAVING count(*) >= :least
            """
        ),
        {"since": since, "least": least},
    )
    return [(list(ids), lon, lat) for ids, lon, lat in rows]
