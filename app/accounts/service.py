"""What can be done with accounts and organisations; every change is recorded in the audit log.

Published for reading and joining: `Account`, `Organisation`, `SessionRow`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from redis import Redis
from sqlalchemy.orm import Session

from app.accounts import sessions, store, throttle
from app.accounts.sessions import Client, Opened
from app.accounts.store import find_account_by_name as find_account_by_name
from app.accounts.store import find_organisation_by_name as find_organisation_by_name
from app.accounts.tables import LOCALES, ORGANISATION_KINDS
from app.accounts.tables import Account as Account
from app.accounts.tables import Organisation as Organisation
from app.accounts.tables import SessionRow as SessionRow
from app.platform import outbox
from app.platform.actions import ActionContext
from app.platform.permissions import Principal, Role
from app.settings import Settings
from geo.errors import ConflictError, InvalidInputError, UnauthenticatedError
from geo.versions import check_version

HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""Argon2id with the parameters of the OWASP Password Storage Cheat Sheet: some 20 ms, so that a whole shift can sign in
at once on a small machine."""

MIN_PASSWORD_LENGTH = 10
MAX_PASSWORD_LENGTH = 200
NULLABLE = frozenset({"organisation_id", "gate_id", "vehicle_id"})
USERNAME = re.compile(r"[a-z0-9][a-z0-9._@-]{2,63}")

_NOBODY = HASHER.hash("nobody has this password")


def create_account(
    action: ActionContext,
    *,
    username: str,
    password: str,
    full_name: str,
    role: str,
    organisation_id: int | None = None,
    gate_id: str | None = None,
    vehicle_id: int | None = None,
    locale: str = "vi",
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
    if store.find_account_by_name(action.session, username) is not None:
        raise ConflictError("The user name {value} is taken.", field="username", value=username)
    account = Account(
        username=username,
        password_hash=HASHER.hash(password),
        full_name=full_name.strip() or username,
        created_at=action.now,
        version=1,
    )
    _assign(
        action.session,
        account,
        role=role,
        organisation_id=organisation_id,
        gate_id=gate_id,
        vehicle_id=vehicle_id,
        locale=locale,
    )
    action.session.add(account)
    action.session.flush()
    action.record("accounts.create", "account", account.account_id, None, describe(account))
    return account


def update_account(
    action: ActionContext, account_id: int, changes: dict[str, Any], *, expected_version: int
) -> Account:
    """Change name, role, bindings or locale of an account; `changes` holds only what changes.

    A new role or binding ends the account's sessions, since they were opened with other rights.

    Raises
    ------
    NotFoundError, InvalidInputError, StaleError
        If there is no such account, a value cannot be accepted, or `expected_version` is not the present one.
    """
    account = store.get_account(action.session, account_id)
    check_version(account.version, expected_version)
    before = describe(account)
    if "full_name" in changes:
        account.full_name = str(changes["full_name"]).strip() or account.username
    bindings = {
        name: changes.get(name, getattr(account, name))
        for name in ("role", "organisation_id", "gate_id", "vehicle_id", "locale")
    }
    _assign(action.session, account, **bindings)
    after = describe(account)
    if after != before:
        account.version += 1
        rights = ("role", "organisation_id", "gate_id", "vehicle_id")
        if any(before[name] != after[name] for name in rights):
            _end_sessions(action.session, account_id, action.now)
        action.record("accounts.update", "account", account_id, before, after)
    return account


def change_account(
    action: ActionContext, account_id: int, changes: dict[str, Any], *, expected_version: int
) -> Account:
    """Everything an administrator may change at once: as `update_account`, and `disabled` and `password`.

    Raises
    ------
    NotFoundError, InvalidInputError, StaleError, ConflictError
        As the functions it calls.
    """
    changes = {name: value for name, value in changes.items() if value is not None or name in NULLABLE}
    disabled, password = changes.pop("disabled", None), changes.pop("password", None)
    account = update_account(action, account_id, changes, expected_version=expected_version)
    if password is not None:
        reset_password(action, account_id, password)
    if disabled is not None:
        set_disabled(action, account_id, disabled)
    action.session.flush()
    return account


def set_disabled(action: ActionContext, account_id: int, disabled: bool) -> Account:
    """Disable an account, which ends its sessions at once, or enable it again.

    Raises
    ------
    NotFoundError
        If there is no such account.
    ConflictError
        If it is the caller's own.
    """
    account = store.get_account(action.session, account_id)
    if account_id == action.actor.account_id:
        raise ConflictError("You cannot disable your own account.")
    if (account.disabled_at is not None) != disabled:
        account.disabled_at = action.now if disabled else None
        account.version += 1
        _end_sessions(action.session, account_id, action.now)
        verb = "accounts.disable" if disabled else "accounts.enable"
        action.record(verb, "account", account_id)
    return account


def reset_password(action: ActionContext, account_id: int, password: str) -> None:
    """Give an account a new password, as an administrator; ends its sessions.

    Raises
    ------
    NotFoundError, InvalidInputError
        If there is no such account, or the password is too short.
    """
    account = store.get_account(action.session, account_id)
    check_password(password)
    account.password_hash = HASHER.hash(password)
    _end_sessions(action.session, account_id, action.now)
    action.record("accounts.reset_password", "account", account_id)


def change_password(action: ActionContext, redis: Redis, old: str, new: str) -> None:
    """Change one's own password; ends every other session of the account.

    Raises
    ------
    InvalidInputError
        If the old one is wrong or the new one too short.
    TooManyRequestsError
        After too many wrong ones.
    """
    account = store.get_account(action.session, action.actor.account_id)
    throttle.check(redis, account.username, action.address)
    if not _matches(account.password_hash, old):
        throttle.note_failure(redis, account.username, action.address)
        raise InvalidInputError("The present password is wrong.", field="old_password")
    check_password(new)
    account.password_hash = HASHER.hash(new)
    _end_sessions(action.session, account.account_id, action.now, but=action.actor.session_hash)
    action.record("account.change_password", "account", account.account_id)


def set_locale(session: Session, principal: Principal, locale: str) -> None:
    """Change one's own language.

    Raises
    ------
    InvalidInputError
        If it is not one of vi, en, zh.
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
    client: Client,
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
    account = authenticate(session, redis, username, password, now=now, address=client.address)
    row, opened = sessions.open_session(session, account, kind, settings, at=now, client=client)
    action = ActionContext(session, sessions.principal_of(account, row), now, client.address)
    action.record("sessions.open", "account", account.account_id, None, {"kind": kind})
    return opened


def sign_out(action: ActionContext, *, everywhere: bool) -> None:
    """End the caller's session, or all sessions of the account on every device."""
    if everywhere:
        ended = _end_sessions(action.session, action.actor.account_id, action.now)
        action.record("sessions.close_all", "account", action.actor.account_id, None, {"ended": ended})
    else:
        store.delete_session(action.session, action.actor.session_hash)
        _publish_session_end(action.session, action.actor.account_id, action.now)
        action.record("sessions.close", "account", action.actor.account_id)


def create_organisation(action: ActionContext, *, name: str, kind: str) -> Organisation:
    """Make an organisation of `kind` authority, enterprise, customs_agent or yard.

    Raises
    ------
    InvalidInputError, ConflictError
        If a value cannot be accepted, or the name is taken.
    """
    name = name.strip()
    if not name:
        raise InvalidInputError("An organisation needs a name.", field="name")
    if store.find_organisation_by_name(action.session, name) is not None:
        raise ConflictError("There is already an organisation {value}.", field="name", value=name)
    organisation = Organisation(name=name, kind=_one_of(kind, ORGANISATION_KINDS, "kind"))
    action.session.add(organisation)
    action.session.flush()
    after = {"name": organisation.name, "kind": organisation.kind}
    action.record("organisations.create", "organisation", organisation.organisation_id, None, after)
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
    if not MIN_PASSWORD_LENGTH <= len(password) <= MAX_PASSWORD_LENGTH:
        raise InvalidInputError(
            "A password has {shortest} to {longest} characters.",
            field="password",
            shortest=MIN_PASSWORD_LENGTH,
            longest=MAX_PASSWORD_LENGTH,
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
    _publish_session_end(session, account_id, now)
    return ended


def _publish_session_end(session: Session, account_id: int, now: datetime) -> None:
    """Let open event streams of the account look at once whether their session still stands."""
    outbox.publish_event(session, outbox.SESSION_ENDED, outbox.Audience(accounts=(account_id,)), {}, at=now)


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
        return len(password) <= MAX_PASSWORD_LENGTH and HASHER.verify(password_hash, password)
    except VerificationError:
        return False


def account_names(session: Session, account_ids: Iterable[int | None]) -> dict[int, str]:
    """Full names by account; `None` stands for nobody."""
    return store.account_names(session, {one for one in account_ids if one is not None})
