"""The enterprise's file: vehicles, drivers, containers with their documents, on one page with what belongs to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Path, Query, Request
from starlette.responses import RedirectResponse, Response

from app.accounts import own_accounts, powers
from app.accounts.authorisation import acting, allow
from app.accounts.viewpoints import of_enterprise
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, SessionDep
from app.platform.permissions import Principal
from app.platform.personal_fields import mask
from app.registers import claims, device_access, expiry, forwarding, service
from app.registers.container_number import show_container_number
from app.registers.fields import CHOICES, DOCUMENT_FIELDS, FIELDS
from app.registers.refusal_labels import REFUSAL_LABELS
from app.registers.tables import NUMBERS
from app.registers.vocabulary import ClaimStatus, DocumentKind, Proof, Subject, VehicleClass
from app.web.forms import Problem, problems_by_field
from app.web.pages import render
from geo.clock import LOCAL_ZONE
from geo.errors import CuaKhauError, NotFoundError, RefusedError

router = APIRouter(include_in_schema=False, prefix="/enterprise/register")

HOME = "/enterprise/register"
ReaderDep = Annotated[Principal, Depends(of_enterprise(HOME))]
KeeperDep = Annotated[Principal, Depends(allow("registers.write"))]
KeeperAction = Annotated[ActionContext, Depends(acting("registers.write"))]
EntryId = Annotated[int, Path(ge=1, le=2**31 - 1)]


@dataclass(frozen=True)
class Said:
    """What the page tells after an act that went wrong, or of what is shown only once."""

    error: CuaKhauError | None = None
    part: str = ""
    written: Mapping[str, str] = field(default_factory=dict)
    device_id: str = ""


async def read_written(request: Request) -> dict[str, str]:
    """The fields of a sent form."""
    sent = await request.form()
    return {name: value for name, value in sent.items() if isinstance(value, str)}


WrittenDep = Annotated[dict[str, str], Depends(read_written)]


@router.get("")
def show(
    request: Request,
    principal: ReaderDep,
    session: SessionDep,
    clock: ClockDep,
    q: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """Everything on file, and what belongs to the enterprise."""
    return show_register(request, ActionContext(session, principal, clock.now()), q=q)


def show_register(request: Request, action: ActionContext, said: Said | None = None, *, q: str = "") -> Response:
    """The page, with what went wrong on it."""
    session, principal = action.session, action.actor
    said = said or Said()
    given = powers.list_powers(session, principal)
    return render(
        request,
        "registers/register.html",
        status=422 if said.error else 200,
        said=said,
        own_organisation_id=principal.organisation_id,
        q=q,
        register=service.read_register(session, principal, q),
        due=expiry.list_due(session, principal, action.now),
        holdings=claims.list_holdings(session, principal, q),
        receiver=request.app.state.runtime.settings.position_receiver,
        forwarded=forwarding.list_forwarding(session, principal),
        own_claims=claims.list_claims(session, principal, "claims.read"),
        to_answer=claims.list_claims(session, principal, "claims.answer"),
        accounts=own_accounts.list_own(session, principal),
        devices=device_access.list_devices(session, principal),
        powers=given,
        acting_for={
            power.power.organisation_id: power.organisation
            for power in given
            if power.power.organisation_id in principal.acts_for
        },
        today=action.now.astimezone(LOCAL_ZONE).date(),
        classes=VehicleClass.by_name(),
        proofs=Proof.by_name(),
        claim_statuses=ClaimStatus.by_name(),
        documents=DocumentKind.by_name(),
        refusal_labels=REFUSAL_LABELS,
        show_number=show_container_number,
        personal=_shown_to(principal),
    )


@router.get("/{subject}s/new")
def show_new(request: Request, principal: KeeperDep, session: SessionDep, subject: Subject) -> Response:
    """The form of a new entry."""
    return _show_form(request, session, principal, subject, {})


@router.post("/{subject}s/new")
def add(request: Request, action: KeeperAction, subject: Subject, written: WrittenDep) -> Response:
    """Put an entry on file."""
    try:
        with action.session.begin_nested():
            entry = service.save_entry(action, subject, written)
    except CuaKhauError as error:
        return _show_form(request, action.session, action.actor, subject, written, error=error)
    return RedirectResponse(f"{HOME}/{subject}s/{entry.entry_id}", 303)


@router.get("/{subject}s/{entry_id}")
def show_entry(
    request: Request, principal: ReaderDep, session: SessionDep, subject: Subject, entry_id: EntryId
) -> Response:
    """An entry with its documents."""
    return _show_form(request, session, principal, subject, None, entry_id=entry_id)


@router.post("/{subject}s/{entry_id}")
def change(
    request: Request, action: KeeperAction, subject: Subject, entry_id: EntryId, written: WrittenDep
) -> Response:
    """Change an entry."""
    version = written.get("version", "")
    try:
        with action.session.begin_nested():
            expected = int(version) if version.isascii() and version.isdigit() else 0
            service.save_entry(action, subject, written, entry_id=entry_id, expected_version=expected)
    except CuaKhauError as error:
        return _show_form(request, action.session, action.actor, subject, written, entry_id=entry_id, error=error)
    return RedirectResponse(f"{HOME}#{subject}s", 303)


@router.post("/{subject}s/{entry_id}/remove")
def remove(action: KeeperAction, subject: Subject, entry_id: EntryId) -> Response:
    """Take an entry off the file."""
    service.remove_entry(action, subject, entry_id)
    return RedirectResponse(f"{HOME}#{subject}s", 303)


@router.post("/{subject}s/{entry_id}/documents")
def add_document(
    request: Request, action: KeeperAction, subject: Subject, entry_id: EntryId, written: WrittenDep
) -> Response:
    """Put a document of an entry on file."""
    try:
        with action.session.begin_nested():
            service.add_document(action, subject, entry_id, written)
    except CuaKhauError as error:
        return _show_form(
            request, action.session, action.actor, subject, None, entry_id=entry_id, document=(written, error)
        )
    return RedirectResponse(f"{HOME}/{subject}s/{entry_id}#documents", 303)


@router.post("/documents/{document_id}/remove")
def remove_document(
    action: KeeperAction, document_id: EntryId, back: Annotated[str, Form(max_length=80)] = ""
) -> Response:
    """Take a document off the file."""
    removed = service.remove_document(action, document_id)
    is_of_entry = removed.entry_id is not None and back
    return RedirectResponse(f"{HOME}/{removed.subject}s/{removed.entry_id}" if is_of_entry else HOME, 303)


def _show_form(
    request: Request,
    session: SessionDep,
    principal: Principal,
    subject: Subject,
    written: Mapping[str, str] | None,
    *,
    entry_id: int | None = None,
    error: CuaKhauError | None = None,
    document: tuple[Mapping[str, str], CuaKhauError] | None = None,
) -> Response:
    if subject not in FIELDS:
        raise NotFoundError("There is no entry {value} on your file.", value=str(subject))
    fields = FIELDS[subject]
    stored = {} if entry_id is None else _as_written(session, principal, subject, entry_id)
    shown = stored if written is None else {**stored, **written}
    document_written, document_error = document or ({}, None)
    accounts = {
        str(account.account_id): account.full_name
        for account in own_accounts.list_own(session, principal)
        if account.role == "driver" and account.disabled_at is None
    }
    documents = [] if entry_id is None else service.documents_of(session, principal, subject, entry_id)
    return render(
        request,
        "registers/entry.html",
        status=422 if error or document_error else 200,
        subject=subject,
        entry_id=entry_id,
        fields=fields,
        written={**dict.fromkeys(fields, ""), "version": "", **shown},
        choices={**CHOICES, "account_id": accounts},
        errors=_problems(error),
        by_field=problems_by_field(_problems(error)),
        documents=documents,
        document_fields=DOCUMENT_FIELDS,
        document_written={**dict.fromkeys(DOCUMENT_FIELDS, ""), **document_written},
        document_by_field=problems_by_field(_problems(document_error)),
        kinds=DocumentKind.by_name(),
        personal=_shown_to(principal),
    )


def _as_written(session: SessionDep, principal: Principal, subject: Subject, entry_id: int) -> dict[str, str]:
    shown: dict[str, object] = {}
    if subject is Subject.VEHICLE:
        listed = service.get_vehicle(session, principal, entry_id)
        entry: Any = listed.entry
        shown = {"plate": listed.plate}
    elif subject is Subject.DRIVER:
        entry = service.get_driver(session, principal, entry_id).entry
    else:
        entry = service.get_container(session, principal, entry_id)
        shown = {"number": show_container_number(entry.number)}
    values = {name: getattr(entry, name, None) for name in (*FIELDS[subject], "version")} | shown
    if principal.is_looking and subject is Subject.DRIVER:
        values |= {name: _shown_to(principal)(_as_text(values[name])) for name in NUMBERS} | {"note": ""}
    return {name: _as_text(value) for name, value in values.items()}


def _shown_to(principal: Principal) -> Callable[[str], str]:
    """How a number of a driver's is shown: who only looks at the register reads its end."""
    return (lambda number: mask(number) if number else "") if principal.is_looking else str


def _as_text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def _problems(error: CuaKhauError | None) -> list[Problem]:
    refused = error.problems if isinstance(error, RefusedError) else [error] if error else []
    return [Problem(problem.field or "", problem.message, problem.values) for problem in refused]
