"""What neighbours said of a trip, for those who read its sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final

from pydantic import BaseModel
from sqlalchemy.orm import Session

from app.integrations import customs_store, service, store
from app.integrations.bank import NAME as BANK
from app.integrations.customs_messages import NAME as CUSTOMS
from app.integrations.on_sheet import plates_of
from app.integrations.registration_messages import NAME as REGISTRATION
from app.integrations.seals import NAME as SEALS
from app.integrations.vocabulary import Health
from app.platform.json import JsonObject
from app.platform.permissions import Principal, Role
from app.registers import official
from app.trips.service import Trip
from ingest.plates import display_plate

READERS: Final = frozenset(
    {*(role for role in Role if role.is_at_gate), Role.ENTERPRISE, Role.DRIVER, Role.AUDITOR, Role.TRAFFIC_POLICE}
)
AWAY_READERS: Final[Mapping[str, frozenset[Role]]] = {
    BANK: frozenset({Role.GATE_MANAGEMENT, Role.TAX, Role.SUPPORT, Role.ENTERPRISE, Role.AUDITOR}),
    SEALS: frozenset({Role.CUSTOMS, Role.BORDER_GUARD, Role.AUDITOR}),
}
"""Who is told that a neighbour is away that says something of trips unasked: it may be missing to them."""
OFF: Final = (Health.OFF, None)
"""How a neighbour does that was never connected."""
OWNER_READERS: Final = frozenset({Role.BORDER_GUARD, Role.CUSTOMS, Role.TRAFFIC_POLICE, Role.AUDITOR})
"""Who reads whose a vehicle is by the register."""


class DeclarationShown(BaseModel):
    """A customs declaration of the trip: `state` `None` until customs' system answers.

    `trips` carry goods of it, `carried_kg` of them by what is known, of `total_kg` by its lines.
    """

    number: str
    state: str | None
    channel: str | None
    hold_reason: str
    released_at: datetime | None
    as_of: datetime | None
    asked_at: datetime
    simulated: bool
    gross_kg: int | None
    trips: int
    carried_kg: int | None
    total_kg: float | None
    lines: list[JsonObject]


class RecordShown(BaseModel):
    """What the register of vehicles says of a plate: `None` fields are not known, `found` `None` until it answers."""

    plate: str
    found: bool | None = None
    vehicle_class: str = ""
    payload_kg: int | None = None
    axles: int | None = None
    inspection_expires: date | None = None
    owner: str | None = None
    as_of: datetime | None = None
    simulated: bool = False


class DifferenceShown(BaseModel):
    """What was done here and is said otherwise there; open while `settled_at` is `None`."""

    kind: str
    number: str
    ours: str
    theirs: str
    found_at: datetime
    settled_at: datetime | None


class AwayShown(BaseModel):
    """A neighbour (`bank`, `seals`) that does not answer: what it has to say of the trip may be missing."""

    name: str
    since: datetime


class NeighboursShown(BaseModel):
    """What the neighbours said of a trip; `…_health` is how each does, `…_down_since` since when it is away, `away` the
    others that are."""

    customs_health: str
    customs_down_since: datetime | None
    declarations: list[DeclarationShown]
    registration_health: str
    registration_down_since: datetime | None
    records: list[RecordShown]
    differences: list[DifferenceShown]
    away: list[AwayShown]


def show(session: Session, principal: Principal, trip: Trip) -> NeighboursShown | None:
    """The sheet's part `neighbours`; `None` where none of these is connected, or for whom it is not."""
    if principal.role not in READERS:
        return None
    connected, healths = store.connected(session), service.healths(session)
    if not connected & {CUSTOMS, REGISTRATION, *AWAY_READERS}:
        return None
    customs, customs_down = healths.get(CUSTOMS, OFF)
    registration, registration_down = healths.get(REGISTRATION, OFF)
    return NeighboursShown(
        customs_health=customs,
        customs_down_since=customs_down,
        declarations=_declarations(session, trip) if CUSTOMS in connected else [],
        registration_health=registration,
        registration_down_since=registration_down,
        records=_records(session, principal, trip) if REGISTRATION in connected else [],
        differences=[
            DifferenceShown.model_validate(row, from_attributes=True)
            for row in customs_store.differences_of(session, trip.trip_id)
        ],
        away=[
            AwayShown(name=name, since=since)
            for name, readers in AWAY_READERS.items()
            if principal.role in readers and name in connected
            if (since := healths.get(name, OFF)[1]) is not None
        ],
    )


def _declarations(session: Session, trip: Trip) -> list[DeclarationShown]:
    known = customs_store.known_of_trip(session, trip.trip_id)
    carried = customs_store.carried(session, [each.number for each in known])
    return [
        DeclarationShown(
            number=each.number,
            state=each.state,
            channel=each.channel,
            hold_reason=each.hold_reason,
            released_at=each.released_at,
            as_of=each.as_of,
            asked_at=each.asked_at,
            simulated=each.is_simulated,
            gross_kg=each.gross_kg,
            trips=carried[each.number].trips,
            carried_kg=carried[each.number].gross_kg,
            total_kg=_total_kg(each.lines),
            lines=list(each.lines),
        )
        for each in known
    ]


def _total_kg(lines: Sequence[JsonObject]) -> float | None:
    weights = [line.get("gross_kg") for line in lines]
    found = [float(weight) for weight in weights if isinstance(weight, int | float)]
    return sum(found) if found else None


def _records(session: Session, principal: Principal, trip: Trip) -> list[RecordShown]:
    plates = plates_of(session, trip)
    records = official.find_records(session, plates)
    shows_owner = principal.role in OWNER_READERS
    found = []
    for plate in plates:
        record = records.get(plate)
        if record is None:
            found.append(RecordShown(plate=display_plate(plate)))
            continue
        found.append(
            RecordShown(
                plate=display_plate(plate),
                found=record.is_found,
                vehicle_class=record.vehicle_class,
                payload_kg=record.payload_kg,
                axles=record.axles,
                inspection_expires=record.inspection_expires,
                owner=record.owner if shows_owner else None,
                as_of=record.as_of,
                simulated=record.is_simulated,
            )
        )
    return found
