"""One's own second factors: an authenticator app, passkeys, recovery codes, the identity provider."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from app.accounts.authorisation import acting, allow
from app.accounts.service import get_account
from app.platform.actions import ActionContext
from app.platform.errors import status_of, translate
from app.platform.permissions import Principal
from app.signin import attempts, codes, factors, identities, passkeys, store
from app.signin.dependencies import DoorDep
from app.signin.door import Door
from app.signin.rules import rules_of
from app.web.pages import render
from geo.errors import ConflictError, CuaKhauError, InvalidInputError

router = APIRouter(include_in_schema=False)

PAGE = "/account/factors"

Own = Annotated[Principal, Depends(allow("factors.own"))]
OwnAction = Annotated[ActionContext, Depends(acting("factors.own"))]


@router.get(PAGE)
def show_factors(request: Request, door: DoorDep, principal: Own) -> Response:
    """What the caller signs in with."""
    return _page(request, door, principal)


@router.get("/account/factors/app")
def show_app(request: Request, door: DoorDep, principal: Own) -> Response:
    """The picture that an authenticator app reads."""
    return _app_page(request, door, principal)


@router.post("/account/factors/app")
def enrol_app(
    request: Request, door: DoorDep, action: OwnAction, code: Annotated[str, Form(max_length=40)] = ""
) -> Response:
    """Keep the app, once it has shown a code."""
    principal = action.actor
    account, holder = get_account(door.session, principal.account_id), holder_of(principal)
    try:
        codes.enrol_app(action, door.redis, holder, account, code, door.wall_s)
    except InvalidInputError as error:
        return _app_page(request, door, principal, error)
    return _enrolled(request, action)


@router.post("/account/factors/app/remove")
def remove_app(request: Request, door: DoorDep, action: OwnAction) -> Response:
    """Forget the app."""
    try:
        factors.remove_app(action, door.settings)
    except ConflictError as error:
        return _page(request, door, action.actor, error)
    return RedirectResponse(PAGE, 303)


@router.post("/account/factors/passkeys/options")
def ask_for_new_passkey(door: DoorDep, action: OwnAction) -> Response:
    """What a browser needs to make a passkey."""
    account, holder = get_account(door.session, action.actor.account_id), holder_of(action.actor)
    options = passkeys.creation_options(door.session, door.redis, holder, door.site, account)
    return Response(options, media_type="application/json", headers={"Cache-Control": "no-store"})


@router.post("/account/factors/passkeys")
def enrol_passkey(
    request: Request,
    door: DoorDep,
    action: OwnAction,
    name: Annotated[str, Form(max_length=200)] = "",
    credential: Annotated[str, Form(max_length=passkeys.MAX_CREDENTIAL_LENGTH)] = "",
) -> Response:
    """Keep the passkey that the browser made."""
    principal = action.actor
    account, holder = get_account(door.session, principal.account_id), holder_of(principal)
    try:
        passkeys.enrol(action, door.redis, holder, door.site, account, name=name, credential=credential)
    except (InvalidInputError, ConflictError) as error:
        return _page(request, door, principal, error)
    return _enrolled(request, action)


@router.post("/account/factors/passkeys/{passkey_id}/rename")
def rename_passkey(
    request: Request,
    door: DoorDep,
    action: OwnAction,
    passkey_id: int,
    name: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Call a passkey something else."""
    try:
        passkeys.rename(action, passkey_id, name)
    except InvalidInputError as error:
        return _page(request, door, action.actor, error)
    return RedirectResponse(PAGE, 303)


@router.post("/account/factors/passkeys/{passkey_id}/remove")
def remove_passkey(request: Request, door: DoorDep, action: OwnAction, passkey_id: int) -> Response:
    """Forget a passkey."""
    try:
        factors.remove_passkey(action, door.settings, passkey_id)
    except ConflictError as error:
        return _page(request, door, action.actor, error)
    return RedirectResponse(PAGE, 303)


@router.post("/account/factors/recovery-codes")
def make_recovery_codes(request: Request, door: DoorDep, action: OwnAction) -> Response:
    """New recovery codes, shown once; those before count no more."""
    if factors.factors_of(door.session, action.actor.account_id).count == 0:
        return _page(request, door, action.actor, ConflictError("Add an authenticator app or a passkey first."))
    return _show_codes(request, action)


@router.post("/account/identities/unlink")
def unlink(
    request: Request,
    door: DoorDep,
    action: OwnAction,
    issuer: Annotated[str, Form(max_length=500)] = "",
    subject: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Let an identity no longer sign in to the caller's account."""
    try:
        identities.unlink(action, issuer, subject)
    except ConflictError as error:
        return _page(request, door, action.actor, error)
    return RedirectResponse(PAGE, 303)


def holder_of(principal: Principal) -> str:
    """What stands for the caller's browser in the keys of Redis."""
    return attempts.holder_of_session(principal.session_hash)


def _enrolled(request: Request, action: ActionContext) -> Response:
    """On to the factors; the recovery codes first, where there are none."""
    if codes.needs_recovery_codes(action.session, action.actor.account_id):
        return _show_codes(request, action)
    return RedirectResponse(PAGE, 303)


def _show_codes(request: Request, action: ActionContext) -> Response:
    written = codes.make_recovery_codes(action, action.actor.account_id)
    return render(request, "signin/recovery_codes.html", codes=written, then=PAGE, is_sign_in=False)


def _app_page(request: Request, door: Door, principal: Principal, error: CuaKhauError | None = None) -> Response:
    secret = codes.begin_app(door.redis, holder_of(principal))
    account = get_account(door.session, principal.account_id)
    return render(
        request,
        "signin/app.html",
        status=status_of(error) if error else 200,
        secret=secret,
        picture=codes.picture_of(account, secret),
        problem=translate(request, error) if error else "",
    )


def _page(request: Request, door: Door, principal: Principal, error: CuaKhauError | None = None) -> Response:
    return render(
        request,
        "signin/factors.html",
        status=status_of(error) if error else 200,
        factors=factors.factors_of(door.session, principal.account_id),
        identities=store.list_identities(door.session, principal.account_id),
        is_required=rules_of(door.session, door.settings, principal.role).second_factor,
        provider=door.settings.oidc_name if door.settings.oidc_issuer else "",
        problem=translate(request, error) if error else "",
    )
