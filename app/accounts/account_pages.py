"""One's own account: password, language, sessions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from app.accounts import service, store
from app.accounts.authorisation import acting, allow
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, RedisDep, SessionDep
from app.platform.errors import status_of, translate
from app.platform.permissions import Principal
from app.web.pages import render
from geo.errors import InvalidInputError, TooManyRequestsError

router = APIRouter(include_in_schema=False)

Own = Annotated[Principal, Depends(allow("account.own"))]
OwnAction = Annotated[ActionContext, Depends(acting("account.own"))]


@router.get("/account")
def show_account(
    request: Request, session: SessionDep, clock: ClockDep, principal: Own, changed: bool = False
) -> Response:
    """The caller's account."""
    rows = store.list_sessions(session, principal.account_id, clock.now())
    return render(request, "accounts/account.html", sessions=rows, changed=changed, problem="")


@router.post("/account/password")
def change_password(
    request: Request,
    redis: RedisDep,
    action: OwnAction,
    old_password: Annotated[str, Form(max_length=200)],
    new_password: Annotated[str, Form(max_length=200)],
) -> Response:
    """Change the password; every other session of the account ends."""
    try:
        service.change_password(action, redis, old_password, new_password)
    except (InvalidInputError, TooManyRequestsError) as error:
        rows = store.list_sessions(action.session, action.actor.account_id, action.now)
        return render(
            request,
            "accounts/account.html",
            status=status_of(error),
            sessions=rows,
            changed=False,
            problem=translate(request, error),
        )
    return RedirectResponse("/account?changed=true", 303)
