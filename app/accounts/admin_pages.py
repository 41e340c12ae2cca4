"""The administrator's pages: accounts and organisations."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Path, Query, Request
from starlette.responses import RedirectResponse, Response

from app.accounts import service, store, tax_numbers
from app.accounts.authorisation import acting, allow
from app.accounts.tables import ORGANISATION_KINDS
from app.platform.actions import ActionContext
from app.platform.dependencies import CorridorDep, SessionDep
from app.platform.permissions import Principal, Role
from app.web.pages import render

router = APIRouter(include_in_schema=False)

PAGE_SIZE = 50

Reader = Annotated[Principal, Depends(allow("accounts.read"))]
Writer = Annotated[Principal, Depends(allow("accounts.write"))]
WriterAction = Annotated[ActionContext, Depends(acting("accounts.write"))]


@router.get("/admin")
def list_accounts(
    request: Request,
    session: SessionDep,
    corridor: CorridorDep,
    _principal: Reader,
    q: Annotated[str, Query(max_length=100)] = "",
    role: str = "",
    after: int = 0,
) -> Response:
    """Accounts, searched and in pages."""
    rows = store.list_accounts(session, query=q, role=role, after=after, limit=PAGE_SIZE)
    following = rows[-1][0].account_id if len(rows) == PAGE_SIZE else None
    total = store.count_accounts(session)
    return render(
        request,
        "accounts/admin_accounts.html",
        rows=rows,
        q=q,
        role=role,
        roles=tuple(Role),
        following=following,
        total=total,
        sites=corridor.sites,
    )


@router.get("/admin/accounts/new")
def show_new(request: Request, session: SessionDep, corridor: CorridorDep, _principal: Writer) -> Response:
    """The form of a new account."""
    organisations = store.list_organisations(session)
    return render(
        request,
        "accounts/admin_account.html",
        account=None,
        person="",
        plate="",
        organisations=organisations,
        gates=corridor.gates(),
        roles=tuple(Role),
    )


@router.get("/admin/accounts/{account_id}")
def show_account(
    request: Request, account_id: int, session: SessionDep, corridor: CorridorDep, _principal: Reader
) -> Response:
    """One account, to change it; the form's script talks to the API."""
    account, organisations = store.get_account(session, account_id), store.list_organisations(session)
    return render(
        request,
        "accounts/admin_account.html",
        account=account,
        person="" if account.person_id is None else store.get_account(session, account.person_id).username,
        plate=store.find_plate(session, account.vehicle_id),
        organisations=organisations,
        gates=corridor.gates(),
        roles=tuple(Role),
    )


@router.get("/admin/organisations")
def list_organisations(request: Request, session: SessionDep, _principal: Reader) -> Response:
    """Organisations, and the form of a new one."""
    rows = store.list_organisations(session)
    return render(request, "accounts/admin_organisations.html", rows=rows, kinds=ORGANISATION_KINDS)


@router.post("/admin/organisations")
def create_organisation(
    action: WriterAction,
    name: Annotated[str, Form(max_length=200)],
    kind: Annotated[str, Form()],
    tax_number: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """Make an organisation."""
    service.create_organisation(action, name=name, kind=kind, tax_number=tax_number)
    return RedirectResponse("/admin/organisations", 303)


@router.post("/admin/organisations/{organisation_id}/tax-number")
def set_tax_number(
    action: WriterAction,
    organisation_id: Annotated[int, Path(ge=1, le=2**31 - 1)],
    tax_number: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """Set the tax number of an organisation, or clear it."""
    tax_numbers.set_tax_number(action, organisation_id, tax_number)
    return RedirectResponse("/admin/organisations", 303)
