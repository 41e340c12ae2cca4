"""To the identity provider and back: to sign in, to link one's account, to prove again who it is."""

from __future__ import annotations

import hmac
from functools import lru_cache
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from app.accounts import cookies
from app.accounts import service as accounts
from app.accounts.authorisation import acting
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep
from app.platform.errors import status_of, translate
from app.settings import Settings
from app.signin import attempts, identities, store, throttle
from app.signin.attempts import ProviderRequest
from app.signin.dependencies import DoorDep, SecretDep, carry, go_on, local_path
from app.signin.door import Door
from app.signin.provider import CLOCK_LEEWAY_S, REFUSED, Identity, Provider
from app.signin.vocabulary import Purpose
from app.web.pages import render
from geo.errors import ConflictError, CuaKhauError, NotFoundError, UnauthenticatedError, UnavailableError

router = APIRouter(include_in_schema=False)

CALLBACK = "/signin/provider/callback"


@router.get("/signin/provider")
def begin(request: Request, door: DoorDep, next: str = "/") -> Response:
    """To the provider, to sign in."""
    throttle.count_question(door.redis, door.client.address)
    try:
        url, secret = _send(door, Purpose.SIGN_IN, address=local_path(next))
    except UnavailableError as error:
        return _show_problem(request, error)
    response = RedirectResponse(url, 303)
    carry(response, door.settings, secret)
    return response


@router.post("/account/identities")
def begin_link(
    request: Request, door: DoorDep, action: Annotated[ActionContext, Depends(acting("factors.own"))]
) -> Response:
    """To the provider, to link the caller's account; by a page, since a form may not lead to another site."""
    return _lead_on(request, door, action, Purpose.LINK)


@router.post("/account/identities/proof")
def begin_proof(
    request: Request, door: DoorDep, action: Annotated[ActionContext, Depends(acting("session.own"))]
) -> Response:
    """To the provider, to prove again who it is."""
    return _lead_on(request, door, action, Purpose.PROVE)


@router.get("/signin/provider/callback")
def come_back(
    request: Request,
    door: DoorDep,
    clock: ClockDep,
    secret: SecretDep,
    code: str = "",
    state: str = "",
    error: str = "",
    iss: str = "",
) -> Response:
    """Back from the provider."""
    try:
        sent = attempts.take_provider_request(door.redis, secret)
        if sent is None:
            raise UnauthenticatedError(attempts.OVER)
        identity = _identify(door, sent, code=code, state=state, error=error, issuer=iss)
        if sent.purpose is Purpose.SIGN_IN:
            return go_on(door, identities.begin(door, identity, sent.address))
        principal = cookies.find_caller(door.session, request, clock)
        if principal is None or principal.session_hash.hex() != sent.session:
            raise UnauthenticatedError(attempts.OVER)
        action = ActionContext(door.session, principal, door.now, door.client.address)
        if sent.purpose is Purpose.LINK:
            identities.link(action, identity)
            return RedirectResponse("/account/factors", 303)
        _prove(action, identity, sent)
        return render(request, "signin/proven.html")
    except (UnauthenticatedError, UnavailableError, ConflictError) as problem:
        return _show_problem(request, problem)


def _send(door: Door, purpose: Purpose, *, address: str = "/", session: str = "") -> tuple[str, str]:
    """Where to send a browser, and the secret that it carries along."""
    provider = provider_of(door.settings)
    made = provider.begin(door.site.origin + CALLBACK, is_proof=purpose is Purpose.PROVE)
    secret = attempts.new_secret()
    sent = ProviderRequest(
        state=made.state,
        nonce=made.nonce,
        code_verifier=made.code_verifier,
        purpose=purpose,
        address=address,
        sent_s=door.wall_s,
        session=session,
    )
    attempts.keep_provider_request(door.redis, secret, sent)
    return made.url, secret


def _lead_on(request: Request, door: Door, action: ActionContext, purpose: Purpose) -> Response:
    url, secret = _send(door, purpose, session=action.actor.session_hash.hex())
    response = render(request, "signin/to_provider.html", url=url, provider=door.settings.oidc_name)
    carry(response, door.settings, secret)
    return response


def _identify(door: Door, sent: ProviderRequest, *, code: str, state: str, error: str, issuer: str) -> Identity:
    provider = provider_of(door.settings)
    is_answer = hmac.compare_digest(state.encode(), sent.state.encode()) and issuer in ("", provider.issuer)
    if not is_answer or error or not code:
        raise UnauthenticatedError(REFUSED)
    redirect_uri = door.site.origin + CALLBACK
    return provider.complete(redirect_uri, code, nonce=sent.nonce, code_verifier=sent.code_verifier)


def _prove(action: ActionContext, identity: Identity, sent: ProviderRequest) -> None:
    known = store.find_identity(action.session, identity.issuer, identity.subject)
    is_fresh = identity.signed_in_s is not None and identity.signed_in_s >= sent.sent_s - CLOCK_LEEWAY_S
    if known is None or known.account_id != action.actor.account_id or not is_fresh:
        raise UnauthenticatedError(REFUSED)
    accounts.prove_session(action)


def _show_problem(request: Request, error: CuaKhauError) -> Response:
    return render(
        request,
        "signin/signin.html",
        status=status_of(error),
        next="/",
        username="",
        problem=translate(request, error),
        provider=request.app.state.runtime.settings.oidc_name,
    )


def provider_of(settings: Settings) -> Provider:
    """The provider of an installation.

    Raises
    ------
    NotFoundError
        If it has none.
    """
    if not settings.oidc_issuer:
        raise NotFoundError("No identity provider is set up.")
    return _provider(
        settings.oidc_issuer,
        settings.oidc_client_id,
        settings.oidc_client_secret.get_secret_value(),
        settings.oidc_scope,
        settings.oidc_role_claim,
    )


@lru_cache(maxsize=8)
def _provider(issuer: str, client_id: str, client_secret: str, scope: str, role_claim: str) -> Provider:
    return Provider(issuer=issuer, client_id=client_id, client_secret=client_secret, scope=scope, role_claim=role_claim)
