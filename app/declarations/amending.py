"""Changes of a trip by its enterprise or a support desk, beside a whole new declaration: single fields, cancelling.

What was handed in says the same as its trip: a change of what it declares is a new revision of it.
"""

from __future__ import annotations

from typing import Final

from app.declarations import on_sheet, service, store
from app.declarations.reading import of_the_trip, version_of
from app.declarations.service import DeclarationAction
from app.declarations.tables import DeclarationRow
from app.platform.actions import Event
from app.platform.outbox import Audience
from app.platform.permissions import Role
from app.procedures.changes import Change
from app.procedures.steps import Step
from app.sheets import standing
from app.sheets.service import open_steps
from app.trips import service as trips
from app.trips.schemas import TripChange
from app.trips.service import Trip
from app.trips.vocabulary import DeclarationStatus
from geo.errors import ConflictError
from ingest.plates import find_plate

BY_LINE: Final = frozenset({"goods", "goods_class", "perishable"})
"""What a declaration says line by line."""
PARTS: Final = {Change.TRAILER: "vehicle", Change.DRIVER: "driver", Change.GOODS: "goods"}


def amend_trip(action: DeclarationAction, trip_id: int, expected_version: int, changes: TripChange) -> None:
    """Change fields of a trip: those of `trips.declaration.Declaration` but the truck.

    Raises
    ------
    NotFoundError, StaleError, ConflictError, InvalidInputError
        If there is no such trip for the caller, it was changed since, the table of changes refuses it as the trip
        stands, or a value cannot be accepted.
    """
    trip = trips.lock_version(action.session, action.actor, trip_id, expected_version)
    asked = {name for name, value in changes.items() if not _is_same(trip, name, value)}
    wanted = {Change.of_field(name) for name in asked}
    standing.check_changes(action.session, trip, wanted, fields={Change.of_field(name): name for name in asked})
    rows = store.revisions_of(action.session, trip_id)
    if rows and wanted - {Change.ARRIVAL}:
        _declare_changes(action, trip, rows[0], version_of(rows), changes, asked)
        return
    left = trip.gate_id
    changed = trips.amend_trip(action, trip, changes, corridor=action.corridor)
    if trip.procedure_id is None or not changed:
        return
    if {"gate_id", "direction", "regime"} & set(changed):
        on_sheet.begin_again(action, action.sheets, trip, changed)
    parts = {PARTS[change] for name in changed if (change := Change.of_field(name)) in PARTS}
    if parts or left != trip.gate_id:
        facts = {"goods_class": [trip.goods_class], "perishable": trip.perishable} if "goods" in parts else {}
        action.sheets.update_facts(action, trip_id, facts, changed=parts)


def cancel_trip(action: DeclarationAction, trip_id: int, expected_version: int) -> None:
    """Take a trip back, and tell the stations that expected it.

    Raises
    ------
    NotFoundError, StaleError, ConflictError
        If there is no such trip for the caller, it was changed since, or the table of changes refuses it.
    """
    trip = trips.lock_version(action.session, action.actor, trip_id, expected_version)
    standing.check_changes(action.session, trip, {Change.CANCEL})
    steps = open_steps(action.session, [trip_id]).get(trip_id, [])
    trips.cancel_trip(action, trip)
    roles = {str(Step.get(step).agency(None)) for step in steps} - {str(Role.ENTERPRISE)}
    if roles:
        told = Audience(roles=tuple(sorted(roles)), gates=(trip.gate_id,))
        action.publish_event(Event("trip", told, trips.event_row(trip).data))


def _is_same(trip: Trip, name: str, value: object) -> bool:
    present = getattr(trip, name)
    if name == "trailer_plate" and isinstance(value, str) and value:
        return present is not None and find_plate(value) == present
    return bool(present == value) or (not present and not value and not isinstance(present, bool))


def _declare_changes(
    action: DeclarationAction,
    trip: Trip,
    latest: DeclarationRow,
    version: int,
    changes: TripChange,
    asked: set[str],
) -> None:
    """Make a new revision of what was declared, or change the draft that is the beginning of it."""
    is_first = latest.status == DeclarationStatus.DRAFT and latest.revision == 1
    by_line = min(asked & BY_LINE, default=None)
    if by_line is not None:
        raise ConflictError(
            "The goods of the trip {code} are declared line by line; change its declaration.",
            field=by_line,
            code=trip.code,
        )
    if not is_first and latest.status != DeclarationStatus.SUBMITTED:
        raise ConflictError(
            "The declaration of the trip {code} is {status}; change it there and hand it in.",
            code=trip.code,
            status=DeclarationStatus.get(latest.status),
        )
    written = {**latest.data, **({} if is_first else of_the_trip(trip)), **changes}
    if "regime" in asked and "direction" not in changes:
        written["direction"] = ""
    service.save(action, trip.trip_id, version, written, submit=not is_first)
