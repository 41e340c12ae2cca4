"""The rules of signing in, by role: the administrator's page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from pydantic import ValidationError
from sqlalchemy.orm import Session
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from app.accounts.authorisation import acting, allow
from app.platform.actions import ActionContext
from app.platform.dependencies import RuntimeDep, SessionDep
from app.platform.errors import status_of, translate
from app.platform.permissions import Principal, Role
from app.settings import Settings
from app.signin.rules import SIGN_IN_RULES, RoleRules, SignInRules, rules_in_force
from app.web.pages import render
from geo.errors import CuaKhauError, InvalidInputError, StaleError

router = APIRouter(include_in_schema=False)

PAGE = "/admin/sign-in"
NUMBERS = ("idle_min", "absolute_h", "lock_after_min", "proof_min")


async def read_form(request: Request) -> FormData:
    """What was sent."""
    return await request.form()


@router.get(PAGE)
def show_rules(
    request: Request,
    session: SessionDep,
    runtime: RuntimeDep,
    _principal: Annotated[Principal, Depends(allow("sign_in_rules.read"))],
    saved: bool = False,
) -> Response:
    """The rules of each role."""
    return _page(request, session, runtime.settings, has_saved=saved)


@router.post(PAGE)
def set_rules(
    request: Request,
    runtime: RuntimeDep,
    action: Annotated[ActionContext, Depends(acting("sign_in_rules.write"))],
    form: Annotated[FormData, Depends(read_form)],
    version: Annotated[int, Form()],
) -> Response:
    """Put other rules in force; sessions that are open keep theirs."""
    try:
        rules = SignInRules(roles={role: _read(form, role) for role in Role})
        SIGN_IN_RULES.set(action, rules, version)
    except (InvalidInputError, StaleError) as error:
        return _page(request, action.session, runtime.settings, error)
    return RedirectResponse(f"{PAGE}?saved=true", 303)


def _read(form: FormData, role: Role) -> RoleRules:
    """The rules of one role out of a form.

    Raises
    ------
    InvalidInputError
        If a number is none or out of its range.
    """
    written = {name: str(form.get(f"{role}.{name}", "")).strip() for name in NUMBERS}
    values: dict[str, object] = {name: text or None for name, text in written.items()}
    try:
        return RoleRules.model_validate({"second_factor": f"{role}.second_factor" in form, **values})
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        raise InvalidInputError(
            "{value} is not possible here for {role}.", field=f"{role}.{name}", value=written.get(name, ""), role=role
        ) from None


def _page(
    request: Request,
    session: Session,
    settings: Settings,
    error: CuaKhauError | None = None,
    *,
    has_saved: bool = False,
) -> Response:
    found = rules_in_force(session, settings)
    return render(
        request,
        "signin/admin_rules.html",
        status=status_of(error) if error else 200,
        rules=[(role, found.value.of(role)) for role in Role],
        version=found.version,
        saved=has_saved,
        problem=translate(request, error) if error else "",
    )
