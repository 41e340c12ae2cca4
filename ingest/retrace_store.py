"""Queries that take a vehicle's stored way again: fixes, their flags, site events, last position. Nothing commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, text

STORED = np.dtype(
    [
        ("time_us", "i8"),
        ("lon", "f8"),
        ("lat", "f8"),
        ("accuracy_m", "f8"),
        ("device_id", "i8"),
        ("flags", "i8"),
        ("status", "i8"),
        ("speed_mps", "f8"),
    ]
)
"""A stored fix, as far as retracing needs it; unknown measurements are NaN."""

_COLUMNS = (
    "(extract(epoch FROM time) * 1000000)::bigint, ST_X(geom), ST_Y(geom), coalesce(accuracy_m, 'NaN'), device_id, "
    "flags, status, coalesce(speed_mps, 'NaN')"
)
_LAST_FROM_FIX = (
    "device_id, geom, heading_deg, accuracy_m, road_id, offset_m, km, direction, status, flags, received_at, attributes"
)


@dataclass(frozen=True, slots=True)
class Way:
    """A vehicle whose way is to be taken again, from when to when fixes came late."""

    vehicle_id: int
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A geofence entered or left, as stored."""

    event_id: int
    site_id: str
    kind: str
    time: datetime


def add_ways(connection: Connection, ways: Sequence[Way]) -> None:
    """Ask for ways to be taken again; what was asked before of a vehicle grows."""
    if ways:
        connection.execute(
            text(
                "INSERT INTO ingest.way_to_retrace AS known (vehicle_id, since, until) "
                "VALUES (:vehicle_id, :since, :until) ON CONFLICT (vehicle_id) DO UPDATE "
                "SET since = least(known.since, excluded.since), until = greatest(known.until, excluded.until)"
            ),
            [
                {"vehicle_id": way.vehicle_id, "since": way.since, "until": way.until}
                for way in sorted(ways, key=lambda way: way.vehicle_id)
            ],
        )


def take_ways(connection: Connection, shards: Sequence[int], shard_count: int, limit: int) -> list[Way]:
    """Up to `limit` ways of vehicles of these shards; they are no longer asked for once this is committed."""
    rows = connection.execute(
        text(
            "DELETE FROM ingest.way_to_retrace WHERE vehicle_id IN (SELECT vehicle_id FROM ingest.way_to_retrace "
            "WHERE vehicle_id % :count = ANY(:shards) ORDER BY vehicle_id LIMIT :limit FOR UPDATE SKIP LOCKED) "
            "RETURNING vehicle_id, since, until"
        ),
        {"count": shard_count, "shards": list(shards), "limit": limit},
    )
    return [Way(*row) for row in rows]


def fixes_before(connection: Connection, vehicle_id: int, before: datetime, limit: int) -> npt.NDArray[np.void]:
    """The last `limit` fixes of a vehicle before a time, newest first, as `STORED`."""
    return _fixes(connection, vehicle_id, "time < :before ORDER BY time DESC LIMIT :limit", before=before, limit=limit)


def last_without(connection: Connection, vehicle_id: int, before: datetime, flags: int) -> npt.NDArray[np.void]:
    """The last fix of a vehicle before a time that bears none of `flags`, as `STORED` of shape (0,) or (1,)."""
    which = "time < :before AND flags & :flags = 0 ORDER BY time DESC LIMIT 1"
    return _fixes(connection, vehicle_id, which, before=before, flags=flags)


def fixes_from(connection: Connection, vehicle_id: int, since: datetime, limit: int) -> npt.NDArray[np.void]:
    """The first `limit` fixes of a vehicle from a time on, in order, as `STORED`."""
    return _fixes(connection, vehicle_id, "time >= :since ORDER BY time LIMIT :limit", since=since, limit=limit)


def _fixes(connection: Connection, vehicle_id: int, which: str, **values: object) -> npt.NDArray[np.void]:
    rows = connection.execute(
        text(f"SELECT {_COLUMNS} FROM ingest.fix WHERE vehicle_id = :vehicle_id AND {which}"),  # noqa: S608 - constants
        {"vehicle_id": vehicle_id, **values},
    )
    return np.array([tuple(row) for row in rows], STORED)


def site_at(connection: Connection, vehicle_id: int, moment: datetime) -> str | None:
    """The geofence in which GPS had a vehicle at a moment."""
    row = connection.execute(
        text(
            "SELECT site_id, kind FROM ingest.site_event WHERE vehicle_id = :vehicle_id AND source = 'gps' "
            "AND time <= :moment ORDER BY time DESC, kind LIMIT 1"
        ),
        {"vehicle_id": vehicle_id, "moment": moment},
    ).first()
    return row.site_id if row is not None and row.kind == "enter" else None


def events_between(connection: Connection, vehicle_id: int, since: datetime, until: datetime) -> list[StoredEvent]:
    """Geofences that GPS had a vehicle enter and leave in [`since`, `until`]."""
    rows = connection.execute(
        text(
            "SELECT event_id, site_id, kind, time FROM ingest.site_event WHERE vehicle_id = :vehicle_id "
            "AND source = 'gps' AND time >= :since AND time <= :until ORDER BY time, event_id"
        ),
        {"vehicle_id": vehicle_id, "since": since, "until": until},
    )
    return [StoredEvent(*row) for row in rows]


def withdraw_events(connection: Connection, event_ids: Sequence[int]) -> None:
    """Remove site events that did not happen."""
    connection.execute(text("DELETE FROM ingest.site_event WHERE event_id = ANY(:ids)"), {"ids": list(event_ids)})


def tell_again(connection: Connection, vehicle_id: int) -> None:
    """Give the newest GPS event of a vehicle a new number, so that whoever reads what is new looks at it again."""
    connection.execute(
        text(
            "UPDATE ingest.site_event SET event_id = nextval(pg_get_serial_sequence('ingest.site_event', 'event_id')) "
            "WHERE event_id = (SELECT event_id FROM ingest.site_event WHERE vehicle_id = :vehicle_id "
            "AND source = 'gps' ORDER BY time DESC, event_id DESC LIMIT 1)"
        ),
        {"vehicle_id": vehicle_id},
    )


def set_flags(connection: Connection, vehicle_id: int, times: Sequence[datetime], flags: Sequence[int]) -> None:
    """Set the flags of fixes of a vehicle."""
    connection.execute(
        text(
            "UPDATE ingest.fix f SET flags = n.flags FROM unnest(CAST(:times AS timestamptz[]), CAST(:flags AS int[])) "
            "AS n (time, flags) WHERE f.vehicle_id = :vehicle_id AND f.time = n.time"
        ),
        {"vehicle_id": vehicle_id, "times": list(times), "flags": list(flags)},
    )


def set_last_position(
    connection: Connection,
    vehicle_id: int,
    time: datetime,
    *,
    speed_mps: float | None,
    edge_ids: Sequence[str],
    site_id: str | None,
    motion: str,
) -> bool:
    """Make a stored fix the last position of its vehicle, if it is not that already; whether anything changed.

    The newest position's own speed may be derived and stays if the fix is the same one. `edge_ids` are those of roads.
    """
    return bool(
        connection.execute(
            text(
                f"UPDATE ingest.last_position p SET ({_LAST_FROM_FIX}) = ROW({_prefixed('f')}), "  # noqa: S608
                "speed_mps = CASE WHEN p.time = f.time THEN p.speed_mps ELSE :speed_mps END, time = f.time, "
                "edge_id = (CAST(:edge_ids AS text[]))[f.road_id + 1], site_id = :site_id, motion = :motion "
                "FROM ingest.fix f WHERE p.vehicle_id = :vehicle_id AND f.vehicle_id = :vehicle_id AND f.time = :time "
                "AND (p.time <> f.time OR p.site_id IS DISTINCT FROM :site_id OR p.device_id <> f.device_id)"
            ),
            {
                "vehicle_id": vehicle_id,
                "time": time,
                "speed_mps": speed_mps,
                "edge_ids": list(edge_ids),
                "site_id": site_id,
                "motion": motion,
            },
        ).rowcount
    )


def _prefixed(name: str) -> str:
    return ", ".join(f"{name}.{column}" for column in _LAST_FROM_FIX.split(", "))
