"""Queries on closed trips. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Text, column, func, or_, select, table, true
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Session

from app.accounts.service import Organisation
from app.platform.sealed_json import SEALED, unseal_object
from app.platform.search import has_digest, matches
from app.trips.service import Trip
from app.trips.vocabulary import DeclarationStatus, Stage
from ingest.tables import Vehicle

_declaration = table(
    "declaration",
    column("trip_id"),
    column("revision"),
    column("status"),
    column("data", JSONB),
    column("driver_digests", ARRAY(Text)),
    schema="app",
)


@dataclass(frozen=True)
class ClosedTrip:
    """A trip that is over; driver and declaration number as they were declared last."""

    trip_id: int
    code: str
    plate: str
    trailer_plate: str | None
    organisation: str
    goods: str
    direction: str
    stage: str
    ended_at: datetime
    driver: str | None
    customs_number: str | None


def closed_trips(
    session: Session,
    visible: ColumnElement[bool],
    *,
    code: str | None,
    plate: str,
    text: str,
    since: datetime | None,
    until: datetime | None,
    by_number: bool,
    limit: int,
) -> Sequence[ClosedTrip]:
    """Closed trips by code, part of a plate, words (goods, enterprise, a driver's name) or declaration number.

    The newest first. A driver is found by whole words of the name; with `by_number` by a paper's or telephone's number.
    """
    declared = (
        select(
            func.jsonb_build_object(SEALED, _declaration.c.data[SEALED]).label("sealed"),
            _declaration.c.driver_digests,
            func.jsonb_extract_path_text(_declaration.c.data, "customs_number").label("customs_number"),
        )
        .where(_declaration.c.trip_id == Trip.trip_id, _declaration.c.status.in_(DeclarationStatus.declared()))
        .order_by(_declaration.c.revision.desc())
        .limit(1)
        .lateral("declared")
    )
    query = (
        select(  # in the order of the fields of ClosedTrip
            Trip.trip_id,
            Trip.code,
            Vehicle.plate,
            Trip.trailer_plate,
            Organisation.name,
            Trip.goods,
            Trip.direction,
            Trip.stage,
            Trip.stage_since,
            declared.c.sealed,
            declared.c.customs_number,
        )
        .join(Vehicle, Vehicle.vehicle_id == Trip.vehicle_id)
        .join(Organisation, Organisation.organisation_id == Trip.organisation_id)
        .outerjoin(declared, true())
        .where(visible, Trip.stage.not_in(Stage.open()))
        .order_by(Trip.stage_since.desc(), Trip.trip_id.desc())
        .limit(limit)
    )
    if since is not None:
        query = query.where(Trip.stage_since >= since)
    if until is not None:
        query = query.where(Trip.stage_since < until)
    if code is not None:
        query = query.where(Trip.code == code)
    elif text:
        named = [
            matches(
                text,
                declared.c.customs_number,
                Trip.goods,
                Organisation.name,
                Vehicle.plate,
                Vehicle.plate_norm,
                Trip.trailer_plate,
                also=lambda word: has_digest(declared.c.driver_digests, word, by_number=by_number),
            )
        ]
        if by_number:
            named.append(has_digest(declared.c.driver_digests, text, by_number=True))  # written with spaces
        if plate:
            number = func.upper(func.regexp_replace(declared.c.customs_number, "[^0-9A-Za-z]", "", "g"))
            named += [written.contains(plate) for written in (Vehicle.plate_norm, Trip.trailer_plate, number)]
        query = query.where(or_(*named))
    found = [list(row) for row in session.execute(query)]
    return [ClosedTrip(*[*row[:-2], _driver(row[-2]), row[-1]]) for row in found]


def _driver(sealed: Mapping[str, object] | None) -> str | None:
    """The name in what a declaration holds encrypted."""
    name = unseal_object(sealed or {}).get("driver_name")
    return None if name is None else str(name)
