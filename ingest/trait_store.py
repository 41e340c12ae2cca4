"""Queries on what is known of each device's clock and unit, and on what of it was refused. Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

Database = Session | Connection


@dataclass(frozen=True, slots=True)
class RefusalNote:
    """Reports of a device that were refused for a reason: how many, from when to when, what was wrong with the last."""

    device_id: int
    reason: str
    count: int
    first_at: datetime
    last_at: datetime
    detail: str


class FakedFix(NamedTuple):
    """A position that the phone itself says is faked. Degrees, m/s, metres; unknown measurements are `None`."""

    device_id: int
    time: datetime
    vehicle_id: int
    received_at: datetime
    lon: float
    lat: float
    speed_mps: float | None
    accuracy_m: float | None


class Heard(NamedTuple):
    """When a device was last heard, the time of its newest fix, how far its clock is ahead (s, `None` unknown)."""

    device_id: int
    received_at: datetime
    kept_at: datetime
    offset_s: float | None


def add_refusals(database: Database, notes: Sequence[RefusalNote]) -> None:
    """Add to what was refused of devices."""
    ordered = sorted(notes, key=lambda note: (note.device_id, note.reason))  # one order for all, against deadlocks
    if ordered:
        database.execute(
            text(
                "INSERT INTO ingest.device_refusal AS known (device_id, reason, count, first_at, last_at, detail) "
                "VALUES (:device_id, :reason, :count, :first_at, :last_at, :detail) "
                "ON CONFLICT (device_id, reason) DO UPDATE SET count = known.count + excluded.count, "
                "detail = CASE WHEN excluded.last_at >= known.last_at THEN excluded.detail ELSE known.detail END, "
                "last_at = greatest(known.last_at, excluded.last_at)"
            ),
            [asdict(note) for note in ordered],
        )


def set_refusal(database: Database, note: RefusalNote) -> None:
    """Keep a finding about a device that is looked at again and again: it counts once a time."""
    database.execute(
        text(
            "INSERT INTO ingest.device_refusal AS known (device_id, reason, count, first_at, last_at, detail) "
            "VALUES (:device_id, :reason, :count, :first_at, :last_at, :detail) "
            "ON CONFLICT (device_id, reason) DO UPDATE SET count = known.count + excluded.count, "
            "detail = excluded.detail, last_at = excluded.last_at WHERE excluded.last_at > known.last_at"
        ),
        asdict(note),
    )


def add_faked(database: Database, fixes: Sequence[FakedFix]) -> None:
    """Keep faked positions apart; one already there is not repeated."""
    if fixes:
        database.execute(
            text(
                "INSERT INTO ingest.faked_fix (device_id, time, vehicle_id, received_at, geom, speed_mps, accuracy_m) "
                "VALUES (:device_id, :time, :vehicle_id, :received_at, "
                "ST_SetSRID(ST_MakePoint(:lon, :lat), 4326), :speed_mps, :accuracy_m) ON CONFLICT DO NOTHING"
            ),
            [fix._asdict() for fix in fixes],
        )


def drop_old(connection: Connection, oldest: date) -> None:
    """Forget faked positions and refusals of days before `oldest` (UTC), of which no fixes are kept."""
    for query in (
        text("DELETE FROM ingest.faked_fix WHERE received_at < CAST(:oldest AS date)"),
        text("DELETE FROM ingest.device_refusal WHERE last_at < CAST(:oldest AS date)"),
    ):
        connection.execute(query, {"oldest": oldest})


def add_clock_shift(database: Database, device_id: int, shift_s: int, *, now: datetime) -> int:
    """Add to how far a device's clock is ahead, seconds; the sum."""
    return int(
        database.execute(
            text(
                "INSERT INTO ingest.device_trait AS known (device_id, clock_shift_s, clock_learned_at) "
                "VALUES (:device_id, :shift_s, :now) ON CONFLICT (device_id) DO UPDATE "
                "SET clock_shift_s = known.clock_shift_s + excluded.clock_shift_s, clock_learned_at = :now "
                "RETURNING clock_shift_s"
            ),
            {"device_id": device_id, "shift_s": shift_s, "now": now},
        ).scalar_one()
    )


def set_clock_shift(database: Database, device_id: int, shift_s: int, *, assumed_s: int, now: datetime) -> int:
    """Keep how far a device's clock is ahead, seconds, unless it is no longer what was assumed; what is kept then.

    Several processes learn from the same reports, and one may try again: the shift is taken once.
    """
    values = {"device_id": device_id, "shift_s": shift_s, "assumed_s": assumed_s, "now": now}
    database.execute(
        text(
            "INSERT INTO ingest.device_trait AS known (device_id, clock_shift_s, clock_learned_at) "
            "VALUES (:device_id, :shift_s, :now) ON CONFLICT (device_id) DO UPDATE "
            "SET clock_shift_s = excluded.clock_shift_s, clock_learned_at = :now "
            "WHERE known.clock_shift_s = :assumed_s"
        ),
        values,
    )
    query = text("SELECT clock_shift_s FROM ingest.device_trait WHERE device_id = :device_id")
    return int(database.execute(query, values).scalar_one())


def mark_weeks_rolled(database: Database, device_ids: Sequence[int], *, now: datetime) -> None:
    """Keep that devices date their reports 1,024 weeks early."""
    database.execute(
        text(
            "INSERT INTO ingest.device_trait AS known (device_id, weeks_rolled, clock_learned_at) "
            "SELECT device_id, true, :now FROM unnest(CAST(:ids AS bigint[])) AS found (device_id) ORDER BY 1 "
            "ON CONFLICT (device_id) DO UPDATE SET weeks_rolled = true, clock_learned_at = :now "
            "WHERE NOT known.weeks_rolled"
        ),
        {"ids": sorted(set(device_ids)), "now": now},
    )


def load_speed_factors(connection: Connection, device_ids: Sequence[int]) -> dict[int, tuple[float, bool]]:
    """Of devices whose unit is known, by what their speeds are multiplied, and whether a person said so."""
    rows = connection.execute(
        text("SELECT device_id, speed_factor, speed_set FROM ingest.device_trait WHERE device_id = ANY(:ids)"),
        {"ids": list(device_ids)},
    )
    return {device_id: (factor, is_set) for device_id, factor, is_set in rows}


def save_speed_factor(connection: Connection, device_id: int, factor: float, *, now: datetime) -> None:
    """Keep by what a device's speeds are multiplied as learned, unless a person said so."""
    connection.execute(
        text(
            "INSERT INTO ingest.device_trait AS known (device_id, speed_factor, speed_learned_at) "
            "VALUES (:device_id, :factor, :now) ON CONFLICT (device_id) DO UPDATE "
            "SET speed_factor = excluded.speed_factor, speed_learned_at = :now WHERE NOT known.speed_set"
        ),
        {"device_id": device_id, "factor": factor, "now": now},
    )


def set_speed_factor(session: Session, device_id: int, factor: float, *, is_set: bool, now: datetime) -> None:
    """Keep by what a device's speeds are multiplied as a person says (`is_set`), or let it be learned again."""
    session.execute(
        text(
            "INSERT INTO ingest.device_trait AS known (device_id, speed_factor, speed_set, speed_learned_at) "
            "VALUES (:device_id, :factor, :is_set, :now) ON CONFLICT (device_id) DO UPDATE "
            "SET speed_factor = excluded.speed_factor, speed_set = excluded.speed_set, speed_learned_at = :now"
        ),
        {"device_id": device_id, "factor": factor, "is_set": is_set, "now": now},
    )


def correct_speeds(
    connection: Connection, device_id: int, ratio: float, since: datetime, *, flag: int, skip: int
) -> int:
    """Multiply the speeds stored of a device since a time by `ratio` (0: they are unknown), marked; how many.

    Those that bear a flag of `skip` stay.
    """
    return connection.execute(
        text(
            "UPDATE ingest.fix SET speed_mps = CASE WHEN :ratio > 0 THEN speed_mps * CAST(:ratio AS real) END, "
            "flags = flags | :flag WHERE device_id = :device_id AND time >= :since AND flags & :skip = 0 "
            "AND vehicle_id = (SELECT vehicle_id FROM ingest.device WHERE device_id = :device_id)"
        ),
        {"device_id": device_id, "ratio": ratio, "since": since, "flag": flag, "skip": skip | flag},
    ).rowcount


def save_heard(connection: Connection, rows: Sequence[Heard]) -> None:
    """Keep when devices were last heard and kept, and how far their clocks were ahead then."""
    if rows:
        connection.execute(
            text(
                "INSERT INTO ingest.device_trait AS known (device_id, last_received_at, last_kept_at, clock_offset_s) "
                "VALUES (:device_id, :received_at, :kept_at, :offset_s) ON CONFLICT (device_id) DO UPDATE SET "
                "last_received_at = greatest(known.last_received_at, excluded.last_received_at), "
                "last_kept_at = greatest(known.last_kept_at, excluded.last_kept_at), "
                "clock_offset_s = coalesce(excluded.clock_offset_s, known.clock_offset_s)"
            ),
            [row._asdict() for row in rows],
        )
