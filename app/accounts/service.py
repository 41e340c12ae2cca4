"""What can be done with accounts and organisations; every change is recorded in the audit log."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from fastapi import Request
from redis import Redis
from sqlalchemy.orm import Session

from app.accounts import sessions, store, throttle
from app.accounts.sessions import Opened
from app.accounts.tables import LOCALES, ORGANISATION_KINDS, Account, Organisation
from app.platform import audit, outbox
from app.platform.permissions import Principal, Role
from app.settings import Settings
from geo.errors import ConflictError, InvalidInputError, StaleError, UnauthenticatedError

HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""Argon2id with the parameters of the OWASP Password Storage Cheat Sheet: some 20 ms, so that a whole shift can sign in
at once on a small machine."""

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 200
NULLABLE = frozenset({"organisation_id", "gate_id", "vehicle_id"})
USERNAME = re.compile(r"[a-z0-9][a-z0-9._@-]{2,63}")

_NOBODY = HASHER.hash("nobody has this password")


def create_account(
    session: Session,
    *,
    username: str,
    password: str,
    full_name: str,
    role: str,
    now: datetime,
    organisation_id: int | None = None,
    gate_id: str | None = None,
    vehicle_id: int | None = None,
    locale: str = "vi",
    by: Principal | None = None,
    address: str = "",
) -> Account:
    """Make an account; `by` is who does it (`None`: the platform or its command line).

    Raises
    ------
    InvalidInputError
        If the user name, password, role, locale or a binding cannot be accepted.
    ConflictError
        If the user name is taken.
    """
    username = username.strip().lower()
    if not USERNAME.fullmatch(username):
        raise InvalidInputError(
            "{value} is no user name: 3 to 64 small letters, digits and . _ @ -, beginning with a letter or digit.",
            field="username",
            value=username,
        )
    check_password(password)
    if store.find_account_by_name(session, username) is not None:
        raise ConflictError("The user name {value} is taken.", field="username", value=username)
    account = Account(
        username=username,
        password_hash=HASHER.hash(password),
        full_name=full_name.strip() or username,
        created_at=now,
        version=1,
    )
    _assign(
        session,
        account,
        role=role,
        organisation_id=organisation_id,
        gate_id=gate_id,
        vehicle_id=vehicle_id,
        locale=locale,
    )
    session.add(account)
    session.flush()
    audit.record(
        session, by, "accounts.create", "account", account.account_id, None, describe(account), at=now, address=address
    )
    return account


def update_account(
    session: Session,
    account_id: int,
    changes: dict[str, Any],
    *,
    version: int,
    by: Principal,
    now: datetime,
    address: str,
) -> Account:
    """Change name, role, bindings or locale of an account; `changes` holds only what changes.

    A new role or binding ends the account's sessions, since they were opened with other rights.

    Raises
    ------
    NotFoundError, InvalidInputError, StaleError
        If there is no such account, a value cannot be accepted, or `version` is not the present one.
    """
    account = store.get_account(session, account_id)
    if account.version != version:
        raise StaleError("Account {name} was changed meanwhile; load it again.", name=account.username)
    before = describe(account)
    if "full_name" in changes:
        account.full_name = str(changes["full_name"]).strip() or account.username
    bindings = {
        name: changes.get(name, getattr(account, name))
        for name in ("role", "organisation_id", "gate_id", "vehicle_id", "locale")
    }
    _assign(session, account, **bindings)
    after = describe(account)
    if after != before:
        account.version += 1
        rights = ("role", "organisation_id", "gate_id", "vehicle_id")
        if any(before[name] != after[name] for name in rights):
            _end_sessions(session, account_id, now)
        audit.record(session, by, "accounts.update", "account", account_id, before, after, at=now, address=address)
    return account


def change_account(
    session: Session,
    account_id: int,
    changes: dict[str, Any],
    *,
    version: int,
    by: Principal,
    now: datetime,
    address: str,
) -> Account:
    """Everything an administrator may change at once: as `update_account`, and `disabled` and `password`.

    Raises
    ------
    NotFoundError, InvalidInputError, StaleError, ConflictError
        As the functions it calls.
    """
    changes = {name: value for name, value in changes.items() if value is not None or name in NULLABLE}
    disabled, password = changes.pop("disabled", None), changes.pop("password", None)
    account = update_account(session, account_id, changes, version=version, by=by, now=now, address=address)
    if password is not None:
        reset_password(session, account_id, password, by=by, now=now, address=address)
    if disabled is not None:
        set_disabled(session, account_id, disabled, by=by, now=now, address=address)
    session.flush()
    return account


def set_disabled(
    session: Session, account_id: int, disabled: bool, *, by: Principal, now: datetime, address: str
) -> Account:
    """Disable an account, which ends its sessions at once, or enable it again.

    Raises
    ------
    NotFoundError
        If there is no such account.
    ConflictError
        If it is the caller's own.
    """
    account = store.get_account(session, account_id)
    if account_id == by.account_id:
        raise ConflictError("You cannot disable your own account.")
    if (account.disabled_at is not None) != disabled:
        account.disabled_at = now if disabled else None
        account.version += 1
        _end_sessions(session, account_id, now)
        action = "accounts.disable" if disabled else "accounts.enable"
        audit.record(session, by, action, "account", account_id, at=now, address=address)
    return account


def reset_password(
    session: Session, account_id: int, password: str, *, by: Principal, now: datetime, address: str
) -> None:
    """Give an account a new password, as an administrator; ends its sessions.

    Raises
    ------
    NotFoundError, InvalidInputError
        If there is no such account, or the password is too short.
    """
    account = store.get_account(session, account_id)
    check_password(password)
    account.password_hash = HASHER.hash(password)
    _end_sessions(session, account_id, now)
    audit.record(session, by, "accounts.reset_password", "account", account_id, at=now, address=address)


def change_password(
    session: Session, redis: Redis, principal: Principal, old: str, new: str, *, now: datetime, address: str
) -> None:
    """Change one's own password; ends every other session of the account.

    Raises
    ------
    InvalidInputError
        If the old one is wrong or the new one too short.
    TooManyRequestsError
        After too many wrong ones.
    """
    account = store.get_account(session, principal.account_id)
    throttle.check(redis, account.username, address)
    if not _matches(account.password_hash, old):
        throttle.note_failure(redis, account.username, address)
        raise InvalidInputError("The present password is wrong.", field="old_password")
    check_password(new)
    account.password_hash = HASHER.hash(new)
    _end_sessions(session, account.account_id, now, but=principal.session_hash)
    audit.record(session, principal, "account.change_password", "account", account.account_id, at=now, address=address)


def set_locale(session: Session, principal: Principal, locale: str) -> None:
    """Change one's own language.

    Raises
    ------
    InvalidInputError
        If it is none of vi, en, zh.
    """
    account = store.get_account(session, principal.account_id)
    account.locale = _one_of(locale, LOCALES, "locale")


def authenticate(
    session: Session, redis: Redis, username: str, password: str, *, now: datetime, address: str
) -> Account:
    """The account of a user name and password; both success and failure are counted, success is recorded.

    Raises
    ------
    UnauthenticatedError
        If they do not belong together or the account is disabled; which of them is not told.
    TooManyRequestsError
        After too many failures.
    """
    username = username.strip().lower()[:64]
    throttle.check(redis, username, address)
    account = store.find_account_by_name(session, username)
    known = account is not None and account.disabled_at is None
    matches = _matches(account.password_hash if account is not None else _NOBODY, password)
    if account is None or not known or not matches:
        throttle.note_failure(redis, username, address)
        raise UnauthenticatedError("User name or password is wrong.")
    throttle.note_success(redis, username, address)
    if HASHER.check_needs_rehash(account.password_hash):
        account.password_hash = HASHER.hash(password)
    store.delete_expired_sessions(session, now)
    return account


def sign_in(
    session: Session,
    redis: Redis,
    settings: Settings,
    request: Request,
    *,
    username: str,
    password: str,
    kind: str,
    now: datetime,
) -> Opened:
    """Open a session of `kind` "browser" or "token" for whoever knows the password.

    Raises
    ------
    UnauthenticatedError, TooManyRequestsError
        As `authenticate`.
    """
    address = sessions.client_address(request)
    account = authenticate(session, redis, username, password, now=now, address=address)
    row, opened = sessions.open_session(session, account, kind, settings, at=now, request=request)
    by = sessions.principal_of(account, row)
    audit.record(
        session, by, "sessions.open", "account", account.account_id, None, {"kind": kind}, at=now, address=address
    )
    return opened


def sign_out(session: Session, principal: Principal, *, everywhere: bool, now: datetime, address: str) -> None:
    """End the caller's session, or all sessions of the account on every device."""
    if everywhere:
        ended = _end_sessions(session, principal.account_id, now)
        audit.record(
            session,
            principal,
            "sessions.close_all",
            "account",
            principal.account_id,
            None,
            {"ended": ended},
            at=now,
            address=address,
        )
    else:
        store.delete_session(session, principal.session_hash)
        _tell_streams(session, principal.account_id, now)
        audit.record(session, principal, "sessions.close", "account", principal.account_id, at=now, address=address)


def create_organisation(
    session: Session, *, name: str, kind: str, now: datetime, by: Principal | None = None, address: str = ""
) -> Organisation:
    """Make an organisation of `kind` authority, enterprise, customs_agent or yard.

    Raises
    ------
    InvalidInputError, ConflictError
        If a value cannot be accepted, or the name is taken.
    """
    name = name.strip()
    if not name:
        raise InvalidInputError("An organisation needs a name.", field="name")
    if store.find_organisation_by_name(session, name) is not None:
        raise ConflictError("There is already an organisation {value}.", field="name", value=name)
    organisation = Organisation(name=name, kind=_one_of(kind, ORGANISATION_KINDS, "kind"))
    session.add(organisation)
    session.flush()
    after = {"name": organisation.name, "kind": organisation.kind}
    audit.record(
        session,
        by,
        "organisations.create",
        "organisation",
        organisation.organisation_id,
        None,
        after,
        at=now,
        address=address,
    )
    return organisation


def describe(account: Account) -> dict[str, Any]:
    """What the audit log keeps of an account; never its password."""
    return {
        "username": account.username,
        "full_name": account.full_name,
        "role": account.role,
        "organisation_id": account.organisation_id,
        "gate_id": account.gate_id,
        "vehicle_id": account.vehicle_id,
        "locale": account.locale,
    }


def check_password(password: str) -> None:
    """Refuse a password that is too short or absurdly long.

    Raises
    ------
    InvalidInputError
        If so.
    """
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise InvalidInputError(
            "A password has {shortest} to {longest} characters.",
            field="password",
            shortest=SHORTEST_PASSWORD,
            longest=LONGEST_PASSWORD,
        )


def _assign(
    session: Session,
    account: Account,
    *,
    role: str,
    organisation_id: int | None,
    gate_id: str | None,
    vehicle_id: int | None,
    locale: str,
) -> None:
    account.role = _one_of(role, tuple(Role), "role")
    account.locale = _one_of(locale, LOCALES, "locale")
    if organisation_id is not None and store.find_organisation(session, organisation_id) is None:
        raise InvalidInputError("There is no organisation {value}.", field="organisation_id", value=organisation_id)
    if gate_id is not None and not store.has_gate(session, gate_id):
        raise InvalidInputError("There is no gate {value}.", field="gate_id", value=gate_id)
    if vehicle_id is not None and not store.has_vehicle(session, vehicle_id):
        raise InvalidInputError("There is no vehicle {value}.", field="vehicle_id", value=vehicle_id)
    account.organisation_id, account.gate_id, account.vehicle_id = organisation_id, gate_id, vehicle_id


def _end_sessions(session: Session, account_id: int, now: datetime, *, but: bytes | None = None) -> int:
    ended = store.delete_sessions(session, account_id, but=but)
    _tell_streams(session, account_id, now)
    return ended


def _tell_streams(session: Session, account_id: int, now: datetime) -> None:
    """Let open event streams of the account look at once whether their session still stands."""
    outbox.emit(session, outbox.SESSION_ENDED, outbox.Audience(accounts=(account_id,)), {}, at=now)


def _one_of(value: str, allowed: tuple[str, ...], field: str) -> str:
    if value not in allowed:
        raise InvalidInputError(
            "{value} is not possible here; choose one of: {allowed}.",
            field=field,
            value=value,
            allowed=", ".join(allowed),
        )
    return str(value)


def _matches(password_hash: str, password: str) -> bool:
    try:
        return len(password) <= LONGEST_PASSWORD and HASHER.verify(password_hash, password)
    except VerificationError:
        return False


def account_names(session: Session, account_ids: Iterable[int | None]) -> dict[int, str]:
    """Full names by account; `None` stands for nobody."""
    return store.account_names(session, {one for one in account_ids if one is not None})
