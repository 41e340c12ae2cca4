"""Fixes, last positions and site events in PostgreSQL: COPY in, partitions by UTC day. Nothing here commits."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, text

from ingest.latest import LATEST, NEVER

FIX_COLUMNS = (
    "vehicle_id, time, device_id, geom, speed_mps, heading_deg, accuracy_m, road_id, offset_m, km, direction, status, "
    "flags, received_at, attributes"
)
LAST_COLUMNS = f"{FIX_COLUMNS}, edge_id, site_id, motion, passage"
_LAST_UPDATES = ", ".join(
    f"{name.strip()} = excluded.{name.strip()}" for name in LAST_COLUMNS.split(",") if name.strip() != "vehicle_id"
)
_KEEP_NEW = (
    f"INSERT INTO ingest.fix ({FIX_COLUMNS}) SELECT {FIX_COLUMNS} FROM fix_staging "  # noqa: S608 - our own names
    "ON CONFLICT (vehicle_id, time) DO NOTHING"
)
_ADVANCE = (
    f"INSERT INTO ingest.last_position ({LAST_COLUMNS}) SELECT {LAST_COLUMNS} FROM last_staging "  # noqa: S608 - likewise
    f"ON CONFLICT (vehicle_id) DO UPDATE SET {_LAST_UPDATES} WHERE excluded.time > ingest.last_position.time"
)
_PARTITION_LOCK = 0x666978  # "fix"


def ensure_partitions(connection: Connection, first: date, last: date) -> list[date]:
    """Make the daily partitions from `first` to `last` that do not exist yet; the days made."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _PARTITION_LOCK})
    present = set(partition_days(connection))
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    made = [day for day in days if day not in present]
    for day in made:
        # Days are dates of ours, not text of anybody's: identifiers and bounds cannot be bound parameters here.
        connection.execute(
            text(
                f"CREATE TABLE ingest.{_name(day)} PARTITION OF ingest.fix "
                f"FOR VALUES FROM ('{day}T00:00:00Z') TO ('{day + timedelta(days=1)}T00:00:00Z')"
            )
        )
    return made


def drop_old_partitions(connection: Connection, retention_days: int, now: datetime) -> list[date]:
    """Drop the partitions of days that are wholly older than the retention; the days dropped."""
    limit = oldest_day(now, retention_days)
    old = [day for day in partition_days(connection) if day < limit]
    if old:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _PARTITION_LOCK})
    for day in old:
        connection.execute(text(f"DROP TABLE IF EXISTS ingest.{_name(day)}"))
    return old


def drop_old_positions(connection: Connection, oldest: date) -> list[int]:
    """Remove last positions of days of which no fixes are kept; the vehicles."""
    return list(
        connection.scalars(
            text("DELETE FROM ingest.last_position WHERE time < CAST(:oldest AS date) RETURNING vehicle_id"),
            {"oldest": oldest},
        )
    )


def oldest_day(now: datetime, retention_days: int) -> date:
    """The first UTC day of which fixes are kept."""
    return (now.astimezone(UTC) - timedelta(days=retention_days)).date()


def partition_days(connection: Connection) -> list[date]:
    """The days that have a partition, ascending."""
    names = connection.scalars(
        text(
            "SELECT child.relname FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid "
            "WHERE inhparent = 'ingest.fix'::regclass AND child.relname ~ '^fix_[0-9]{8}$' ORDER BY 1"
        )
    )
    return [date(int(name[4:8]), int(name[8:10]), int(name[10:12])) for name in names]


def load_latest(connection: Connection, vehicle_ids: Sequence[int], site_ids: Sequence[str]) -> npt.NDArray[np.void]:
    """The last positions of vehicles as rows of `LATEST`, in any order; `site` points into `site_ids`."""
    found = connection.execute(
        text(
            "SELECT vehicle_id, (extract(epoch FROM time) * 1000000)::bigint, ST_X(geom), ST_Y(geom), road_id, "
            "offset_m, direction, site_id, passage FROM ingest.last_position WHERE vehicle_id = ANY(:ids)"
        ),
        {"ids": list(vehicle_ids)},
    ).all()
    site = {site_id: number for number, site_id in enumerate(site_ids)}
    rows = np.zeros(len(found), LATEST)
    for number, (vehicle_id, time_us, lon, lat, road_id, offset_m, direction, site_id, passage) in enumerate(found):
        rows[number] = (
            vehicle_id,
            time_us,
            lon,
            lat,
            -1 if road_id is None else road_id,
            np.nan if offset_m is None else offset_m,
            direction,
            site.get(site_id, -1),
            passage,
            NEVER,
            0.0,
            0.0,
        )
    return rows


def copy_fixes(connection: Connection, stream: bytes) -> int:
    """COPY fixes that are certainly new straight into the table; how many."""
    return _copy(connection, f"COPY ingest.fix ({FIX_COLUMNS}) FROM STDIN (FORMAT binary)", stream)


def insert_fixes(connection: Connection, stream: bytes) -> int:
    """COPY fixes by way of a temporary table and keep those that are not there yet; how many were new."""
    connection.execute(text("CREATE TEMP TABLE IF NOT EXISTS fix_staging (LIKE ingest.fix) ON COMMIT DELETE ROWS"))
    _copy(connection, f"COPY fix_staging ({FIX_COLUMNS}) FROM STDIN (FORMAT binary)", stream)
    return connection.execute(text(_KEEP_NEW)).rowcount


def upsert_last_positions(connection: Connection, stream: bytes) -> None:
    """Advance last positions; one that is not newer than the stored one changes nothing."""
    connection.execute(
        text("CREATE TEMP TABLE IF NOT EXISTS last_staging (LIKE ingest.last_position) ON COMMIT DELETE ROWS")
    )
    _copy(connection, f"COPY last_staging ({LAST_COLUMNS}) FROM STDIN (FORMAT binary)", stream)
    connection.execute(text(_ADVANCE))


def insert_site_events(
    connection: Connection,
    vehicle_ids: Sequence[int],
    site_ids: Sequence[str],
    kinds: Sequence[str],
    times: Sequence[datetime],
) -> int:
    """Record geofences entered and left by GPS; one already there is not repeated. How many were new."""
    return connection.execute(
        text(
            "INSERT INTO ingest.site_event (vehicle_id, site_id, kind, time, source) "
            "SELECT vehicle_id, site_id, kind, time, 'gps' FROM unnest(CAST(:vehicle_ids AS int[]), "
            "CAST(:site_ids AS text[]), CAST(:kinds AS text[]), CAST(:times AS timestamptz[])) "
            "AS event(vehicle_id, site_id, kind, time) ON CONFLICT DO NOTHING"
        ),
        {"vehicle_ids": list(vehicle_ids), "site_ids": list(site_ids), "kinds": list(kinds), "times": list(times)},
    ).rowcount


def load_plates(connection: Connection, vehicle_ids: Sequence[int]) -> dict[int, str]:
    """Plates, as shown, by vehicle."""
    rows = connection.execute(
        text("SELECT vehicle_id, plate FROM ingest.vehicle WHERE vehicle_id = ANY(:ids)"), {"ids": list(vehicle_ids)}
    )
    return {vehicle_id: plate for vehicle_id, plate in rows}


def _name(day: date) -> str:
    return f"fix_{day:%Y%m%d}"


def _copy(connection: Connection, statement: str, stream: bytes) -> int:
    with cast(Any, connection.connection).cursor() as cursor:
        cursor.copy_expert(statement, io.BytesIO(stream), size=1 << 20)
        return int(cursor.rowcount)
