"""One's own account: password, language, where one is signed in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from app.accounts import service as accounts
from app.accounts import store
from app.accounts.authorisation import acting, allow
from app.accounts.service import NO_PASSWORD, get_account
from app.accounts.vocabulary import SignInMethod
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, CorridorDep, SessionDep
from app.platform.errors import status_of, translate
from app.platform.permissions import Principal
from app.signin import factors, service
from app.signin.dependencies import DoorDep, remember_device
from app.web.pages import render
from geo.corridor import Corridor
from geo.errors import CuaKhauError, InvalidInputError, TooManyRequestsError

router = APIRouter(include_in_schema=False)

Own = Annotated[Principal, Depends(allow("account.own"))]
OwnAction = Annotated[ActionContext, Depends(acting("account.own"))]


@router.get("/account")
def show_account(
    request: Request,
    session: SessionDep,
    clock: ClockDep,
    corridor: CorridorDep,
    principal: Own,
    changed: bool = False,
) -> Response:
    """The caller's account."""
    return _page(request, ActionContext(session, principal, clock.now()), corridor, has_changed=changed)


@router.post("/account/password")
def change_password(
    request: Request,
    door: DoorDep,
    action: OwnAction,
    corridor: CorridorDep,
    old_password: Annotated[str, Form(max_length=200)],
    new_password: Annotated[str, Form(max_length=200)],
) -> Response:
    """Change the password; every other session of the account ends."""
    try:
        service.change_password(door, action, old_password, new_password)
    except (InvalidInputError, TooManyRequestsError) as error:
        return _page(request, action, corridor, error)
    response = RedirectResponse("/account?changed=true", 303)
    remember_device(response, door, get_account(action.session, action.actor.account_id))
    return response


@router.post("/account/sessions/{short_id}/end")
def end_session(action: Annotated[ActionContext, Depends(acting("session.own"))], short_id: str) -> Response:
    """End one of the caller's sessions, on another device."""
    accounts.end_session(action, short_id)
    return RedirectResponse("/account", 303)


def _page(
    request: Request,
    action: ActionContext,
    corridor: Corridor,
    error: CuaKhauError | None = None,
    *,
    has_changed: bool = False,
) -> Response:
    site = corridor.sites.get(action.actor.gate_id or "")
    account_id = action.actor.account_id
    rows = store.list_sessions(action.session, account_id, action.now)
    return render(
        request,
        "signin/account.html",
        status=status_of(error) if error else 200,
        gate=None if site is None else site.name,
        sessions=[(accounts.short_of(row), row) for row in rows],
        methods=SignInMethod.by_name(),
        has_password=get_account(action.session, account_id).password_hash != NO_PASSWORD,
        factors=factors.factors_of(action.session, account_id),
        changed=has_changed,
        problem=translate(request, error) if error else "",
    )
