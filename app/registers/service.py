"""What an enterprise keeps on file: vehicles, drivers, containers and their documents. Opens no sight of anything.

Published for reading and joining: `has_driver_number`, `held_by`, `holder_of`, `is_held_by`, `own_vehicles`,
`proven_since`; of a vehicle `chassis_number_of`; `find_contacts`. The claims are in `claims`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from app.accounts import store as account_store
from app.platform.actions import ActionContext
from app.platform.json import JsonObject
from app.platform.permissions import Principal, Role, Scope
from app.platform.personal_fields import digest
from app.registers import papers, store
from app.registers.chassis_number import normalise_chassis_number
from app.registers.claims import known_vehicle, organisation_of
from app.registers.container_number import normalise_container_number, show_container_number
from app.registers.fields import DOCUMENT_FIELDS, FIELDS
from app.registers.scope import has_driver_number as has_driver_number
from app.registers.scope import held_by as held_by
from app.registers.scope import holder_of as holder_of
from app.registers.scope import is_held_by as is_held_by
from app.registers.scope import own_vehicles as own_vehicles
from app.registers.scope import proven_since as proven_since
from app.registers.store import ENTRY_CLASSES, Entry, ListedDriver, ListedVehicle
from app.registers.store import Contact as Contact
from app.registers.store import Reaching as Reaching
from app.registers.store import chassis_number_of as chassis_number_of
from app.registers.store import find_contacts as find_contacts
from app.registers.tables import RegisteredContainer, RegisteredDocument, RegisteredDriver
from app.registers.vocabulary import Subject, VehicleClass
from app.web.form_values import is_given, read_fields
from app.web.forms import Problem
from geo.clock import LOCAL_ZONE
from geo.errors import ConflictError, InvalidInputError, NotFoundError, RefusedError
from geo.versions import check_version
from ingest import plates

_DEFAULTS: Final[Mapping[str, object]] = {
    "note": "",
    "chassis_number": "",
    "phone": "",
    "paper_number": "",
    "licence_number": "",
    "licence_class": "",
}
"""What stands in a column of text where nothing is written; other columns stay empty."""


@dataclass(frozen=True)
class Register:
    """All that an enterprise keeps on file; `is_own`, for the enterprise itself: others read the end of numbers."""

    vehicles: Sequence[ListedVehicle]
    drivers: Sequence[ListedDriver]
    containers: Sequence[RegisteredContainer]
    documents: Sequence[RegisteredDocument]
    is_own: bool = True


def read_register(
    session: Session, principal: Principal, query: str = "", organisation_id: int | None = None
) -> Register:
    """What the caller's organisations keep on file, narrowed by the words of `query`.

    Who oversees names an organisation; an enterprise may narrow to one of those that it acts for.
    """
    owners = _owners(principal, organisation_id)
    return Register(
        store.vehicles(session, owners, query),
        store.drivers(session, owners, query),
        store.containers(session, owners, query),
        store.documents(session, owners),
        is_own=principal.require("registers.read") is Scope.OWN_ORGANISATION and not principal.is_looking,
    )


def save_entry(
    action: ActionContext,
    subject: Subject,
    written: Mapping[str, Any],
    *,
    entry_id: int | None = None,
    expected_version: int | None = None,
    organisation_id: int | None = None,
) -> Entry:
    """Put a vehicle, driver or container on file, or change it.

    Arguments: `written`, the fields of `FIELDS[subject]` as people, programs and files write them.

    Raises
    ------
    RefusedError
        With every field that cannot be accepted.
    NotFoundError, StaleError, ConflictError, ForbiddenError
        If there is no such entry of the caller, it was changed since, or the same is on file already.
    """
    if subject not in FIELDS:
        raise NotFoundError("There is no entry {value} on your file.", value=str(subject))
    values = _read(FIELDS[subject], written)
    if entry_id is None:
        owner = organisation_of(action.actor, organisation_id)
        columns = _check(action, subject, values, owner, None)
        entry = ENTRY_CLASSES[subject](**columns, organisation_id=owner, created_at=action.now, version=1)
        action.session.add(entry)
        action.session.flush()
        action.record(f"registers.add_{subject}", f"registered_{subject}", entry.entry_id, None, _record(entry))
        return entry
    entry = _lock(action, subject, entry_id)
    if expected_version is not None:
        check_version(entry.version, expected_version)
    before = _record(entry)
    for name, value in _check(action, subject, values, entry.organisation_id, entry).items():
        setattr(entry, name, value)
    if _record(entry) != before:
        entry.version += 1
        action.session.flush()
        action.record(f"registers.change_{subject}", f"registered_{subject}", entry_id, before, _record(entry))
    return entry


def remove_entry(action: ActionContext, subject: Subject, entry_id: int) -> None:
    """Take an entry off the file, its documents with it. What is proven of a vehicle stays proven.

    Raises
    ------
    NotFoundError
        If there is no such entry of the caller.
    """
    entry = _lock(action, subject, entry_id)
    before = _record(entry)
    entry.removed_at = action.now
    for document in store.documents(action.session, [entry.organisation_id], subject, entry_id):
        document.removed_at = action.now
    action.session.flush()
    action.record(f"registers.remove_{subject}", f"registered_{subject}", entry_id, before, None)


def add_document(
    action: ActionContext,
    subject: Subject,
    entry_id: int | None,
    written: Mapping[str, Any],
    *,
    organisation_id: int | None = None,
) -> RegisteredDocument:
    """Put a document of an entry, or of the enterprise itself, on file.

    Raises
    ------
    RefusedError, NotFoundError, ForbiddenError
        With every field that cannot be accepted; or if there is no such entry of the caller.
    """
    values = _read(DOCUMENT_FIELDS, written)
    _refuse(_dates(values, ("expires_on",), action.now))
    if subject is Subject.ORGANISATION:
        owner, about = organisation_of(action.actor, organisation_id), None
    elif entry_id is None:
        raise InvalidInputError("Name the entry that the document belongs to.", field="entry_id")
    else:
        owner, about = _lock(action, subject, entry_id).organisation_id, entry_id
    document = RegisteredDocument(
        subject=subject,
        entry_id=about,
        organisation_id=owner,
        kind=values["kind"],
        number=values["number"],
        expires_on=values.get("expires_on"),
        note=values.get("note", ""),
        created_at=action.now,
        version=1,
    )
    action.session.add(document)
    action.session.flush()
    after = _record_document(document)
    action.record("registers.add_document", "registered_document", document.document_id, None, after)
    return document


def get_document(session: Session, principal: Principal, document_id: int) -> RegisteredDocument:
    """A document on file; raises NotFoundError if there is none of the caller."""
    for document in store.documents(session, principal.organisation_ids):
        if document.document_id == document_id:
            return document
    raise NotFoundError("There is no document {value} on your file.", value=document_id)


def remove_document(action: ActionContext, document_id: int) -> RegisteredDocument:
    """Take a document off the file.

    Raises
    ------
    NotFoundError
        If there is none of the caller.
    """
    document = store.lock_document(action.session, action.actor.organisation_ids, document_id)
    if document is None:
        raise NotFoundError("There is no document {value} on your file.", value=document_id)
    document.removed_at = action.now
    action.session.flush()
    action.record("registers.remove_document", "registered_document", document_id, _record_document(document), None)
    return document


def get_vehicle(session: Session, principal: Principal, entry_id: int) -> ListedVehicle:
    """A vehicle on file; raises NotFoundError if there is none of the caller."""
    found = store.find_vehicle_entry(session, principal.organisation_ids, entry_id)
    if found is None:
        raise _no_entry(entry_id)
    return found


def get_driver(session: Session, principal: Principal, entry_id: int) -> ListedDriver:
    """A driver on file; raises NotFoundError if there is none of the caller."""
    found = store.find_driver_entry(session, principal.organisation_ids, entry_id)
    if found is None:
        raise _no_entry(entry_id)
    return found


def find_telephone(session: Session, organisation_id: int, account_id: int) -> str:
    """The telephone of a driver as an enterprise has it on file; "" if it has none."""
    driver = store.find_driver_of_account(session, organisation_id, account_id)
    return "" if driver is None else driver.phone


def get_container(session: Session, principal: Principal, entry_id: int) -> RegisteredContainer:
    """A container on file; raises NotFoundError if there is none of the caller."""
    for container in store.containers(session, principal.organisation_ids):
        if container.entry_id == entry_id:
            return container
    raise _no_entry(entry_id)


def documents_of(
    session: Session, principal: Principal, subject: Subject, entry_id: int
) -> Sequence[RegisteredDocument]:
    """The documents of an entry of the caller, those that expire first before the others."""
    return store.documents(session, principal.organisation_ids, subject, entry_id)


# Pieces


def _owners(principal: Principal, organisation_id: int | None) -> list[int]:
    if principal.require("registers.read") is Scope.ALL:
        return [] if organisation_id is None else [organisation_id]
    own = principal.organisation_ids
    return sorted(own if organisation_id is None else own & {organisation_id})


def _lock(action: ActionContext, subject: Subject, entry_id: int) -> Entry:
    entry = store.lock_entry(action.session, subject, action.actor.organisation_ids, entry_id)
    if entry is None:
        raise _no_entry(entry_id)
    return entry


def _no_entry(entry_id: int) -> NotFoundError:
    return NotFoundError("There is no entry {value} on your file.", value=entry_id)


def _read(fields: Mapping[str, Any], written: Mapping[str, Any]) -> Mapping[str, Any]:
    problems: list[Problem] = []
    values = read_fields(fields, written, problems)
    unread = {problem.field for problem in problems}
    for name, spec in fields.items():
        if name in unread:
            continue
        value = values.get(name)
        if spec.required and not is_given(value):
            problems.append(Problem(name, "This field is missing; fill it in."))
        elif isinstance(value, int) and not isinstance(value, bool) and spec.minimum is not None:
            most = spec.maximum if spec.maximum is not None else value
            if not spec.minimum <= value <= most:
                limits = {"value": value, "least": int(spec.minimum), "most": int(most)}
                problems.append(Problem(name, "{value} cannot be; give a number from {least} to {most}.", limits))
    _refuse(problems)
    return values


def _check(
    action: ActionContext, subject: Subject, values: Mapping[str, Any], owner: int, entry: Entry | None
) -> Mapping[str, Any]:
    """The columns of an entry out of its fields, checked against the rest of the file."""
    check = {Subject.VEHICLE: _check_vehicle, Subject.DRIVER: _check_driver, Subject.CONTAINER: _check_container}
    columns = check[subject](action, values, owner, entry)
    return {name: _DEFAULTS.get(name) if value is None else value for name, value in columns.items()}


def _check_vehicle(
    action: ActionContext, values: Mapping[str, Any], owner: int, entry: Entry | None
) -> Mapping[str, Any]:
    norm = plates.normalise_plate(values["plate"])
    is_trailer = VehicleClass.get(values["vehicle_class"]).is_trailer
    problems = _dates(values, ("inspection_expires",), action.now)
    if values.get("chassis_number"):
        try:
            values = {**values, "chassis_number": normalise_chassis_number(values["chassis_number"])}
        except InvalidInputError as error:
            problems.append(Problem("chassis_number", error.message, error.values))
    if (plates.vehicle_kind(norm) == "trailer") is not is_trailer:
        message = (
            "{plate} is the plate of a truck; choose a class of trucks, or write the trailer's plate."
            if is_trailer
            else "{plate} is the plate of a trailer; choose a class of trailers, or write the truck's plate."
        )
        problems.append(Problem("vehicle_class", message, {"plate": values["plate"]}))
    _refuse(problems)
    vehicle = known_vehicle(action.session, norm, action.now)
    same = store.find_entry_of_vehicle(action.session, owner, vehicle.vehicle_id)
    if same is not None and same is not entry:
        raise ConflictError("{plate} is on your file already.", field="plate", plate=vehicle.plate)
    columns = ("vehicle_class", "payload_kg", "axles", "inspection_expires", "chassis_number", "note")
    return {"vehicle_id": vehicle.vehicle_id, **{name: values.get(name) for name in columns}}


def _check_driver(
    action: ActionContext, values: Mapping[str, Any], owner: int, entry: Entry | None
) -> Mapping[str, Any]:
    problems = _dates(values, ("paper_expires", "licence_expires"), action.now)
    phone, paper, number = values.get("phone", ""), values.get("paper"), values.get("paper_number", "")
    if phone and not papers.is_phone(phone):
        message = "Give the driver's phone with 8 to 15 digits, such as 0912 345 678 or +86 138…."
        problems.append(Problem("phone", message))
    if number and not paper:
        problems.append(Problem("paper", "Choose the paper with which the driver crosses."))
    elif number and paper and not papers.has_form_of(paper, number):
        message = "{value} does not have the form of this paper ({form}); copy it from the paper."
        problems.append(Problem("paper_number", message, {"value": number, "form": papers.PAPERS[paper][1]}))
    if values.get("licence_number") and not papers.is_licence(values["licence_number"]):
        message = "Give the number of the driving licence, 6 to 20 letters and digits."
        problems.append(Problem("licence_number", message))
    account_id = values.get("account_id")
    if account_id is not None:
        account = account_store.find_account(action.session, account_id)
        if account is None or account.role != Role.DRIVER or account.organisation_id != owner:
            message = "Your enterprise has no driver's account {value}; choose one of its accounts."
            problems.append(Problem("account_id", message, {"value": account_id}))
        same = store.find_driver_of_account(action.session, owner, account_id)
        if same is not None and same is not entry:
            message = "The account belongs to {name}, who is on your file already."
            problems.append(Problem("account_id", message, {"name": same.full_name}))
    _refuse(problems)
    return {name: values.get(name) for name in FIELDS[Subject.DRIVER]}


def _check_container(
    action: ActionContext, values: Mapping[str, Any], owner: int, entry: Entry | None
) -> Mapping[str, Any]:
    try:
        number = normalise_container_number(values["number"])
    except InvalidInputError as error:
        raise RefusedError([InvalidInputError(error.message, field="number", **error.values)]) from None
    same = store.find_container(action.session, owner, number)
    if same is not None and same is not entry:
        shown = show_container_number(number)
        raise ConflictError("{number} is on your file already.", field="number", number=shown)
    return {**{name: values.get(name) for name in FIELDS[Subject.CONTAINER]}, "number": number}


def _dates(values: Mapping[str, Any], names: Sequence[str], now: datetime) -> list[Problem]:
    today = now.astimezone(LOCAL_ZONE).date()
    message = "The date {value} cannot be; write it again with four digits of the year."
    return [
        Problem(name, message, {"value": values[name].strftime("%d/%m/%Y")})
        for name in names
        if values.get(name) is not None and not papers.can_be(values[name], today)
    ]


def _refuse(problems: Sequence[Problem]) -> None:
    if problems:
        raise RefusedError(
            [InvalidInputError(problem.message, field=problem.field, **problem.values) for problem in problems]
        )


def _record(entry: Entry) -> JsonObject:
    left_out = {"entry_id", "created_at", "version", "removed_at"}
    columns = [column.key for column in type(entry).__mapper__.columns if column.key not in left_out]
    if isinstance(entry, RegisteredDriver):  # what is remarked of a person is no less personal than the rest
        return {name: _private(name, getattr(entry, name)) for name in columns if name != "number_digests"}
    return {name: _plain(getattr(entry, name)) for name in columns}


def _record_document(document: RegisteredDocument) -> JsonObject:
    """What the audit log keeps of a document: its number and remark as digests."""
    return {name: _private(name, getattr(document, name)) for name in ("subject", "entry_id", *DOCUMENT_FIELDS)}


def _private(name: str, value: object) -> object:
    return f"hmac:{digest(value)}" if name in ("number", "note") and value else _plain(value)


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, date | datetime) else value
