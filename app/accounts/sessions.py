"""Sessions on the server: opened at sign-in, resumed by their secret, prolonged while in use.

A session is 256 random bits, sent once as a cookie (browsers) or as a bearer token (programs); the database
keeps its SHA-256. How it travels over HTTP is in `cookies`.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.accounts import store
from app.accounts.tables import Account, SessionRow
from app.platform.permissions import Principal, Role
from app.settings import Settings

MAX_AGE_DAYS = 30
"""A session in use is prolonged, but never beyond this age."""
TOUCH_FRACTION = 0.02
"""The share of its lifetime after which a session in use is written back as seen."""


@dataclass(frozen=True)
class Client:
    """Who knocks: network address and user agent, as far as the web server knows them."""

    address: str
    user_agent: str = ""


@dataclass(frozen=True)
class Opened:
    """A session just opened: its secret, which is shown once, and how long it lasts."""

    secret: str
    lifetime_s: int


def lifetime(settings: Settings) -> timedelta:
    """How long an unused session lasts on the platform's clock (which may run faster than the wall's)."""
    return timedelta(hours=settings.session_hours * settings.clock_speed)


def hash_secret(secret: str) -> bytes:
    """What the database keeps of a session's secret."""
    return hashlib.sha256(secret.encode()).digest()


def open_session(
    session: Session, account: Account, kind: str, settings: Settings, *, at: datetime, client: Client
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
        user_agent=client.user_agent[:200],
        address=client.address,
    )
    session.add(row)
    session.flush()
    return row, Opened(secret, int(settings.session_hours * 3600))


def resume_session(session: Session, secret: str, kind: str, settings: Settings, *, at: datetime) -> Principal | None:
    """The principal of an open session of `kind`, which is prolonged by its use; `None` if there is none."""
    found = store.find_session(session, hash_secret(secret), at)
    if found is None or found[0].kind != kind:
        return None
    row, account = found
    duration = lifetime(settings)
    if at - row.last_seen_at > duration * TOUCH_FRACTION:
        latest = row.created_at + timedelta(days=MAX_AGE_DAYS * settings.clock_speed)
        expires_at = min(at + duration, latest) if row.kind == "browser" else row.expires_at
        store.touch_session(session, row.session_hash, at, expires_at)
    return principal_of(account, row)


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
