"""Sessions over HTTP: cookie or bearer token, and what protects the cookie from other sites.

A request that changes something and comes with the cookie must also carry the session's CSRF token, in the header
`X-CSRF-Token` or the form field `csrf_token`.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from anyio import from_thread
from fastapi import Request, Response
from sqlalchemy.orm import Session
from starlette.datastructures import FormData

from app.accounts.sessions import Client, Opened, resume_session
from app.platform import csrf
from app.platform.dependencies import client_address
from app.platform.permissions import Principal
from app.settings import Settings
from geo.clock import Clock
from geo.errors import ForbiddenError, StaleFormError, UnauthenticatedError

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SECRET_FIELDS = frozenset({"password", "repeated", "old_password", "new_password", "config.secret"})
"""Of forms: what no page that answers repeats."""
FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")


def client_of(request: Request) -> Client:
    """Who sends a request."""
    return Client(client_address(request), request.headers.get("user-agent", ""))


def cookie_name(settings: Settings) -> str:
    """The session cookie's name; over HTTPS the prefix binds it to this host (RFC 6265bis, 4.1.3.2)."""
    return "__Host-session" if settings.cookies_secure else "session"


def set_cookie(response: Response, opened: Opened, settings: Settings) -> None:
    """Hand the session to a browser."""
    response.set_cookie(
        cookie_name(settings),
        opened.secret,
        max_age=opened.max_age_s,
        httponly=True,
        secure=settings.cookies_secure,
        samesite="lax",
    )


def own_cookie(settings: Settings, name: str) -> str:
    """The full name of a cookie of ours beside the session's."""
    return f"__Host-{name}" if settings.cookies_secure else name


def delete_cookie(response: Response, settings: Settings) -> None:
    """Take the session back from a browser."""
    response.delete_cookie(cookie_name(settings), httponly=True, secure=settings.cookies_secure, samesite="lax")


def find_principal(session: Session, request: Request, clock: Clock) -> Principal | None:
    """Who is asking, by bearer token or session cookie; `None` if nobody. Runs in a worker thread.

    Raises
    ------
    UnauthenticatedError
        If a bearer token is sent that is unknown or over.
    ForbiddenError
        If the request comes with a cookie, changes something, and its CSRF token is missing or wrong.
    """
    principal = find_caller(session, request, clock)
    if principal is None:
        return None
    request.state.principal = principal
    if _bearer_token(request) is None and request.method not in SAFE_METHODS:
        check_csrf(request, principal.csrf_secret)
    return principal


def find_caller(session: Session, request: Request, clock: Clock) -> Principal | None:
    """As `find_principal`, before the body of the request, which may hold the CSRF token, is looked at.

    Raises
    ------
    UnauthenticatedError
        If a bearer token is sent that is unknown or over.
    """
    settings: Settings = request.app.state.runtime.settings
    bearer = _bearer_token(request)
    secret = bearer or request.cookies.get(cookie_name(settings))
    if not secret:
        return None
    kind, is_active = ("token", False) if bearer else ("browser", is_by_person(request))
    principal = resume_session(session, secret, kind, at=clock.now(), is_active=is_active)
    if principal is None and bearer:
        raise UnauthenticatedError("The bearer token is unknown or over; get a new one from /api/v1/tokens.")
    return principal


def check_csrf(request: Request, secret: str) -> None:
    """Compare the request's CSRF token with the session's secret.

    Raises
    ------
    StaleFormError
        If it is missing or wrong.
    """
    given = request.headers.get("x-csrf-token", "")
    if not given and has_form(request):
        given = str(from_thread.run(_read_form, request).get("csrf_token", ""))
    if not csrf.stands_for(given, secret):
        from_thread.run(keep_form, request)
        raise StaleFormError("The form is out of date (CSRF token missing or wrong). Reload the page and try again.")


def has_form(request: Request) -> bool:
    """Whether the body is that of a form."""
    return request.headers.get("content-type", "").startswith(FORM_TYPES)


def is_by_person(request: Request) -> bool:
    """Whether a person does something, as far as the browser tells: opens a page, sends something.

    What pages ask for by themselves, to keep up with the road, is not a person at the desk.
    """
    mode = request.headers.get("sec-fetch-mode")
    opens_page = mode == "navigate" if mode else "text/html" in request.headers.get("accept", "")
    return opens_page or request.method not in SAFE_METHODS


def check_same_origin(request: Request) -> None:
    """Refuse a form that another site sent; for sign-in, where there is no session to hold a CSRF token yet.

    Raises
    ------
    ForbiddenError
        If the browser names another origin.
    """
    if _is_foreign(request):
        raise ForbiddenError("This form was sent from another site.")


async def keep_form(request: Request, *, is_ours: bool = False) -> None:
    """Let the page that answers a refused form keep what was written in it (`app.web.pages`).

    Kept are forms of ours alone: the browser says so, or their token was right (`is_ours`); none with a password.
    """
    if not has_form(request) or not (is_ours or _is_own(request)):
        return
    sent = await request.form()
    if not SECRET_FIELDS.intersection(sent):
        request.state.sent_form = sent


def _is_own(request: Request) -> bool:
    """Whether the browser says that a page of ours sends this."""
    says = request.headers.get("sec-fetch-site") == "same-origin" or "origin" in request.headers
    return says and not _is_foreign(request)


def _is_foreign(request: Request) -> bool:
    """Whether the browser says that another site sends this."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    return site in ("cross-site", "same-site") or (
        site is None and origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    )


async def _read_form(request: Request) -> FormData:
    return await request.form()


def _bearer_token(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None
