"""Fixes, last positions and site events in PostgreSQL: COPY in, partitions by UTC day. Nothing here commits."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, text

from ingest.fixes import FLAG_JUMP, FLAG_SECOND
from ingest.latest import LATEST, NEVER, add_suspect

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
    for day in made:  # by a function of the owner's: the application's role makes no tables
        connection.execute(text("SELECT ingest.add_fix_day(:day)"), {"day": day})
    return made


def drop_old_partitions(connection: Connection, retention_days: int, now: datetime, *, max_days: int) -> list[date]:
    """Drop up to `max_days` partitions of days that are wholly older than the retention, oldest first; the days."""
    limit = oldest_day(now, retention_days)
    old = [day for day in partition_days(connection) if day < limit][:max_days]
    if old:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _PARTITION_LOCK})
    for day in old:
        connection.execute(text("SELECT ingest.drop_fix_day(:day)"), {"day": day})
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
            "SELECT vehicle_id, (extract(epoch FROM time) * 1000000)::bigint, ST_X(geom), ST_Y(geom), "
            "coalesce(road_id, -1), coalesce(offset_m, 'NaN'), direction, site_id, passage, greatest(device_id, 0) "
            "FROM ingest.last_position WHERE vehicle_id = ANY(:ids)"
        ),
        {"ids": list(vehicle_ids)},
    ).all()
    site = {site_id: number for number, site_id in enumerate(site_ids)}
    rows = np.zeros(len(found), LATEST)
    names = ["vehicle_id", "time_us", "lon", "lat", "road_id", "offset_m", "direction", "passage", "leader_id"]
    for number, (*place, site_id, passage, leader_id) in enumerate(found):
        rows[names][number] = (*place, passage, leader_id)
        rows["site"][number] = site.get(site_id, -1)
    rows["suspect_us"] = NEVER
    for name in ("leader_us", "leader_since_us", "stored_us"):
        rows[name] = rows["time_us"]
    _add_newer(connection, rows)
    return rows


def _add_newer(connection: Connection, rows: npt.NDArray[np.void]) -> None:
    """Add to rows of `LATEST` what was stored after the last position: fixes out of reach, another receiver's."""
    row_of = {vehicle_id: number for number, vehicle_id in enumerate(rows["vehicle_id"].tolist())}
    newer = connection.execute(
        text(
            "SELECT f.vehicle_id, (extract(epoch FROM f.time) * 1000000)::bigint, ST_X(f.geom), ST_Y(f.geom), "
            "coalesce(f.accuracy_m, 'NaN'), f.device_id, f.flags FROM ingest.last_position p CROSS JOIN LATERAL ("
            "SELECT * FROM ingest.fix f WHERE f.vehicle_id = p.vehicle_id AND f.time > p.time "
            "ORDER BY f.time DESC LIMIT 64) f WHERE p.vehicle_id = ANY(:ids) ORDER BY f.vehicle_id, f.time"
        ),
        {"ids": list(row_of)},
    )
    for vehicle_id, time_us, lon, lat, accuracy_m, device_id, flags in newer:
        row = rows[row_of[vehicle_id]]
        row["stored_us"] = time_us
        if flags & FLAG_SECOND:
            continue
        if device_id > 0:
            row["leader_id"], row["leader_us"], row["leader_since_us"] = device_id, time_us, time_us
        if flags & FLAG_JUMP:
            add_suspect(row, time_us, lon, lat, accuracy_m)


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


def _copy(connection: Connection, statement: str, stream: bytes) -> int:
    with cast(Any, connection.connection).cursor() as cursor:
        cursor.copy_expert(statement, io.BytesIO(stream), size=1 << 20)
        return int(cursor.rowcount)
