"""When somebody lost all second factors: one administrator asks, another one takes them away."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from app.accounts.authorisation import acting, allow
from app.accounts.service import get_account
from app.platform.actions import ActionContext
from app.platform.dependencies import SessionDep
from app.platform.errors import status_of, translate
from app.platform.permissions import Principal
from app.signin import factors
from app.web.pages import render
from geo.errors import ConflictError, CuaKhauError, ForbiddenError, InvalidInputError

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(allow("factor_resets.read"))]
AskAction = Annotated[ActionContext, Depends(acting("factor_resets.ask"))]
DecideAction = Annotated[ActionContext, Depends(acting("factor_resets.decide"))]


@router.get("/admin/factor-resets")
def list_resets(request: Request, session: SessionDep, _principal: Reader) -> Response:
    """What waits for a second person."""
    return _list_page(request, session)


@router.get("/admin/accounts/{account_id}/factors")
def show_factors(request: Request, session: SessionDep, account_id: int, _principal: Reader) -> Response:
    """What somebody signs in with, and the form that asks to take it away."""
    return _account_page(request, session, account_id)


@router.post("/admin/accounts/{account_id}/factors/reset")
def ask(
    request: Request, action: AskAction, account_id: int, reason: Annotated[str, Form(max_length=1000)] = ""
) -> Response:
    """Ask that the factors be taken away."""
    try:
        factors.ask_for_reset(action, account_id, reason)
    except (InvalidInputError, ConflictError, ForbiddenError) as error:
        return _account_page(request, action.session, account_id, error, reason)
    return RedirectResponse("/admin/factor-resets", 303)


@router.post("/admin/factor-resets/{reset_id}")
def decide(request: Request, action: DecideAction, reset_id: int, approved: Annotated[bool, Form()]) -> Response:
    """Take them away, or refuse it."""
    try:
        factors.decide_reset(action, reset_id, is_approved=approved)
    except (ConflictError, ForbiddenError) as error:
        return _list_page(request, action.session, error)
    return RedirectResponse("/admin/factor-resets", 303)


def _account_page(
    request: Request, session: Session, account_id: int, error: CuaKhauError | None = None, reason: str = ""
) -> Response:
    return render(
        request,
        "signin/admin_factors.html",
        status=status_of(error) if error else 200,
        account=get_account(session, account_id),
        factors=factors.factors_of(session, account_id),
        waiting=factors.list_resets(session, account_id),
        reason=reason,
        problem=translate(request, error) if error else "",
    )


def _list_page(request: Request, session: Session, error: CuaKhauError | None = None) -> Response:
    return render(
        request,
        "signin/admin_resets.html",
        status=status_of(error) if error else 200,
        rows=factors.list_open_resets(session),
        problem=translate(request, error) if error else "",
    )
