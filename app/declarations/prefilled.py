"""Import declarations that the export data of the other side fill in beforehand.

They are offered to the enterprise that the goods are for, which checks, completes and declares; nothing is ever
declared by itself. What the other side says later changes or withdraws what is offered, and shows beside what was
declared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_
from sqlalchemy.orm import Session

from app.accounts.store import find_company, organisation_names
from app.accounts.tax_numbers import find_by_tax_number
from app.declarations import hs, personal, prefilled_store, service
from app.declarations.differences import Difference, differences
from app.declarations.form import Form
from app.declarations.prefilled_tables import PrefilledRow
from app.declarations.service import DeclarationAction
from app.declarations.vocabulary import PrefillSource, PrefillState
from app.platform.actions import ActionContext, Event
from app.platform.json import JsonObject
from app.platform.outbox import Audience
from app.platform.paging import Page, PageRequest
from app.platform.permissions import Principal, Scope
from app.registers import container_number
from app.trips.vocabulary import Stage
from geo.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from ingest import plates

EVENT = "prefilled"


@dataclass(frozen=True)
class Prefill:
    """What an authority says of goods on their way; `form` holds what it says, and nothing else."""

    source: PrefillSource
    reference: str
    version: int
    form: Form
    number: str = ""
    consignee: str = ""
    consignee_number: str = ""
    consignor: str = ""
    is_simulated: bool = False


@dataclass(frozen=True)
class Prefilled:
    """A pre-filled declaration as whom it concerns sees it.

    `data` is a `Form` as JSON, `filled` the names of the fields that are given in it (`lines.1.hs_code`).
    """

    prefilled_id: int
    source: PrefillSource
    state: PrefillState
    reference: str
    version: int
    number: str
    organisation_id: int | None
    organisation: str
    consignee: str
    consignor: str
    gate_id: str
    plate: str
    goods: str
    data: JsonObject
    filled: frozenset[str]
    is_simulated: bool
    received_at: datetime
    changed_at: datetime
    withdrawn_at: datetime | None
    trip_id: int | None


# What the other side says


def offer(action: ActionContext, prefill: Prefill) -> bool:
    """Offer a declaration, or change what was offered; whether this was news: what is older has no effect."""
    session = action.session
    row = prefilled_store.lock(session, prefill.source, prefill.reference, _empty(action.now))
    if prefill.version <= row.version:
        return False
    is_new = row.version < 0 or row.withdrawn_at is not None
    before = None if row.version < 0 else row.data
    row.version, row.number, row.data = prefill.version, prefill.number, prefill.form.to_record()
    row.consignee, row.consignee_number, row.consignor = prefill.consignee, prefill.consignee_number, prefill.consignor
    row.gate_id, row.plate, row.is_simulated = prefill.form.gate_id, prefill.form.plate, prefill.is_simulated
    row.changed_at, row.withdrawn_at = action.now, None
    if row.organisation_id is None:
        row.organisation_id = _organisation_for(session, prefill)
    _record(action, "offer" if is_new else "change", row, before)
    return True


def withdraw(action: ActionContext, source: PrefillSource, reference: str, version: int) -> bool:
    """Take back what was offered; whether this was news. What overtook the offer holds against it when it comes."""
    row = prefilled_store.lock(action.session, source, reference, _empty(action.now))
    if version <= row.version:
        return False
    is_known = row.version >= 0
    row.version, row.changed_at, row.withdrawn_at = version, action.now, action.now
    if is_known:
        _record(action, "withdraw", row, row.data)
    return True


# What people do


def list_prefilled(session: Session, principal: Principal, page: PageRequest) -> Page[Prefilled]:
    """Those that concern the caller, newest first."""
    rows = prefilled_store.list_visible(session, _visible(principal), before=page.before, limit=page.fetch)
    return Page.of(_shown(session, rows), page, lambda shown: shown.prefilled_id)


def get(session: Session, principal: Principal, prefilled_id: int) -> Prefilled:
    """One that concerns the caller; raises NotFoundError otherwise."""
    (found,) = _shown(session, [_get(session, principal, prefilled_id)])
    return replace(found, data=personal.project(found.data, principal.reader))


def take_over(action: DeclarationAction, prefilled_id: int, written: Mapping[str, object], *, submit: bool) -> int:
    """Declare with what was filled in and what a person made of it; the trip's id.

    Raises
    ------
    NotFoundError, ConflictError
        If there is none for the caller, it was withdrawn, it was declared already, or nobody knows whose it is.
    RefusedError
        As `service.create`.
    """
    row = _get(action.session, action.actor, prefilled_id, is_locked=True)
    if row.withdrawn_at is not None:
        raise ConflictError("{source} took this back; do not declare it.", source=_source(row).label)
    if row.organisation_id is None:
        raise ConflictError("Say first which enterprise these goods are for.")
    if row.trip_id is not None and not _is_over(action.session, row.trip_id):
        raise ConflictError("This was declared already; change that declaration.")
    trip_id = service.create(action, written, submit=submit, organisation_id=row.organisation_id)
    row.trip_id, row.taken_at, row.taken_by = trip_id, action.now, action.actor_id
    action.record("declarations.take_over", "prefilled_declaration", prefilled_id, None, {"trip_id": trip_id})
    return trip_id


def assign(action: ActionContext, prefilled_id: int, name: str) -> None:
    """Say which enterprise goods are for of whose consignee nobody knew it; later ones for the same go there too.

    Raises
    ------
    NotFoundError, ForbiddenError, ConflictError, InvalidInputError
        If there is none for the caller, the caller is no desk, it is somebody's, or no enterprise has this name.
    """
    if action.actor.scope("declarations.write") is Scope.OWN_ORGANISATION:
        raise ForbiddenError("A support desk says whose these goods are.")
    row = _get(action.session, action.actor, prefilled_id, is_locked=True)
    if row.organisation_id is not None:
        raise ConflictError("An enterprise has these goods already.")
    found = find_company(action.session, name)
    if len(found) != 1:
        raise InvalidInputError(
            "There is no enterprise {value}; write its name as it is kept.", field="name", value=name
        )
    row.organisation_id, row.assigned_at = found[0].organisation_id, action.now
    _record(action, "assign", row, None)


def of_trip(session: Session, trip_id: int) -> Prefilled | None:
    """What a trip was declared with; whoever may read the declaration may read it."""
    row = prefilled_store.find_of_trip(session, trip_id)
    return None if row is None else _shown(session, [row])[0]


def deviations(filled: Mapping[str, object], declared: Mapping[str, object]) -> list[Difference]:
    """Where a declaration says otherwise than what filled it in (both JSON forms); what that left open is nobody's.

    Plates, codes and numbers are compared as they are kept, whatever stands between their signs. A line that was added
    is told by its description.
    """
    known = _lines_of(filled)
    return [
        found
        for found in differences(filled, declared)
        if (found.old is not None or _is_added(found.field, known)) and not _is_same(found)
    ]


# Pieces

_SQUEEZED = {
    "plate": plates.squeeze,
    "trailer_plate": plates.squeeze,
    "hs_code": hs.squeeze,
    "container_number": container_number.squeeze,
}


def _is_same(found: Difference) -> bool:
    squeeze = _SQUEEZED.get(found.field.rpartition(".")[2])
    return squeeze is not None and squeeze(str(found.old or "")) == squeeze(str(found.new or ""))


def _lines_of(data: Mapping[str, object]) -> int:
    lines = data.get("lines")
    return len(lines) if isinstance(lines, list) else 0


def _is_added(field: str, known: int) -> bool:
    head, _, name = field.rpartition(".")
    return name == "description" and head.startswith("lines.") and int(head.partition(".")[2]) > known


def _visible(principal: Principal) -> ColumnElement[bool]:
    scope = principal.require("declarations.write")
    if scope is Scope.OWN_ORGANISATION:
        return PrefilledRow.organisation_id.in_(principal.organisation_ids)
    at_gate = or_(PrefilledRow.gate_id == principal.gate_id, PrefilledRow.gate_id == "")
    return and_(at_gate, PrefilledRow.plate != "")


def _get(session: Session, principal: Principal, prefilled_id: int, *, is_locked: bool = False) -> PrefilledRow:
    row = prefilled_store.find(session, _visible(principal), prefilled_id, is_locked=is_locked)
    if row is None:
        raise NotFoundError("There is no pre-filled declaration {number}.", number=prefilled_id)
    return row


def _empty(now: datetime) -> JsonObject:
    return {"data": Form().to_record(), "received_at": now, "changed_at": now}


def _organisation_for(session: Session, prefill: Prefill) -> int | None:
    """Whose goods these are: as a desk said for this consignee, else the enterprise of its tax number, else the only
    one of its name."""
    if prefill.consignee_number:
        known = prefilled_store.organisation_of_consignee(session, prefill.consignee_number)
        if known is not None:
            return known
        owner = find_by_tax_number(session, prefill.consignee_number)
        if owner is not None:
            return owner.organisation_id
    found = find_company(session, prefill.consignee) if prefill.consignee else ()
    return found[0].organisation_id if len(found) == 1 else None


def _record(action: ActionContext, act: str, row: PrefilledRow, before: JsonObject | None) -> None:
    event = None
    if row.organisation_id is not None:
        told = {
            "kind": act,
            "prefilled_id": row.prefilled_id,
            "version": row.version,
            "plate": row.plate,
            "source": row.source,
            "trip_id": row.trip_id,
        }
        event = Event(EVENT, Audience(organisations=(row.organisation_id,)), told)
    action.record(f"declarations.{act}", "prefilled_declaration", row.prefilled_id, before, row.data, event=event)


def _shown(session: Session, rows: Sequence[PrefilledRow]) -> list[Prefilled]:
    owners = {row.organisation_id for row in rows if row.organisation_id is not None}
    names = organisation_names(session, owners)
    return [_prefilled(row, names.get(row.organisation_id or 0, "")) for row in rows]


def _prefilled(row: PrefilledRow, organisation: str) -> Prefilled:
    form = Form.from_record(row.data)
    return Prefilled(
        prefilled_id=row.prefilled_id,
        source=_source(row),
        state=_state(row),
        reference=row.reference,
        version=row.version,
        number=row.number,
        organisation_id=row.organisation_id,
        organisation=organisation,
        consignee=row.consignee,
        consignor=row.consignor,
        gate_id=row.gate_id,
        plate=row.plate,
        goods="; ".join(dict.fromkeys(line.description for line in form.lines if line.description)),
        data=row.data,
        filled=frozenset(found.field for found in differences(Form().to_record(), row.data)),
        is_simulated=row.is_simulated,
        received_at=row.received_at,
        changed_at=row.changed_at,
        withdrawn_at=row.withdrawn_at,
        trip_id=row.trip_id,
    )


def _source(row: PrefilledRow) -> PrefillSource:
    return PrefillSource(row.source)


def _state(row: PrefilledRow) -> PrefillState:
    if row.withdrawn_at is not None:
        return PrefillState.WITHDRAWN
    return PrefillState.OFFERED if row.trip_id is None else PrefillState.TAKEN


def _is_over(session: Session, trip_id: int) -> bool:
    """Whether what was declared came to nothing, so that it may be declared again."""
    return prefilled_store.stage_of(session, trip_id) in Stage.without_crossing()
