"""What checkpoints read of a trip, and keep of it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.checkpoints.case import (
    CAN_BE_SHARED,
    DECLARED_IN,
    SEAL_SEPARATORS,
    Case,
    CustomsStop,
    Observation,
    PlateRecord,
    Revision,
    SealReport,
    StandingFinding,
    normal_values,
    values_of,
)
from app.checkpoints.combination import AROUND, Claims, Finding, PlatePassage
from app.checkpoints.tables import FindingRow, ObservationRow, OverrideRow, PriorityRow
from app.checkpoints.vocabulary import Part, SeenBy, Verdict
from app.platform.encryption import key_ring
from app.platform.json import JsonObject
from app.platform.personal_fields import digest
from app.platform.sealed_json import SEALED, unseal_object
from app.registers.container_number import squeeze
from app.trips.customs_numbers import SEPARATORS
from app.trips.vocabulary import Stage
from geo.database import one_of

IS_OPEN: Final = one_of("stage", Stage.open())
RECENT: Final = timedelta(hours=12)
"""How far back plates are put together: a passage longer ago was judged when it was read."""
_FINDING = """
    f.finding_id, f.trip_id, f.part, f.seen, f.declared, f.seen_by, f.step, f.seen_at, f.other_trip_id, f.verdict,
    f.reason, f.decided_at, a.full_name, f.personal
    FROM app.finding f LEFT JOIN app.account a ON a.account_id = f.decided_by
"""


def load_case(session: Session, trip_id: int) -> Case:
    """A trip with all that a checkpoint compares, in one question to the database."""
    row = session.execute(
        text(
            """
            SELECT v.plate_norm, t.trailer_plate,
                (SELECT json_agg(json_build_array(d.data, d.submitted_at) ORDER BY d.revision) FROM app.declaration d
                 WHERE d.trip_id = t.trip_id AND d.submitted_at IS NOT NULL) AS revisions,
                (SELECT json_agg(json_build_array(o.part, o.vals, o.at, o.step, o.personal) ORDER BY o.observation_id)
                 FROM app.observation o WHERE o.trip_id = t.trip_id) AS observations,
                (SELECT json_agg(json_build_array(s.seal_number, s.kind, s.time) ORDER BY s.time, s.event_id)
                 FROM app.seal_event s WHERE s.trip_id = t.trip_id) AS seals,
                (SELECT json_agg(json_build_array(m.to_plate, coalesce(x.decided_at, x.registered_at)))
                 FROM app.transshipment x JOIN app.transshipment_move m USING (transshipment_id)
                 WHERE x.trip_id = t.trip_id AND x.status IN ('approved', 'carried_out')) AS receivers,
                (SELECT json_agg(json_build_array(e.data -> 'changed' -> 'trailer_plate' ->> 'before', e.at))
                 FROM app.trip_event e WHERE e.trip_id = t.trip_id AND e.kind = 'amended'
                    AND e.data -> 'changed' -> 'trailer_plate' ->> 'before' <> '') AS former_trailers,
                (SELECT json_agg(json_build_array(c.container, c.time)) FROM app.scan c
                 WHERE c.trip_id = t.trip_id AND c.container <> '') AS containers,
                (SELECT json_build_array(w.verdict, w.difference_kg) FROM app.weighing w
                 WHERE w.trip_id = t.trip_id AND w.difference_kg IS NOT NULL
                 ORDER BY w.time DESC, w.weighing_id DESC LIMIT 1) AS weighing,
                (SELECT c.result FROM app.scan c WHERE c.trip_id = t.trip_id AND c.result <> 'pending'
                 ORDER BY c.time DESC, c.scan_id DESC LIMIT 1) AS scan,
                (SELECT json_agg(r.candidates -> 'readings' -> 0 ->> 'plate') FROM app.plate_read r
                 WHERE r.trip_id = t.trip_id AND r.decided_by IS NOT NULL AND r.status = 'matched') AS odd_reads,
                EXISTS (SELECT FROM app.plate_read r WHERE r.trip_id = t.trip_id) AS has_reads,
                (SELECT json_object_agg(s.step, s.data) FROM app.trip_step s
                 WHERE s.trip_id = t.trip_id AND s.status = 'done' AND s.data <> '{}') AS noted,
                (SELECT json_agg(DISTINCT o.identity) FROM app.override o WHERE o.trip_id = t.trip_id) AS answered,
                (SELECT json_agg(json_build_array(c.number, c.state, c.hold_reason) ORDER BY c.number)
                 FROM app.trip_customs k JOIN app.customs_declaration c USING (number)
                 WHERE k.trip_id = t.trip_id AND c.state IN ('held', 'cancelled', 'unknown')) AS stops,
                (SELECT json_agg(json_build_array(r.plate, r.is_found, r.inspection_expires, r.payload_kg)
                    ORDER BY r.plate)
                 FROM app.vehicle_record r WHERE r.plate IN (v.plate_norm, t.trailer_plate)) AS records
            FROM app.trip t JOIN ingest.vehicle v ON v.vehicle_id = t.vehicle_id WHERE t.trip_id = :trip_id
            """
        ),
        {"trip_id": trip_id},
    ).one()
    revisions = _revisions(row.revisions or [])
    own = values_of(revisions[-1].data) if revisions else {}
    return Case(
        trip_id=trip_id,
        tractor=row.plate_norm,
        trailer=row.trailer_plate,
        revisions=revisions,
        observations=[
            Observation(Part.get(part), _clear(values, "vals", personal), datetime.fromisoformat(at), step)
            for part, values, at, step, personal in row.observations or []
        ],
        seals=[SealReport(squeeze(number), kind, datetime.fromisoformat(at)) for number, kind, at in row.seals or []],
        receivers=[(plate, datetime.fromisoformat(at)) for plate, at in row.receivers or []],
        former_trailers=[
            (plate, datetime.fromisoformat(at))
            for written, at in row.former_trailers or []
            for plate in normal_values(Part.TRAILER, written)
        ],
        containers=[(squeeze(number), datetime.fromisoformat(at)) for number, at in row.containers or []],
        weighing=None if row.weighing is None else (row.weighing[0], int(row.weighing[1])),
        scan=row.scan,
        odd_reads=[plate for plate in row.odd_reads or [] if plate],
        noted={step: unseal_object(data) for step, data in (row.noted or {}).items()},
        findings=list_findings(session, trip_id),
        has_reads=row.has_reads,
        answered=frozenset(row.answered or ()),
        shared=[
            (part, value)
            for part in CAN_BE_SHARED
            for value in own.get(part, ())
            if _is_declared_elsewhere(session, trip_id, part, value)
        ],
        stops=[CustomsStop(*stop) for stop in row.stops or []],
        records=[
            PlateRecord(plate, is_found, None if until is None else date.fromisoformat(until), payload_kg)
            for plate, is_found, until, payload_kg in row.records or []
        ],
    )


def _is_declared_elsewhere(session: Session, trip_id: int, part: Part, value: str) -> bool:
    """Whether another truck that is under way declares a part too, and no transshipment moves goods between them."""
    of_a_driver = part is Part.DRIVER
    is_it = "d.driver_digests @> ARRAY[:digest]" if of_a_driver else f"{_squeezed('container_number')} = :value"
    query = text(
        f"""
        SELECT d.data FROM app.declaration d JOIN app.trip o ON o.trip_id = d.trip_id AND o.{IS_OPEN}
        JOIN app.trip t ON t.trip_id = :trip_id AND t.vehicle_id <> o.vehicle_id
        JOIN ingest.vehicle v ON v.vehicle_id = o.vehicle_id
        JOIN ingest.vehicle w ON w.vehicle_id = t.vehicle_id
        WHERE d.status = 'submitted' AND {is_it}
            AND o.stage <> :planned
            AND NOT EXISTS (
                SELECT FROM app.transshipment x JOIN app.transshipment_move m USING (transshipment_id)
                WHERE x.status IN ('approved', 'carried_out')
                    AND ((x.trip_id = t.trip_id AND m.to_plate IN (v.plate_norm, o.trailer_plate))
                         OR (x.trip_id = o.trip_id AND m.to_plate IN (w.plate_norm, t.trailer_plate))))
        """  # noqa: S608 - constants of this module
    )
    values = {"trip_id": trip_id, "value": value, "digest": digest(value), "planned": Stage.PLANNED}
    declared = session.scalars(query, values)
    return any(value in values_of(unseal_object(data)).get(part, ()) for data in declared)  # a digest is of any number


def _revisions(rows: Sequence[tuple[JsonObject, str]]) -> list[Revision]:
    moments = [datetime.fromisoformat(at) for _, at in rows]
    ends: list[datetime | None] = [*moments[1:], None][: len(moments)]
    opened = [unseal_object(data) for data, _ in rows]
    return [Revision(data, since, until) for data, since, until in zip(opened, moments, ends, strict=True)]


def _clear(values: Sequence[str], name: str, personal: str | None) -> tuple[str, ...]:
    """What a column of digests stands for, by the row's encrypted values; or the column, where it holds no digests."""
    return tuple(values if personal is None else json.loads(key_ring().decrypt(personal))[name])


def _digested(part: str, values: Sequence[str]) -> list[str]:
    """What a column keeps of values of a part that can be looked up: of a driver digests."""
    return [digest(value) for value in values] if part == Part.DRIVER else list(values)


# Findings


def list_findings(session: Session, trip_id: int) -> list[StandingFinding]:
    """The findings of a trip, oldest first."""
    query = text(f"SELECT {_FINDING} WHERE f.trip_id = :trip_id ORDER BY f.finding_id")
    return [_finding(*row) for row in session.execute(query, {"trip_id": trip_id})]


def _finding(
    number: int,
    trip_id: int,
    part: str,
    seen: str,
    declared: Sequence[str],
    seen_by: str,
    step: str | None,
    seen_at: datetime,
    other: int | None,
    verdict: str | None,
    reason: str,
    decided_at: datetime | None,
    name: str | None,
    personal: str | None,
) -> StandingFinding:
    (seen,), declared = _clear([seen], "seen", personal), _clear(declared, "declared", personal)
    return StandingFinding(
        finding_id=number,
        trip_id=trip_id,
        part=Part.get(part),
        seen=seen,
        declared=declared,
        by=SeenBy.get(seen_by),
        step=step,
        seen_at=seen_at,
        other_trip_id=other,
        verdict=Verdict.lookup(verdict),
        reason=reason,
        decided_at=decided_at,
        decided_by=name,
    )


def lock_finding(session: Session, trip_id: int, finding_id: int) -> FindingRow | None:
    """A finding of a trip, locked until the transaction ends."""
    found = session.get(FindingRow, finding_id, with_for_update=True, populate_existing=True)
    return found if found is not None and found.trip_id == trip_id else None


def mirror_of(session: Session, finding: FindingRow) -> list[FindingRow]:
    """What the same sight is on the other trip's sheet, locked."""
    query = text(
        "SELECT finding_id FROM app.finding WHERE trip_id = :other AND other_trip_id = :own AND seen_at = :seen_at "
        "ORDER BY finding_id"
    )
    found = session.scalars(
        query, {"other": finding.other_trip_id, "own": finding.trip_id, "seen_at": finding.seen_at}
    ).all()
    return [session.get_one(FindingRow, number, with_for_update=True) for number in found]


def insert_finding(session: Session, trip_id: int, finding: Finding, now: datetime) -> int | None:
    """Keep a finding; its number, `None` if it is kept already."""
    sighting = finding.sighting
    part, clear = sighting.part, {"seen": [sighting.value], "declared": list(finding.declared)}
    statement = (
        insert(FindingRow)
        .values(
            trip_id=trip_id,
            other_trip_id=finding.other_trip_id,
            part=part,
            seen=_digested(part, clear["seen"])[0],
            declared=_digested(part, clear["declared"]),
            personal=clear if part is Part.DRIVER else None,
            seen_by=sighting.by,
            step=sighting.step,
            seen_at=sighting.at,
            raised_at=now,
        )
        .on_conflict_do_nothing()
        .returning(FindingRow.finding_id)
    )
    return session.scalars(statement).one_or_none()


# What others declared, and where plates passed


def claims_of(session: Session, values: Mapping[Part, Collection[str]]) -> Claims:
    """Which open trips declared these values."""
    wanted = {part.value: sorted(values.get(part, ())) for part in Part}
    digests = [digest(number) for number in wanted[Part.DRIVER]]
    rows = session.execute(
        text(
            f"""
            WITH open_trip AS (
                SELECT t.trip_id, v.plate_norm AS tractor, t.trailer_plate AS trailer, d.data, d.driver_digests
                FROM app.trip t JOIN ingest.vehicle v ON v.vehicle_id = t.vehicle_id
                LEFT JOIN app.declaration d ON d.trip_id = t.trip_id AND d.status = 'submitted'
                WHERE t.{IS_OPEN}
            ), claimed AS (
                SELECT trip_id, 'tractor' AS part, tractor AS value FROM open_trip
                UNION ALL SELECT trip_id, 'trailer', trailer FROM open_trip
                UNION ALL SELECT trip_id, 'container', {_squeezed("container_number")} FROM open_trip
                UNION ALL SELECT trip_id, 'driver', data ->> '{SEALED}' FROM open_trip WHERE driver_digests && :digests
                UNION ALL SELECT trip_id, 'customs_number',
                    regexp_replace(upper(split_part(word, '=', 1)), '[^A-Z0-9]', '', 'g')
                    FROM open_trip, regexp_split_to_table(data ->> 'customs_number', :number_separators) AS word
                UNION ALL SELECT trip_id, 'seal', regexp_replace(word, '[^A-Z0-9]', '', 'g')
                    FROM open_trip, regexp_split_to_table(upper(data ->> 'seal_numbers'), :seal_separators) AS word
            )
            SELECT part, value, trip_id FROM claimed
            WHERE (part = 'tractor' AND value = ANY(:tractor)) OR (part = 'trailer' AND value = ANY(:trailer))
                OR (part = 'container' AND value = ANY(:container)) OR (part = 'seal' AND value = ANY(:seal))
                OR part = 'driver'
                OR (part = 'customs_number' AND value = ANY(:customs_number))
            """  # noqa: S608 - constants of this module
        ),
        {**wanted, "digests": digests, "seal_separators": SEAL_SEPARATORS, "number_separators": SEPARATORS},
    )
    found: dict[tuple[Part, str], set[int]] = {}
    for part, value, trip_id in rows:
        if part == Part.DRIVER:  # a digest finds any number of a driver: it has to be that of the paper
            for number in normal_values(Part.DRIVER, unseal_object({SEALED: value}).get(DECLARED_IN[Part.DRIVER])):
                found.setdefault((Part.DRIVER, number), set()).add(trip_id)
            continue
        found.setdefault((Part.get(part), value), set()).add(trip_id)
    return Claims(found)


def _squeezed(field: str) -> str:
    return f"regexp_replace(upper(data ->> '{field}'), '[^A-Z0-9]', '', 'g')"


def passages_around(session: Session, trip_id: int, now: datetime) -> list[PlatePassage]:
    """The plates read at the stations where a trip's own were lately, for `AROUND` before and after those."""
    rows = session.execute(
        text(
            """
            WITH own AS (
                SELECT e.gate_id, e.station, r.time FROM app.plate_read r JOIN app.equipment e USING (equipment_id)
                WHERE r.trip_id = :trip_id AND r.status IN ('matched', 'repeat') AND r.time >= :since
                  AND e.gate_id IS NOT NULL AND e.station IS NOT NULL
            )
            SELECT DISTINCT r.plate_norm, r.time, e.gate_id || '/' || e.station AS station,
                coalesce(r.trip_id, p.trip_id) AS trip_id, r.equipment_id || '/' || r.track AS track
            FROM own JOIN app.equipment e ON e.gate_id = own.gate_id AND e.station = own.station
            JOIN app.plate_read r ON r.equipment_id = e.equipment_id
                AND r.time BETWEEN own.time - CAST(:around AS interval) AND own.time + CAST(:around AS interval)
            LEFT JOIN app.plate_read p ON p.read_id = r.passage_id
            WHERE r.status <> 'history'
            """
        ),
        {"trip_id": trip_id, "since": now - RECENT, "around": AROUND},
    )
    return [PlatePassage(*row) for row in rows]


def plates_of(session: Session, trip_ids: Collection[int]) -> dict[int, tuple[str, ...]]:
    """The plates that trips declared: the tractor's, then the trailer's."""
    query = text(
        "SELECT t.trip_id, v.plate_norm, t.trailer_plate FROM app.trip t "
        "JOIN ingest.vehicle v ON v.vehicle_id = t.vehicle_id WHERE t.trip_id = ANY(:trips)"
    )
    rows = session.execute(query, {"trips": list(trip_ids)})
    return {number: tuple(plate for plate in (tractor, trailer) if plate) for number, tractor, trailer in rows}


# Observations, overrides, priority


def insert_observations(session: Session, trip_id: int, observations: Sequence[Observation], account_id: int) -> None:
    """Keep what an officer entered."""
    rows = [
        {
            "trip_id": trip_id,
            "step": each.step,
            "part": each.part.value,
            "vals": _digested(each.part, each.values),
            "personal": {"vals": list(each.values)} if each.part is Part.DRIVER else None,
            "at": each.at,
            "account_id": account_id,
        }
        for each in observations
    ]
    session.execute(insert(ObservationRow), rows)


def insert_overrides(session: Session, rows: Sequence[JsonObject]) -> None:
    """Keep what was done against warnings, or before others."""
    if rows:
        session.execute(insert(OverrideRow), rows)


def put_priority(session: Session, values: Mapping[str, object]) -> bool:
    """Give a trip priority by hand; false if it has it already."""
    statement = insert(PriorityRow).values(**values).on_conflict_do_nothing().returning(PriorityRow.trip_id)
    return session.scalars(statement).one_or_none() is not None


def take_priority(session: Session, trip_id: int) -> bool:
    """Take a priority given by hand back; false if there was none."""
    row = session.get(PriorityRow, trip_id)
    if row is None:
        return False
    session.delete(row)
    session.flush()
    return True
