"""Who is asking, and whether they may: the dependencies that guard every route."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request

from app.accounts import cookies
from app.platform.actions import ActionContext
from app.platform.dependencies import ClockDep, SessionDep, client_address
from app.platform.permissions import PERMISSIONS, Principal
from geo.errors import ProofNeededError, SessionLockedError, UnauthenticatedError


def find_principal(request: Request, session: SessionDep, clock: ClockDep) -> Principal | None:
    """Who is asking, by bearer token or session cookie; `None` if nobody.

    A cookie-borne request that changes something must carry the session's CSRF token.

    Raises
    ------
    UnauthenticatedError
        If a bearer token is sent that is unknown or over.
    ForbiddenError
        If the CSRF token is missing or wrong.
    """
    return cookies.find_principal(session, request, clock)


def allow(act: str, *, is_export: bool = False) -> Callable[..., Awaitable[Principal]]:
    """A dependency that lets through only who may do `act`, and gives the principal.

    Changes that need a fresh proof of who it is are refused without one, and so is an export (`is_export`), which
    takes data out of the platform, by whomever.

    The returned function carries the act as its attribute `act`; a test walks every route by it.
    """
    if act not in PERMISSIONS:
        raise KeyError(act)

    async def authorise(request: Request, principal: Annotated[Principal | None, Depends(find_principal)]) -> Principal:
        is_change = request.method not in cookies.SAFE_METHODS
        if principal is None:
            if is_change:
                await cookies.keep_form(request)
            raise UnauthenticatedError("Sign in first.")
        request.state.account_id = principal.account_id  # for the log, if it is refused
        principal.require(act)
        try:
            principal.check_session(act, is_change=is_change, is_export=is_export)
        except (ProofNeededError, SessionLockedError):
            if is_change:
                await cookies.keep_form(request, is_ours=True)
            raise
        return principal

    authorise.act = act  # type: ignore[attr-defined]
    return authorise


def acting(act: str, *, is_export: bool = False) -> Callable[..., Awaitable[ActionContext]]:
    """As `allow`, for routes that change something or are audited: gives the context in which the caller acts."""

    authorised = Depends(
        allow(act, is_export=is_export)
    )  # as a default: FastAPI reads annotations without the names of this function

    async def begin(
        request: Request, session: SessionDep, clock: ClockDep, principal: Principal = authorised
    ) -> ActionContext:
        return ActionContext(session, principal, clock.now(), client_address(request))

    return begin
