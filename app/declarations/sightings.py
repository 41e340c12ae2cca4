"""Plates that cameras read at a gate and that nobody declared: they ring at the support desk.

A truck rings once, however many cameras of the gate read it; what is declared or registered since rings no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from app.declarations import sighting_store
from app.declarations.tables import UndeclaredSighting
from app.declarations.vocabulary import SightingOutcome
from app.platform import outbox
from app.platform.actions import ActionContext
from app.platform.outbox import Audience
from app.platform.permissions import Principal, Role, Scope
from geo.errors import NotFoundError
from ingest import plates

MUTED: Final = timedelta(hours=12)
"""A plate that the desk said needs no declaration (staff, a truck going home) does not ring again for so long."""
RINGS_FOR: Final = timedelta(hours=12)
"""A truck seen longer ago than this is no news."""


@dataclass(frozen=True)
class Sighting:
    """A plate read at a gate: by which camera, under which read, with a picture or not, when."""

    gate_id: str
    plate_norm: str
    read_id: int
    has_picture: bool
    camera: str
    seen_at: datetime


@dataclass(frozen=True)
class RingingPlate:
    """A plate that rings, as the desk shows it; `read_id` names its picture. `is_truck` if it can be registered so."""

    sighting_id: int
    plate: str
    read_id: int
    has_picture: bool
    camera: str
    seen_at: datetime
    is_truck: bool


def ring(session: Session, sighting: Sighting, now: datetime) -> int | None:
    """Ring at the support desk of a gate; the number of the sighting, `None` if nothing new is to be told.

    A plate does not ring if it is declared, waits at the desk, rings already, or was dismissed within `MUTED`.
    """
    if sighting.seen_at < now - RINGS_FOR:
        return None
    if sighting_store.is_declared(session, sighting.plate_norm):
        return None
    if sighting_store.is_known(session, sighting.gate_id, sighting.plate_norm, dismissed_since=now - MUTED):
        return None
    sighting_id = sighting_store.insert_or_see_again(
        session,
        {
            "gate_id": sighting.gate_id,
            "plate_norm": sighting.plate_norm,
            "read_id": sighting.read_id,
            "has_picture": sighting.has_picture,
            "camera": sighting.camera,
            "seen_at": sighting.seen_at,
            "last_seen_at": sighting.seen_at,
        },
    )
    if sighting_id is None:
        return None
    data = {"sighting_id": sighting_id, "read_id": sighting.read_id, "gate_id": sighting.gate_id}
    audience = Audience(roles=(str(Role.SUPPORT),), gates=(sighting.gate_id,))
    outbox.publish_event(session, "undeclared", audience, data, at=now)
    return sighting_id


def withdraw(session: Session, read_ids: Sequence[int], now: datetime) -> None:
    """Reads turned out to be of another plate, or of a trip: what they rang for rings no more."""
    if read_ids:
        sighting_store.withdraw(session, read_ids, now)


def note_pictures(session: Session, read_ids: Sequence[int]) -> None:
    """A later read of a passage brought a picture: what its read rang for has one now."""
    if read_ids:
        sighting_store.note_pictures(session, read_ids)


def list_ringing(session: Session, principal: Principal, *, now: datetime) -> list[RingingPlate]:
    """The plates that ring at the caller's desk, newest first."""
    gate_id = _gate_of(principal)
    if gate_id is None:
        return []
    return [_shown(row) for row in sighting_store.list_ringing(session, gate_id, since=now - RINGS_FOR)]


def dismiss(action: ActionContext, sighting_id: int) -> None:
    """The plate needs no declaration.

    Raises
    ------
    NotFoundError
        If it does not ring at the caller's desk.
    """
    row = sighting_store.find_open(action.session, _gate_of(action.actor), sighting_id)
    if row is None:
        raise NotFoundError("No plate {sighting_id} rings at your desk.", sighting_id=sighting_id)
    sighting_store.close(action.session, row, SightingOutcome.DISMISSED, action.now, action.actor.account_id)
    action.record(
        "undeclared.dismiss",
        "undeclared_sighting",
        sighting_id,
        None,
        {"plate": row.plate_norm, "read_id": row.read_id},
    )


def settle(action: ActionContext, arrival_id: int, gate_id: str, plate_norm: str, sighting_id: int | None) -> None:
    """A truck was registered at the desk: its plate rings no more, nor does the misread one it was registered from."""
    chosen = sighting_store.find_open(action.session, gate_id, sighting_id) if sighting_id is not None else None
    same = sighting_store.find_open_plate(action.session, gate_id, plate_norm)
    for row in {row.sighting_id: row for row in (chosen, same) if row is not None}.values():
        sighting_store.close(
            action.session, row, SightingOutcome.REGISTERED, action.now, action.actor.account_id, arrival_id=arrival_id
        )


def tell_registered(action: ActionContext, arrival_id: int, gate_id: str) -> None:
    """Tell the gate's support desk that a truck stands in the temporary yard, and whose act that was."""
    data = {"arrival_id": arrival_id, "gate_id": gate_id, "by_role": str(action.actor.role)}
    audience = Audience(roles=(str(Role.SUPPORT),), gates=(gate_id,))
    outbox.publish_event(action.session, "undeclared", audience, data, at=action.now)


def pictures_of(session: Session, arrival_ids: Sequence[int]) -> dict[int, int]:
    """The plate reads whose pictures show the trucks that were registered, by arrival."""
    return sighting_store.reads_of_arrivals(session, arrival_ids) if arrival_ids else {}


def _gate_of(principal: Principal) -> str | None:
    return principal.gate_id if principal.scope("undeclared.write") is Scope.OWN_GATE else None


def _shown(row: UndeclaredSighting) -> RingingPlate:
    is_truck = plates.find_plate(row.plate_norm) is not None and plates.vehicle_kind(row.plate_norm) == "truck"
    shown = plates.display_plate(row.plate_norm)
    return RingingPlate(row.sighting_id, shown, row.read_id, row.has_picture, row.camera, row.seen_at, is_truck)
