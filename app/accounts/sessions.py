"""Sessions on the server: opened at sign-in, resumed by their secret, prolonged while in use.

A session is 256 random bits, sent once as a cookie (browsers) or as a bearer token (programs); the database
keeps its SHA-256. How it travels over HTTP is in `cookies`, how one is come by in `app.signin`.

It ends when it was not used for a while, and after a time however much it is used. Before that it locks when nobody
touches it, and asks for a proof again before acts that need a fresh one: a password or a passkey.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.accounts import store
from app.accounts.tables import Account, SessionRow
from app.accounts.vocabulary import SignInChange, SignInMethod
from app.platform.permissions import Principal, Role, SessionState, SignInNotice
from app.settings import Settings

TOUCH_FRACTION = 0.02
"""The share of its lifetime after which a session in use is written back as seen."""
ACTIVE_FRACTION = 0.1
"""The share of the time to its lock after which a session that somebody touches is written back as active."""


@dataclass(frozen=True)
class Client:
    """Who knocks: network address and user agent, as far as the web server knows them."""

    address: str
    user_agent: str = ""


@dataclass(frozen=True)
class Opened:
    """A session just opened: its secret, which is shown once, and how long it lasts unused and at most."""

    secret: str
    lifetime_s: int
    max_age_s: int


@dataclass(frozen=True)
class SessionTimes:
    """How long a session lasts, on the wall's clock.

    Unused (`idle`), however much it is used (`absolute`), untouched until it locks (`lock_after`, `None`: never), and
    how long a proof counts for acts that need a fresh one (`proof_lasts`, `None`: as long as the session).
    """

    idle: timedelta
    absolute: timedelta
    lock_after: timedelta | None = None
    proof_lasts: timedelta | None = None


def hash_secret(secret: str) -> bytes:
    """What the database keeps of a session's secret."""
    return hashlib.sha256(secret.encode()).digest()


def open_session(
    session: Session,
    account: Account,
    kind: str,
    settings: Settings,
    times: SessionTimes,
    *,
    at: datetime,
    client: Client,
    method: SignInMethod = SignInMethod.PASSWORD,
) -> tuple[SessionRow, Opened]:
    """Start a session of `kind` "browser" or "token" for `account`: its row, and what is handed out.

    Times pass on the platform's clock, which may run faster than the wall's. The failures that were counted for the
    account go with the session, to be shown to its owner.
    """
    secret = secrets.token_urlsafe(32)
    speed = settings.clock_speed
    idle = min(times.idle, times.absolute)
    row = SessionRow(
        session_hash=hash_secret(secret),
        account_id=account.account_id,
        kind=kind,
        csrf_token=secrets.token_urlsafe(32),
        created_at=at,
        last_seen_at=at,
        expires_at=at + idle * speed,
        ends_at=at + times.absolute * speed,
        idle_s=_seconds(idle, speed),
        lock_after_s=None if times.lock_after is None or kind == "token" else _seconds(times.lock_after, speed),
        proof_lasts_s=None if times.proof_lasts is None else _seconds(times.proof_lasts, speed),
        active_at=at,
        proved_at=at,
        method=method,
        user_agent=client.user_agent[:200],
        address=client.address,
        failed_sign_ins=account.failed_sign_ins,
        failed_sign_in_at=account.failed_sign_in_at,
    )
    account.failed_sign_ins, account.failed_sign_in_at = 0, None
    session.add(row)
    session.flush()
    return row, Opened(secret, int(idle.total_seconds()), int(times.absolute.total_seconds()))


def resume_session(
    session: Session, secret: str, kind: str, *, at: datetime, is_active: bool = False
) -> Principal | None:
    """The principal of an open session of `kind`, which is prolonged by its use; `None` if there is none.

    `is_active` says that a person does something, and not a page by itself; that puts off the lock, and never opens it.
    """
    found = store.find_session(session, hash_secret(secret), at)
    if found is None or found[0].kind != kind:
        return None
    row, account, acts_for = found
    state = state_of(row, account, at)
    if at - row.last_seen_at > timedelta(seconds=row.idle_s) * TOUCH_FRACTION:
        expires_at = min(at + timedelta(seconds=row.idle_s), row.ends_at) if row.kind == "browser" else row.expires_at
        store.touch_session(session, row.session_hash, last_seen_at=at, expires_at=expires_at)
    if is_active and not state.is_locked and _is_stale(row, at):
        store.touch_session(session, row.session_hash, active_at=at)
    return principal_of(account, row, acts_for, state)


def state_of(row: SessionRow, account: Account, now: datetime) -> SessionState:
    """How a session of an account stands."""
    untouched_s = (now - row.active_at).total_seconds()
    proof_age_s = (now - row.proved_at).total_seconds()
    return SessionState(
        is_locked=row.lock_after_s is not None and untouched_s >= row.lock_after_s,
        is_proven=row.proof_lasts_s is None or proof_age_s < row.proof_lasts_s,
        lock_after_s=row.lock_after_s,
        locks_in_s=None if row.lock_after_s is None else max(0, int(row.lock_after_s - untouched_s)),
        failed_sign_ins=row.failed_sign_ins,
        failed_sign_in_at=row.failed_sign_in_at,
        sign_in_changes=tuple(
            SignInNotice(SignInChange.get(kind).label, datetime.fromisoformat(changed_at))
            for kind, changed_at in account.sign_in_changes
        ),
    )


def find_acting(session: Session, account_id: int, *, at: datetime) -> Principal | None:
    """An account as it acts where the platform goes on with what it asked for; `None` if it is disabled."""
    account = store.get_account(session, account_id)
    if account.disabled_at is not None:
        return None
    acts_for = store.acts_for(session, account_id, at)
    return principal_of(account, SessionRow(session_hash=b"", csrf_token=""), acts_for)


def principal_of(
    account: Account,
    row: SessionRow,
    acts_for: frozenset[int] = frozenset(),
    state: SessionState = SessionState(),
) -> Principal:
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
        csrf_secret=row.csrf_token,
        acts_for=acts_for,
        state=state,
    )


def _seconds(duration: timedelta, speed: float) -> int:
    return int(duration.total_seconds() * speed)


def _is_stale(row: SessionRow, at: datetime) -> bool:
    """Whether it is long enough ago that a session was noted as active to note it again."""
    return row.lock_after_s is not None and at - row.active_at > timedelta(seconds=row.lock_after_s * ACTIVE_FRACTION)
