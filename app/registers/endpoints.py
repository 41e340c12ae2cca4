"""What an enterprise keeps on file: `/api/v1/registers`; its accounts: `/api/v1/own-accounts`."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Query
from pydantic import BaseModel

from app.accounts import own_accounts
from app.accounts.authorisation import acting, allow
from app.platform import idempotency
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, SessionDep
from app.platform.errors import problems
from app.platform.fields import PlainText
from app.platform.idempotency_key import IdempotencyKey
from app.platform.permissions import Principal
from app.platform.versions import ExpectedVersion
from app.registers import expiry, service
from app.registers.schemas import (
    ContainerIn,
    ContainerOut,
    DocumentIn,
    DocumentOut,
    DriverIn,
    DriverOut,
    DueOut,
    Number,
    OrganisationId,
    OwnAccountChange,
    OwnAccountIn,
    OwnAccountOut,
    RegisterOut,
    VehicleIn,
    VehicleOut,
)
from app.registers.vocabulary import Subject
from app.web.routers import ApiRouter

router = ApiRouter(prefix="/api/v1", tags=["registers"])

ReaderDep = Annotated[Principal, Depends(allow("registers.read"))]
WriterAction = Annotated[ActionContext, Depends(acting("registers.write"))]
EntryId = Annotated[int, Path(ge=1, le=2**31 - 1)]


def _save(
    action: ActionContext, subject: Subject, body: VehicleIn | DriverIn | ContainerIn, key: str | None = None
) -> int:
    written = body.model_dump(exclude={"organisation_id"})

    def make() -> int:
        return service.save_entry(action, subject, written, organisation_id=body.organisation_id).entry_id

    return idempotency.once(action, f"registers.add_{subject}", key, [body], make)


def _change(action: ActionContext, subject: Subject, body: BaseModel, entry_id: int, version: int) -> None:
    written = body.model_dump(exclude={"organisation_id"})
    service.save_entry(action, subject, written, entry_id=entry_id, expected_version=version)


@router.get("/registers", summary="All that is on file")
def read_register(
    principal: ReaderDep,
    session: SessionDep,
    q: Annotated[PlainText, Query(max_length=100, description="Words in any order, without accents.")] = "",
    organisation_id: Annotated[OrganisationId, Query()] = None,
) -> RegisterOut:
    """Vehicles, drivers, containers and documents of the caller's enterprise, and of those it acts for."""
    return RegisterOut.of(service.read_register(session, principal, q, organisation_id))


@router.get("/registers/expiring", summary="What expires within 30 days, and what has")
def list_due(principal: ReaderDep, session: SessionDep, clock: ClockDep) -> list[DueOut]:
    """Dates of the caller's own files, the nearest first."""
    return [DueOut.of(due) for due in expiry.list_due(session, principal, clock.now())]


@router.post("/registers/vehicles", status_code=201, responses=problems(409))
def add_vehicle(body: VehicleIn, action: WriterAction, idempotency_key: IdempotencyKey = None) -> VehicleOut:
    """Put a truck or trailer on file."""
    entry_id = _save(action, Subject.VEHICLE, body, idempotency_key)
    return VehicleOut.of(service.get_vehicle(action.session, action.actor, entry_id))


@router.put("/registers/vehicles/{entry_id}", responses=problems(404, 409, 412, 428))
def change_vehicle(entry_id: EntryId, body: VehicleIn, action: WriterAction, version: ExpectedVersion) -> VehicleOut:
    """Change a vehicle on file; the whole entry is sent."""
    _change(action, Subject.VEHICLE, body, entry_id, version)
    return VehicleOut.of(service.get_vehicle(action.session, action.actor, entry_id))


@router.post("/registers/drivers", status_code=201, responses=problems(409))
def add_driver(body: DriverIn, action: WriterAction, idempotency_key: IdempotencyKey = None) -> DriverOut:
    """Put a driver on file."""
    entry_id = _save(action, Subject.DRIVER, body, idempotency_key)
    return DriverOut.of(service.get_driver(action.session, action.actor, entry_id))


@router.put("/registers/drivers/{entry_id}", responses=problems(404, 409, 412, 428))
def change_driver(entry_id: EntryId, body: DriverIn, action: WriterAction, version: ExpectedVersion) -> DriverOut:
    """Change a driver on file; the whole entry is sent."""
    _change(action, Subject.DRIVER, body, entry_id, version)
    return DriverOut.of(service.get_driver(action.session, action.actor, entry_id))


@router.post("/registers/containers", status_code=201, responses=problems(409))
def add_container(body: ContainerIn, action: WriterAction, idempotency_key: IdempotencyKey = None) -> ContainerOut:
    """Put a container on file."""
    entry_id = _save(action, Subject.CONTAINER, body, idempotency_key)
    return ContainerOut.of(service.get_container(action.session, action.actor, entry_id))


@router.put("/registers/containers/{entry_id}", responses=problems(404, 409, 412, 428))
def change_container(
    entry_id: EntryId, body: ContainerIn, action: WriterAction, version: ExpectedVersion
) -> ContainerOut:
    """Change a container on file; the whole entry is sent."""
    _change(action, Subject.CONTAINER, body, entry_id, version)
    return ContainerOut.of(service.get_container(action.session, action.actor, entry_id))


@router.post("/registers/documents", status_code=201, responses=problems(404))
def add_document(body: DocumentIn, action: WriterAction, idempotency_key: IdempotencyKey = None) -> DocumentOut:
    """Put a document on file."""
    written = body.model_dump(include={"kind", "number", "expires_on", "note"})

    def make() -> int:
        return service.add_document(
            action, body.subject, body.entry_id, written, organisation_id=body.organisation_id
        ).document_id

    document_id = idempotency.once(action, "registers.add_document", idempotency_key, [body], make)
    return DocumentOut.model_validate(service.get_document(action.session, action.actor, document_id))


@router.delete("/registers/documents/{document_id}", status_code=204, responses=problems(404))
def remove_document(document_id: Annotated[Number, Path()], action: WriterAction) -> None:
    """Take a document off the file."""
    service.remove_document(action, document_id)


@router.delete("/registers/{subject}s/{entry_id}", status_code=204, responses=problems(404))
def remove_entry(subject: Subject, entry_id: EntryId, action: WriterAction) -> None:
    """Take an entry off the file, its documents with it."""
    service.remove_entry(action, subject, entry_id)


@router.get("/own-accounts", summary="The accounts of one's own enterprise")
def list_accounts(
    session: SessionDep, principal: Annotated[Principal, Depends(allow("accounts.own"))]
) -> list[OwnAccountOut]:
    """Clerks and drivers, disabled ones last."""
    return [OwnAccountOut.model_validate(account) for account in own_accounts.list_own(session, principal)]


@router.post("/own-accounts", status_code=201, responses=problems(409))
def create_account(
    body: OwnAccountIn, action: Annotated[ActionContext, Depends(acting("accounts.own"))]
) -> OwnAccountOut:
    """Make an account for a clerk or a driver of one's own enterprise."""
    return OwnAccountOut.model_validate(own_accounts.create_own(action, **body.model_dump()))


@router.patch("/own-accounts/{account_id}", responses=problems(404, 409))
def change_account(
    account_id: Annotated[Number, Path()],
    body: OwnAccountChange,
    action: Annotated[ActionContext, Depends(acting("accounts.own"))],
) -> OwnAccountOut:
    """Take an account of one's own enterprise out of use, or into use again."""
    return OwnAccountOut.model_validate(own_accounts.set_own_disabled(action, account_id, body.disabled))
