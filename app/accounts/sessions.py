"""Sessions on the server: who is asking, sign-in, sign-out, CSRF.

A session is 256 random bits, sent once as a cookie (browsers) or as a bearer token (programs); the database
keeps its SHA-256. A request that changes something and comes with the cookie must also carry the session's
CSRF token, in the header `X-CSRF-Token` or the form field `csrf_token`.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from anyio import from_thread
from fastapi import Request, Response
from sqlalchemy.orm import Session
from starlette.datastructures import FormData

from app.accounts import store
from app.accounts.tables import Account, SessionRow
from app.platform.permissions import Principal, Role
from app.settings import Settings
from geo.clock import Clock
from geo.errors import ForbiddenError, UnauthenticatedError

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LONGEST_DAYS = 30
"""A session in use is prolonged, but never beyond this age."""
TOUCH_FRACTION = 0.02
"""The share of its lifetime after which a session in use is written back as seen."""
FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")


@dataclass(frozen=True)
class Opened:
    """A session just opened: its secret, which is shown once, and how long it lasts."""

    secret: str
    lifetime_s: int


def lifetime(settings: Settings) -> timedelta:
    """How long an unused session lasts on the platform's clock (which may run faster than the wall's)."""
    return timedelta(hours=settings.session_hours * settings.clock_speed)


def cookie_name(settings: Settings) -> str:
    """The session cookie's name; over HTTPS the prefix binds it to this host (RFC 6265bis, 4.1.3.2)."""
    return "__Host-session" if settings.cookies_secure else "session"


def hash_secret(secret: str) -> bytes:
    """What the database keeps of a session's secret."""
    return hashlib.sha256(secret.encode()).digest()


def open_session(
    session: Session, account: Account, kind: str, settings: Settings, *, at: datetime, request: Request
) -> tuple[SessionRow, Opened]:
    """Start a session of `kind` "browser" or "token" for `account`: its row, and what is handed out."""
    secret = secrets.token_urlsafe(32)
    duration = lifetime(settings)
    row = SessionRow(
        session_hash=hash_secret(secret),
        account_id=account.account_id,
        kind=kind,
        csrf_token=secrets.token_urlsafe(32),
        created_at=at,
        last_seen_at=at,
        expires_at=at + duration,
        user_agent=request.headers.get("user-agent", "")[:200],
        address=client_address(request),
    )
    session.add(row)
    session.flush()
    return row, Opened(secret, int(settings.session_hours * 3600))


def set_cookie(response: Response, opened: Opened, settings: Settings) -> None:
    """Hand the session to a browser."""
    response.set_cookie(
        cookie_name(settings),
        opened.secret,
        max_age=LONGEST_DAYS * 86_400,
        httponly=True,
        secure=settings.cookies_secure,
        samesite="lax",
    )


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
    settings: Settings = request.app.state.runtime.settings
    bearer = _bearer_token(request)
    secret = bearer or request.cookies.get(cookie_name(settings))
    if not secret:
        return None
    now = clock.now()
    found = store.find_session(session, hash_secret(secret), now)
    if found is None or (bearer and found[0].kind != "token") or (not bearer and found[0].kind != "browser"):
        if bearer:
            raise UnauthenticatedError("The bearer token is unknown or over; get a new one from /api/v1/tokens.")
        return None
    row, account = found
    if not bearer and request.method not in SAFE_METHODS:
        check_csrf(request, row.csrf_token)
    duration = lifetime(settings)
    if now - row.last_seen_at > duration * TOUCH_FRACTION:
        latest = row.created_at + timedelta(days=LONGEST_DAYS * settings.clock_speed)
        expires_at = min(now + duration, latest) if row.kind == "browser" else row.expires_at
        store.touch_session(session, row.session_hash, now, expires_at)
    principal = principal_of(account, row)
    request.state.principal = principal
    return principal


def principal_of(account: Account, row: SessionRow) -> Principal:
    """The principal that `account` is in the session `row`."""
    return Principal(
        account_id=account.account_id,
        username=account.username,
        full_name=account.full_name,
        role=Role.get(account.role),
        organisation_id=account.organisation_id,
        gate_id=account.gate_id,
        vehicle_id=account.vehicle_id,
        locale=account.locale,
        session_hash=row.session_hash,
        csrf_token=row.csrf_token,
    )


def check_csrf(request: Request, expected: str) -> None:
    """Compare the request's CSRF token with the session's.

    Raises
    ------
    ForbiddenError
        If it is missing or wrong.
    """
    given = request.headers.get("x-csrf-token", "")
    if not given and request.headers.get("content-type", "").startswith(FORM_TYPES):
        given = str(from_thread.run(_read_form, request).get("csrf_token", ""))
    if not hmac.compare_digest(given.encode(), expected.encode()):
        raise ForbiddenError("The form is out of date (CSRF token missing or wrong). Reload the page and try again.")


def check_same_origin(request: Request) -> None:
    """Refuse a form that another site sent; for sign-in, where there is no session to hold a CSRF token yet.

    Raises
    ------
    ForbiddenError
        If the browser names another origin.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    foreign = site in ("cross-site", "same-site") or (
        site is None and origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    )
    if foreign:
        raise ForbiddenError("This form was sent from another site.")


def client_address(request: Request) -> str:
    """The caller's network address, as far as the web server knows it."""
    return request.client.host if request.client else ""


async def _read_form(request: Request) -> FormData:
    return await request.form()


def _bearer_token(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None
