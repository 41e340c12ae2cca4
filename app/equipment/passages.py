"""Keeping a plate read: whose it is, which passage it is part of, or why it is only history.

Reads of one truck passing one camera once are one passage: one of them stands for it and has the effects, the others
are its repeats. Two reads are of one passage if they show the same plate, each within `reads.PASSAGE` of another, so
that a truck that stands before the camera stays one passage; if the camera followed one vehicle (`track`); or if both
are certainly of the same trip and show its tractor and its trailer, or came within `reads.HEADWAY`. A look-alike is
nothing of that: it may be the truck behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from app.equipment import read_store, reads, store
from app.equipment.pictures import Pictures
from app.equipment.tables import Equipment, PlateReadRow
from app.equipment.vocabulary import ReadStatus
from app.gates.vocabulary import HistoryReason
from geo.corridor import Site
from ingest.formats.plate_read import Candidate, PlateRead

MAX_READ_AGE: Final = timedelta(days=30)
"""A camera whose clock is further back than a camera can have waited for its line is not believed."""
CERTAIN_PLATE: Final = 0.8
"""From this confidence on a plate that belongs to no trip still enters the yard's ledger: a truck did pass."""
MAX_CONSIDERED_TRIPS: Final = 5
"""Trips kept with a read, for the person who decides."""
_STANDING: Final = {ReadStatus.UNKNOWN: 0, ReadStatus.DOUBTFUL: 1, ReadStatus.MATCHED: 2}


@dataclass(frozen=True)
class KeptRead:
    """A read as kept and the trip it is of or `None`; `superseded` are the reads that stood for its passage before."""

    row: PlateReadRow
    trip: store.TripRow | None
    superseded: tuple[PlateReadRow, ...] = ()


@dataclass(frozen=True)
class TripCandidate:
    """A trip that a read might be of, and why the read would be history if it is."""

    row: store.TripNear
    here: reads.TripHere
    history_reason: HistoryReason | None


def keep_read(
    session: Session, device: Equipment, site: Site | None, read: PlateRead, pictures: Pictures, now: datetime
) -> KeptRead | None:
    """Keep a read of a locked camera; `None` if it is kept already."""
    believed = read.time is not None and now - MAX_READ_AGE <= read.time <= now + reads.CLOCK_TOLERANCE
    time = read.time if believed and read.time is not None else now
    around = read_store.reads_around(session, device.equipment_id, time - reads.PASSAGE, time + reads.PASSAGE)
    passed = _just_read(session, around, time)
    found = find_candidates(session, read.candidates, device, site, time, passed=passed)
    match = reads.match_read(read.candidates, [candidate.here for candidate in found])
    considered = {trip.trip_id: trip.probability for trip in match.trips[:MAX_CONSIDERED_TRIPS]}
    best = match.best if match.verdict != ReadStatus.UNKNOWN else None
    trip = next((candidate for candidate in found if best is not None and candidate.row.trip_id == best.trip_id), None)
    verdict, reason = _judge(match.verdict, trip, read, passed)
    is_of_trip = verdict in {ReadStatus.MATCHED, ReadStatus.HISTORY} and match.verdict == ReadStatus.MATCHED
    row = store.insert_report(
        session,
        PlateReadRow,
        {
            "equipment_id": device.equipment_id,
            "time": time,
            "received_at": now,
            "plate_norm": read.plate,
            "confidence": read.confidence,
            "candidates": {
                "readings": [{"plate": other.plate, "confidence": other.confidence} for other in read.candidates],
                "trips": [{"trip_id": key, "probability": round(p, 4)} for key, p in considered.items() if p >= 0.001],
                "camera_time": read.time.isoformat() if read.time is not None else None,
                "heading_deg": read.heading_deg,
            },
            "direction": read.direction,
            "image_ref": pictures.keep(read.image, now),
            "status": verdict,
            "trip_id": trip.row.trip_id if trip is not None and is_of_trip else None,
            "probability": best.probability if best is not None else None,
            "source_ref": read.source_ref,
            "track": read.track,
            "history_reason": reason,
        },
    )
    if row is None:
        return None  # the camera sent it again
    if row.status == ReadStatus.HISTORY:
        return KeptRead(row, None)
    superseded = _join_passage(session, row, around, [candidate.row for candidate in found])
    if row.status == ReadStatus.REPEAT:
        return KeptRead(row, None)
    is_matched = row.status == ReadStatus.MATCHED
    return KeptRead(row, trip.row if trip is not None and is_matched else None, tuple(superseded))


def find_candidates(
    session: Session,
    readings: Sequence[Candidate],
    device: Equipment,
    site: Site | None,
    time: datetime,
    *,
    passed: frozenset[int] = frozenset(),
) -> list[TripCandidate]:
    """The trips that a plate read by a device at `time` might be of, one a vehicle; `passed` were just read there."""
    spot = store.Spot(site.lon, site.lat) if site else None
    rows = store.trips_like(session, *reads.search_keys(readings), spot, time)
    spans = [reads.TripSpan(row.trip_id, row.vehicle_id, row.began_at, row.ended_at) for row in rows]
    reasons = reads.under_way(spans, time)
    place = reads.Place(device.gate_id)
    found = []
    for row in rows:
        if row.trip_id not in reasons:
            continue
        expected = reads.expectation(
            place, gate_id=row.gate_id, stage=row.stage, planned_arrival=row.planned_arrival, now=time
        )
        here = reads.TripHere(
            row.trip_id, row.plates, expected, row.distance_m, row.fix_age_s, has_passed=row.trip_id in passed
        )
        found.append(TripCandidate(row, here, reasons[row.trip_id]))
    return found


def _judge(
    verdict: ReadStatus, trip: TripCandidate | None, read: PlateRead, passed: frozenset[int]
) -> tuple[ReadStatus, HistoryReason | None]:
    """What becomes of a read, before its passage is looked at."""
    if read.circumstance is not None:
        return ReadStatus.HISTORY, HistoryReason.get(read.circumstance)
    if verdict == ReadStatus.MATCHED and trip is not None:
        if trip.history_reason is not None:
            return ReadStatus.HISTORY, trip.history_reason
        if trip.row.trip_id in passed and read.plate not in trip.row.plates:
            return ReadStatus.DOUBTFUL, None  # its own plate was read a moment ago: this may be the truck behind it
    return verdict, None


def _just_read(session: Session, around: Sequence[PlateReadRow], time: datetime) -> frozenset[int]:
    """The trips whose own plate the camera read within a passage of `time`, but not within a headway."""
    read = [
        (other.trip_id, other.plate_norm)
        for other in around
        if other.status == ReadStatus.MATCHED and other.trip_id is not None and abs(other.time - time) > reads.HEADWAY
    ]
    trips = {trip_id: store.find_trip(session, trip_id) for trip_id, _ in read}
    return frozenset(
        trip_id for trip_id, plate in read if (trip := trips[trip_id]) is not None and plate in trip.plates
    )


def _join_passage(
    session: Session, row: PlateReadRow, around: Sequence[PlateReadRow], trips: Sequence[store.TripRow]
) -> list[PlateReadRow]:
    """Make a new read part of the passage it belongs to, if any; the reads that stood for it and do no longer."""
    leads = {lead.read_id: lead for lead in read_store.reads_by_id(session, [_lead_id(other) for other in around])}
    plates = {trip.trip_id: trip.plates for trip in trips}
    same = {
        lead.read_id: lead
        for other in around
        if (lead := leads[_lead_id(other)]).status != ReadStatus.REPEAT
        and _is_same_passage(row, other, lead, plates.get(row.trip_id or 0, ()))
    }
    _doubt_lookalikes(row, [lead for key, lead in leads.items() if key not in same], plates)
    if not same:
        return []
    lead = max(same.values(), key=lambda other: (_standing(other), -other.read_id))
    if _stands_better(row, lead):
        lead = row
    repeats = [read_id for read_id in (*same, row.read_id) if read_id != lead.read_id]
    read_store.join_passage(session, lead, repeats)
    return list(same.values()) if lead is row else []


def _lead_id(row: PlateReadRow) -> int:
    return row.passage_id or row.read_id


def _is_same_passage(row: PlateReadRow, other: PlateReadRow, lead: PlateReadRow, trip_plates: Sequence[str]) -> bool:
    """Whether a read is of the passage of another, which `lead` stands for."""
    gap = row.time - other.time
    are_matched = row.status == lead.status == ReadStatus.MATCHED
    if row.track is not None and row.track == other.track:
        return not are_matched or row.trip_id == lead.trip_id  # two trucks under one number of the camera's
    if any(reads.is_same_passage(row.plate_norm, plate, gap) for plate in (lead.plate_norm, lead.shown_plate)):
        return True
    if not are_matched or row.trip_id != lead.trip_id:
        return False
    are_its_plates = row.plate_norm in trip_plates and lead.plate_norm in trip_plates
    return are_its_plates or abs(gap) <= reads.HEADWAY


def _doubt_lookalikes(row: PlateReadRow, others: Sequence[PlateReadRow], plates: dict[int, tuple[str, ...]]) -> None:
    """An earlier look-alike that was taken for a trip whose own plate is read only now may have been another truck."""
    own = plates.get(row.trip_id or 0, ())
    if row.status != ReadStatus.MATCHED or row.plate_norm not in own:
        return
    for other in others:
        is_taken = other.status == ReadStatus.MATCHED and other.trip_id == row.trip_id
        if is_taken and other.decided_at is None and other.plate_norm not in own:
            other.status, other.trip_id = ReadStatus.DOUBTFUL, None


def _standing(row: PlateReadRow) -> int:
    return 3 if row.decided_at is not None else _STANDING[ReadStatus.get(row.status)]


def _stands_better(row: PlateReadRow, lead: PlateReadRow) -> bool:
    """Whether a new read stands for a passage in place of the one that does.

    One that is a trip's has had its effects and stays. One of no trip that was too unsure to have any gives way to a
    surer one, and so does a reading that the camera itself corrected.
    """
    mine, theirs = _standing(row), _standing(lead)
    if mine != theirs or mine >= _STANDING[ReadStatus.MATCHED]:
        return mine > theirs
    is_corrected = row.plate_norm != lead.plate_norm and row.confidence > lead.confidence
    return is_corrected or lead.confidence < CERTAIN_PLATE <= row.confidence
