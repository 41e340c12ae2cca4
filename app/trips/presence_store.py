"""Queries of presence: the witnesses of trips, and of which trips something new came in. Nothing here commits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.trips.presence_tables import MisdatedWitness
from app.trips.tables import IS_OPEN
from app.trips.vocabulary import PlaceKind, Stage


@dataclass(frozen=True, slots=True)
class TripSeen:
    """A trip as its presence is judged; what its vehicle shows belongs to it from `begin` on, to `until` if not null.

    `has_other_open`: its vehicle is on another open trip. Trips that others declared for the plate do not count as
    such, before they are agreed to or under way: typing a plate stops nobody.
    """

    trip_id: int
    vehicle_id: int
    plate_norm: str
    organisation_id: int
    driver_id: int | None
    gate_id: str
    direction: str
    planned_arrival: datetime
    stage: str
    stage_since: datetime
    arrived_at: datetime | None
    begin: datetime
    until: datetime | None
    has_other_open: bool


@dataclass(frozen=True, slots=True)
class WitnessRow:
    """Something seen of a trip's truck, as it is stored.

    `source` is what stored it (`act read weighing scan movement event sight position`), `what` what it says
    (`confirm`, `enter`, a kind of witness …), `step` the step or station, `at_kind` a place's kind. `no_later_than`
    is when it was found to be of after the present.
    """

    trip_id: int
    source: str
    ref: str
    time: datetime
    known_at: datetime
    what: str | None
    step: str | None
    gate_id: str | None
    site_id: str | None
    at_kind: str | None
    probability: float | None
    is_sure: bool
    by_person: bool
    lon: float | None
    lat: float | None
    radius_m: float | None
    road: str | None
    km: float | None
    no_later_than: datetime | None


# Trips

PREVIOUS_END: Final = f"""
    (SELECT max(CASE WHEN o.stage_since <= t.created_at THEN o.stage_since ELSE o.stage_since + interval '1 hour' END)
     FROM app.trip o
     WHERE o.vehicle_id = t.vehicle_id AND o.trip_id <> t.trip_id AND o.stage = '{Stage.OUT}'
         AND (t.stage <> '{Stage.OUT}' OR (o.stage_since, o.trip_id) < (t.stage_since, t.trip_id)))
"""  # noqa: S608 - constants of the vocabulary
"""When the trip before the trip `t` freed their vehicle for it; null if there was none.

A trip of another enterprise, or one declared ahead, may have been declared before that end. Then what is seen in the
hour after it still shows the truck leaving from the trip that is over.
"""
TRIP_BEGIN: Final = f"greatest(t.created_at, {PREVIOUS_END})"
"""Where the time of the trip `t` begins."""
_IS_NEXT: Final = """
    CASE WHEN n.organisation_id = t.organisation_id THEN n.created_at >= t.stage_since
         ELSE n.trip_id IN (
             SELECT c.trip_id FROM app.current_trip c WHERE c.vehicle_id = t.vehicle_id AND c.is_agreed) END
"""
"""Whether the planned trip `n` follows the trip `t`, which is over: its enterprise declared it since, or it is agreed
to. One that was declared ahead follows once it is under way."""
IS_ON_ANOTHER: Final = f"""
    EXISTS (
        SELECT FROM app.trip n
        WHERE n.vehicle_id = t.vehicle_id AND n.trip_id <> t.trip_id AND n.{IS_OPEN}
            AND (n.stage <> '{Stage.PLANNED}' OR {_IS_NEXT}))
"""
"""Whether the vehicle of the trip `t` is on another open trip; see `TripSeen.has_other_open`."""
_UNTIL: Final = f"""
    CASE WHEN t.{IS_OPEN} THEN (
        SELECT greatest(n.created_at, t.created_at) FROM app.current_trip c JOIN app.trip n USING (trip_id)
        WHERE c.vehicle_id = t.vehicle_id AND c.trip_id <> t.trip_id)
    ELSE (
        SELECT min(CASE WHEN n.created_at >= t.stage_since THEN n.created_at
                        ELSE (SELECT min(w.began_at) FROM app.trip_place w
                              WHERE w.trip_id = n.trip_id AND w.kind <> '{PlaceKind.PLANNED}'
                                  AND w.began_at > t.stage_since) END)
        FROM app.trip n
        WHERE n.vehicle_id = t.vehicle_id AND n.trip_id <> t.trip_id
            AND n.stage NOT IN ('{Stage.CANCELLED}', '{Stage.EXPIRED}')
            AND CASE n.stage WHEN '{Stage.OUT}' THEN n.stage_since > t.stage_since
                             WHEN '{Stage.PLANNED}' THEN {_IS_NEXT} ELSE true END)
    END
"""  # noqa: S608 - constants of the vocabulary
"""Where what the vehicle of the trip `t` shows stops belonging to it; null while that is not so.

Of several open trips it belongs to the one that the vehicle is on (`CURRENT_TRIP`); to another one only as far as it is
older than that. After its end a trip keeps it until the next one begins: one that its enterprise declares since, at
once; one of another enterprise when it is agreed to or under way; and where the two overlapped, as of one that was
declared ahead, not before it was under way.
"""


def lock_trips(session: Session, trip_ids: Collection[int], *, skip_locked: bool = False) -> list[int]:
    """Those of the trips that were not cancelled, locked until the transaction ends, in the order of their ids.

    Those that others hold are left out if asked.
    """
    if not trip_ids:
        return []
    query = (
        "SELECT trip_id FROM app.trip WHERE trip_id = ANY(:trip_ids) AND stage <> ALL(:ended) ORDER BY trip_id "
        "FOR NO KEY UPDATE"
    )
    locked = session.scalars(
        text(query + (" SKIP LOCKED" if skip_locked else "")),
        {"trip_ids": sorted(trip_ids), "ended": list(Stage.without_crossing())},
    )
    return list(locked)


def load_trips(session: Session, trip_ids: Collection[int]) -> list[TripSeen]:
    """Trips as their presence is judged, in the order of their ids."""
    if not trip_ids:
        return []
    rows = session.execute(
        text(
            f"""
            SELECT t.trip_id, t.vehicle_id, v.plate_norm, t.organisation_id, t.driver_id, t.gate_id, t.direction,
                   t.planned_arrival, t.stage, t.stage_since, t.arrived_at, {TRIP_BEGIN} AS begin,
                   {_UNTIL} AS until, {IS_ON_ANOTHER} AS has_other_open
            FROM app.trip t JOIN ingest.vehicle v ON v.vehicle_id = t.vehicle_id
            WHERE t.trip_id = ANY(:trip_ids) ORDER BY t.trip_id
            """  # noqa: S608 - constants of this package
        ),
        {"trip_ids": list(trip_ids)},
    )
    return [TripSeen(*row) for row in rows]


def begin_and_until(session: Session, trip_id: int) -> tuple[datetime, datetime | None]:
    """From when until when (`None`: still) what its vehicle shows belongs to a trip; see `TripSeen`."""
    [trip] = load_trips(session, [trip_id])
    return trip.begin, trip.until


# Witnesses

POSITION_REF: Final = "position:"
"""What the `ref` of a vehicle's newest position begins with; the position changes, the `ref` does not."""
_NO_PLACE = "NULL::text, NULL::text, NULL::text, NULL::text, NULL::text"
_NO_SPOT = "NULL::float8, NULL::float8, NULL::float8, NULL::text, NULL::float8"
_OWN = "f.begin <= {time} AND (f.until IS NULL OR {time} < f.until)"


def _device_reports(table: str, key: str, source: str) -> str:
    """Reports of scales or scanners."""
    return f"""
        SELECT f.trip_id, '{source}', '{source}:' || r.{key}, r.time, r.received_at, NULL, q.station, q.gate_id,
               q.site_id, NULL, 0.9, true, false, {_NO_SPOT}
        FROM frame f JOIN app.{table} r ON r.trip_id = f.trip_id JOIN app.equipment q USING (equipment_id)
    """  # noqa: S608 - names of this module


_IS_TAKEN_BACK: Final = """
    (e.data ->> 'act' = 'confirm' AND EXISTS (
        SELECT FROM app.trip_event b
        WHERE b.trip_id = e.trip_id AND b.event_id > e.event_id AND b.kind = 'sheet'
            AND b.data ->> 'act' IN ('undo', 'correct') AND b.data ->> 'step' = e.data ->> 'step'
            AND CAST(b.data ->> 'done_at' AS timestamptz)
                = coalesce(CAST(e.data #>> '{entered_later,at}' AS timestamptz), e.at)))
"""
"""Whether the confirmation `e` was undone or corrected since; then nobody saw the truck by it."""
_TURNED_BACK: Final = """
    (e.kind = 'turned_back' AND NOT EXISTS (
        SELECT FROM app.trip_event b
        WHERE b.trip_id = e.trip_id AND b.event_id > e.event_id AND b.kind = 'correction'
            AND b.data ->> 'step' = 'turned_back' AND b.data ->> 'status' = 'approved'))
"""
"""Whether an officer said by the line `e` that the truck turned back, and no two have corrected that since."""
_WITNESSES: Final = f"""
    WITH frame AS (
        SELECT f.trip_id, f.vehicle_id, f.plate_norm, f.begin, f.until
        FROM unnest(CAST(:trip_id AS integer[]), CAST(:vehicle_id AS integer[]), CAST(:plate_norm AS text[]),
                    CAST(:begin AS timestamptz[]), CAST(:until AS timestamptz[]))
             AS f (trip_id, vehicle_id, plate_norm, begin, until)
    ), seen AS (
    SELECT f.trip_id, 'act' AS source, 'trip_event:' || e.event_id AS ref, e.at AS time, e.at AS known_at,
           coalesce(e.data ->> 'act', e.kind) AS what, e.data ->> 'step' AS step, a.gate_id,
           e.data ->> 'yard_id' AS site_id,
           NULL::text AS at_kind, 0.99::float8 AS probability, coalesce(e.data ->> 'ends', '') = 'true' AS is_sure,
           e.actor_id IS NOT NULL AS by_person, NULL::float8 AS lon, NULL::float8 AS lat, NULL::float8 AS radius_m,
           NULL::text AS road, NULL::float8 AS km
    FROM frame f JOIN app.trip_event e ON e.trip_id = f.trip_id LEFT JOIN app.account a ON a.account_id = e.actor_id
    WHERE e.kind = 'arrival' OR {_TURNED_BACK}
        OR (e.kind = 'sheet' AND (
            e.data ->> 'act' = 'undeclared'
            OR (e.data ->> 'act' IN ('confirm', 'return') AND e.actor_id IS NOT NULL AND NOT {_IS_TAKEN_BACK})))
    UNION ALL
    SELECT f.trip_id, 'act', 'undeclared_arrival:' || r.arrival_id, r.arrived_at, r.registered_at, 'undeclared', NULL,
           r.gate_id, r.site_id, NULL, 0.99, false, true, {_NO_SPOT}
    FROM frame f JOIN app.undeclared_arrival r ON r.trip_id = f.trip_id
    UNION ALL
    SELECT f.trip_id, 'act', 'undeclared_arrival:' || r.arrival_id, r.arrived_at, r.registered_at, 'undeclared', NULL,
           r.gate_id, r.site_id, NULL, 0.99, false, true, {_NO_SPOT}
    FROM frame f
    JOIN app.undeclared_arrival r ON r.plate_norm = f.plate_norm AND r.submitted_at IS NULL AND r.left_at IS NULL
    JOIN app.trip t ON t.trip_id = f.trip_id AND t.procedure_id IS NULL
    WHERE r.trip_id IS NULL AND r.arrived_at >= f.begin AND (f.until IS NULL OR r.arrived_at < f.until)
    UNION ALL
    SELECT f.trip_id, 'read', 'plate_read:' || r.read_id, r.time, coalesce(r.decided_at, r.received_at), r.direction,
           q.station, q.gate_id, q.site_id, NULL, coalesce(r.probability, 0.9), true, r.decided_by IS NOT NULL,
           {_NO_SPOT}
    FROM frame f JOIN app.plate_read r ON r.trip_id = f.trip_id JOIN app.equipment q USING (equipment_id)
    WHERE r.status = 'matched'
    UNION ALL
    SELECT f.trip_id, 'read', 'plate_read:' || r.read_id, r.time, r.received_at, r.direction, q.station, q.gate_id,
           q.site_id, NULL, c.probability, false, false, {_NO_SPOT}
    FROM app.plate_read r
    JOIN app.equipment q USING (equipment_id)
    CROSS JOIN LATERAL jsonb_to_recordset(r.candidates -> 'trips') AS c (trip_id integer, probability float8)
    JOIN frame f ON f.trip_id = c.trip_id
    WHERE r.status = 'doubtful' AND r.time >= (SELECT min(begin) FROM frame)
    UNION ALL {_device_reports("weighing", "weighing_id", "weighing")}
    UNION ALL {_device_reports("scan", "scan_id", "scan")}
    UNION ALL
    SELECT f.trip_id, 'movement', 'movement:' || m.movement_id, m.time, m.time, m.kind, NULL, NULL, m.yard_id, NULL,
           NULL, true, m.source = 'manual', {_NO_SPOT}
    FROM frame f JOIN capacity.movement m ON m.plate_norm = f.plate_norm
    WHERE m.source IN ('camera', 'manual') AND {_OWN.format(time="m.time")}
    UNION ALL
    SELECT f.trip_id, 'event', 'site_event:' || e.event_id, e.time, e.time, e.kind, NULL, NULL, e.site_id, NULL, NULL,
           true, false, {_NO_SPOT}
    FROM frame f JOIN ingest.site_event e ON e.vehicle_id = f.vehicle_id
    WHERE e.source = 'gps' AND {_OWN.format(time="e.time")}
    UNION ALL
    SELECT f.trip_id, 'sight', 'before:' || e.event_id, x.time, x.received_at, 'at', NULL, NULL, NULL, 'unknown', NULL,
           true, false, ST_X(x.geom), ST_Y(x.geom), greatest(coalesce(x.accuracy_m, 0), 20), g.road, x.km
    FROM frame f
    JOIN ingest.site_event e ON e.vehicle_id = f.vehicle_id AND e.source = 'gps' AND e.kind = 'enter'
    JOIN geo.site s ON s.site_id = e.site_id AND s.kind IN ('yard', 'temporary_yard')
    CROSS JOIN LATERAL (
        SELECT * FROM ingest.fix x
        WHERE x.vehicle_id = f.vehicle_id AND x.time > e.time - interval '6 hours' AND x.time >= f.begin
            AND x.time <= e.time - interval '30 seconds' AND x.device_id > 0 AND x.flags & 2 = 0
        ORDER BY x.time DESC LIMIT 1) x
    LEFT JOIN geo.road g ON g.road_id = x.road_id
    WHERE {_OWN.format(time="e.time")}
    UNION ALL
    SELECT f.trip_id, 'sight', 'trip_sight:' || s.sight_id, s.time, s.known_at, s.kind, NULL, s.gate_id, s.site_id,
           s.place_kind, NULL, NOT s.is_suspect, false, s.lon, s.lat, s.radius_m, s.road, s.km
    FROM frame f JOIN app.trip_sight s ON s.trip_id = f.trip_id AND (f.until IS NULL OR s.time <= f.until)
    UNION ALL
    SELECT f.trip_id, 'position', '{POSITION_REF}' || f.vehicle_id, p.time, p.received_at, s.kind, NULL, s.gate_id,
           s.site_id, s.place_kind, NULL, NOT s.is_suspect, false, ST_X(p.geom), ST_Y(p.geom),
           greatest(coalesce(p.accuracy_m, 0), 20), g.road, p.km
    FROM frame f JOIN ingest.last_position p ON p.vehicle_id = f.vehicle_id
    LEFT JOIN geo.road g ON g.road_id = p.road_id
    CROSS JOIN LATERAL (SELECT * FROM app.trip_sight s WHERE s.trip_id = f.trip_id
                        ORDER BY s.time DESC, s.sight_id DESC LIMIT 1) s
    WHERE p.device_id > 0 AND p.time > s.time AND {_OWN.format(time="p.time")}
    )
    SELECT s.trip_id, s.source, s.ref, s.time, s.known_at, s.what, s.step, s.gate_id, s.site_id, s.at_kind,
           s.probability, s.is_sure, s.by_person, s.lon, s.lat, s.radius_m, s.road, s.km, m.known_at
    FROM seen s LEFT JOIN app.misdated_witness m ON m.trip_id = s.trip_id AND m.ref = s.ref
"""  # noqa: S608 - constants of this module
"""What was seen of trips. A device with a negative number is a camera: its reads are witnesses themselves.

Of a yard that GPS enters, the position before says whether the truck came there by the road (`approach_m`).
"""


def load_witnesses(session: Session, trips: Sequence[TripSeen]) -> dict[int, list[WitnessRow]]:
    """What was seen of trips, by trip, in one query; in no particular order."""
    found: dict[int, list[WitnessRow]] = defaultdict(list)
    if trips:
        columns = {
            name: [getattr(trip, name) for trip in trips]
            for name in ("trip_id", "vehicle_id", "plate_norm", "begin", "until")
        }
        for row in session.execute(text(_WITNESSES), columns):
            found[row.trip_id].append(WitnessRow(*row))
    return found


def insert_misdated(session: Session, found: Collection[tuple[int, str, datetime]]) -> None:
    """Keep of witnesses by trip and `ref` that they happened no later than a time; what is kept already stays."""
    if found:
        rows = [{"trip_id": trip_id, "ref": ref, "known_at": known_at} for trip_id, ref, known_at in found]
        session.execute(insert(MisdatedWitness).on_conflict_do_nothing(), rows)


# What is new


@dataclass(frozen=True, slots=True)
class Newest:
    """How far a look at what was seen reached; the numbers are those of rows."""

    received_at: datetime | None = None
    event_id: int = 0
    read_id: int = 0
    weighing_id: int = 0
    scan_id: int = 0
    movement_id: int = 0
    line_id: int = 0


@dataclass(frozen=True, slots=True)
class News:
    """Something that came in of a trip: the row `row_id` of a `source`."""

    trip_id: int
    source: str
    row_id: int


def newest(session: Session) -> Newest:
    """Where the next look begins."""
    row = session.execute(
        text(
            """
            SELECT (SELECT max(received_at) FROM ingest.last_position),
                   coalesce((SELECT max(event_id) FROM ingest.site_event), 0),
                   coalesce((SELECT max(read_id) FROM app.plate_read), 0),
                   coalesce((SELECT max(weighing_id) FROM app.weighing), 0),
                   coalesce((SELECT max(scan_id) FROM app.scan), 0),
                   coalesce((SELECT max(movement_id) FROM capacity.movement), 0),
                   coalesce((SELECT max(event_id) FROM app.trip_event), 0)
            """
        )
    ).one()
    return Newest(*row)


_LATE: Final = "t.stage = :out AND t.stage_since > :late_from"
"""Trips that ended lately: a witness that comes late may still correct them."""


def open_trips(session: Session) -> list[int]:
    """All trips that are not over."""
    return list(session.scalars(text(f"SELECT trip_id FROM app.trip WHERE {IS_OPEN} ORDER BY trip_id")))  # noqa: S608


def open_trips_of(session: Session, plate_norm: str) -> list[int]:
    """The open trip that a truck is on, by its plate."""
    query = text(
        "SELECT c.trip_id FROM app.current_trip c JOIN ingest.vehicle v USING (vehicle_id) "
        "WHERE v.plate_norm = :plate_norm"
    )
    return list(session.scalars(query, {"plate_norm": plate_norm}))


def open_trips_of_vehicles(session: Session, vehicle_ids: Collection[int]) -> list[int]:
    """All open trips that somebody declared for some vehicles."""
    query = text(f"SELECT trip_id FROM app.trip WHERE vehicle_id = ANY(:ids) AND {IS_OPEN} ORDER BY trip_id")  # noqa: S608
    return list(session.scalars(query, {"ids": list(vehicle_ids)}))


def news_of_trips(session: Session, after: Newest, *, decided_since: datetime, late_from: datetime) -> list[News]:
    """What came in beside positions, of open trips and of those that ended after `late_from`; changes of a trip too.

    Arguments: `after`, the rows known before; `decided_since`, from when on what people made of reads is new.
    """
    rows = session.execute(
        text(
            f"""
            WITH of_vehicles AS (
                SELECT e.vehicle_id, e.time, 'event' AS source, e.event_id AS row_id FROM ingest.site_event e
                WHERE e.event_id > :event_id AND e.source = 'gps'
                UNION ALL
                SELECT v.vehicle_id, m.time, 'movement', m.movement_id FROM capacity.movement m
                JOIN ingest.vehicle v ON v.plate_norm = m.plate_norm
                WHERE m.movement_id > :movement_id AND m.source IN ('camera', 'manual')
                UNION ALL
                SELECT t.vehicle_id, e.at, 'line', e.event_id FROM app.trip_event e JOIN app.trip t USING (trip_id)
                WHERE e.event_id > :line_id AND e.kind = ANY(:other_trip)
            ), of_trips AS (
                SELECT r.trip_id, 'read' AS source, r.read_id AS row_id FROM app.plate_read r
                WHERE r.read_id > :read_id AND r.trip_id IS NOT NULL AND r.decided_at IS NULL
                UNION ALL
                SELECT r.trip_id, 'decision', r.read_id FROM app.plate_read r
                WHERE r.decided_at > :decided_since AND r.trip_id IS NOT NULL
                UNION ALL
                SELECT r.trip_id, 'weighing', r.weighing_id FROM app.weighing r WHERE r.weighing_id > :weighing_id
                UNION ALL
                SELECT r.trip_id, 'scan', r.scan_id FROM app.scan r WHERE r.scan_id > :scan_id
                UNION ALL
                SELECT e.trip_id, 'line', e.event_id FROM app.trip_event e
                WHERE e.event_id > :line_id AND e.kind = ANY(:changes)
            ), found AS (
                SELECT t.trip_id, n.source, n.row_id, t.stage, t.stage_since FROM of_vehicles n
                JOIN app.trip t ON t.vehicle_id = n.vehicle_id AND t.created_at <= n.time
                UNION ALL
                SELECT t.trip_id, n.source, n.row_id, t.stage, t.stage_since FROM of_trips n
                JOIN app.trip t USING (trip_id)
            )
            SELECT DISTINCT trip_id, source, row_id FROM found
            WHERE {IS_OPEN} OR (stage = :out AND stage_since > :late_from)
            """  # noqa: S608 - constants of this package
        ),
        {
            "event_id": after.event_id,
            "movement_id": after.movement_id,
            "read_id": after.read_id,
            "weighing_id": after.weighing_id,
            "scan_id": after.scan_id,
            "line_id": after.line_id,
            "changes": ["amended", "gate_changed", "redeclared", "declaration_amended"],
            "other_trip": ["vehicle_agreed", "vehicle_refused", "cancelled"],
            "decided_since": decided_since,
            "out": Stage.OUT,
            "late_from": late_from,
        },
    )
    return [News(*row) for row in rows]
