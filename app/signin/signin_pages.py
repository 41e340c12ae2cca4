"""Signing in and out, the start page, the language."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from app.accounts import cookies
from app.accounts import service as accounts
from app.accounts.authorisation import acting, find_principal
from app.platform.actions import ActionContext
from app.platform.dependencies import RuntimeDep, SessionDep
from app.platform.errors import status_of, translate
from app.platform.permissions import Principal
from app.signin import attempts, passkeys, service, throttle
from app.signin.dependencies import DoorDep, SecretDep, carry, go_on, local_path
from app.signin.vocabulary import SignInStep
from app.web import i18n
from app.web.pages import render
from geo.errors import CuaKhauError, TooManyRequestsError, UnauthenticatedError

router = APIRouter(include_in_schema=False)

STEP_PAGES = frozenset(step.path for step in SignInStep if step is not SignInStep.DONE)

MaybePrincipal = Annotated[Principal | None, Depends(find_principal)]


@router.get("/signin")
def show_signin(request: Request, principal: MaybePrincipal, next: str = "/") -> Response:
    """The sign-in form."""
    if principal:
        return RedirectResponse(local_path(next), 303)
    return _show_form(request, next=next)


@router.post("/signin")
def sign_in(
    request: Request,
    door: DoorDep,
    username: Annotated[str, Form(max_length=64)] = "",
    password: Annotated[str, Form(max_length=200)] = "",
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Open a browser session or go on to what is missing; or show the form again with what was wrong."""
    cookies.check_same_origin(request)
    try:
        return go_on(door, service.begin(door, username, password, local_path(next)))
    except (UnauthenticatedError, TooManyRequestsError) as error:
        return _show_form(request, error, username=username, next=next)


@router.post("/signin/passkey/options")
def ask_for_passkey(request: Request, door: DoorDep, secret: SecretDep) -> Response:
    """What a browser needs to show a passkey: one of whose sign-in it is, or whichever its owner chooses."""
    cookies.check_same_origin(request)
    throttle.count_question(door.redis, door.client.address)
    secret = secret or attempts.new_secret()
    try:
        account_id: int | None = attempts.get(door.redis, secret).account_id
    except UnauthenticatedError:
        account_id = None
    holder = attempts.holder_of(secret)
    options = passkeys.request_options(
        door.session, door.redis, holder, door.site, account_id, is_alone=account_id is None
    )
    response = Response(options, media_type="application/json", headers={"Cache-Control": "no-store"})
    carry(response, door.settings, secret)
    return response


@router.post("/signin/passkey")
def sign_in_by_passkey(
    request: Request,
    door: DoorDep,
    secret: SecretDep,
    credential: Annotated[str, Form(max_length=passkeys.MAX_CREDENTIAL_LENGTH)] = "",
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Open a browser session for whoever holds a passkey that made sure of it."""
    cookies.check_same_origin(request)
    try:
        holder = attempts.holder_of(secret)
        return go_on(door, service.begin_with_passkey(door, holder, credential, local_path(next)))
    except (UnauthenticatedError, TooManyRequestsError) as error:
        return _show_form(request, error, next=next)


@router.post("/signout")
def sign_out(
    runtime: RuntimeDep,
    action: Annotated[ActionContext, Depends(acting("session.own"))],
    everywhere: Annotated[str, Form()] = "",
) -> Response:
    """End this session, or all sessions of the account."""
    accounts.sign_out(action, everywhere=bool(everywhere))
    response = RedirectResponse("/signin", 303)
    cookies.delete_cookie(response, runtime.settings)
    return response


@router.post("/language")
def set_language(
    session: SessionDep,
    runtime: RuntimeDep,
    principal: MaybePrincipal,
    language: Annotated[str, Form()],
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Remember the language, in the account and in a cookie for the sign-in page."""
    if principal:
        accounts.set_locale(session, principal, language)
    response = RedirectResponse(next if next in STEP_PAGES else local_path(next), 303)
    if language in i18n.LANGUAGES:
        response.set_cookie(
            i18n.LANGUAGE_COOKIE, language, max_age=31_536_000, samesite="lax", secure=runtime.settings.cookies_secure
        )
    return response


def _show_form(request: Request, error: CuaKhauError | None = None, *, username: str = "", next: str = "/") -> Response:
    return render(
        request,
        "signin/signin.html",
        status=status_of(error) if error else 200,
        next=local_path(next),
        username=username,
        problem=translate(request, error) if error else "",
        provider=request.app.state.runtime.settings.oidc_name,
    )
