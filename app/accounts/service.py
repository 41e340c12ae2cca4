"""What can be done with accounts and organisations; every change is recorded in the audit log.

Published for reading and joining: `Account`, `Organisation`, `SessionRow`; for looking one up: `find_organisation`,
`get_account`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.accounts import passwords, persons, store, tax_numbers
from app.accounts.passwords import check_password
from app.accounts.sessions import find_acting as find_acting
from app.accounts.sessions import hash_secret
from app.accounts.store import accounts_by_role as accounts_by_role
from app.accounts.store import delete_expired_sessions as delete_expired_sessions
from app.accounts.store import find_account_by_name as find_account_by_name
from app.accounts.store import find_organisation as find_organisation
from app.accounts.store import find_organisation_by_name as find_organisation_by_name
from app.accounts.store import find_organisation_by_tax_number as find_organisation_by_tax_number
from app.accounts.store import get_account as get_account
from app.accounts.store import list_yard_companies as list_yard_companies
from app.accounts.tables import LOCALES, ORGANISATION_KINDS
from app.accounts.tables import Account as Account
from app.accounts.tables import Organisation as Organisation
from app.accounts.tables import SessionRow as SessionRow
from app.accounts.vocabulary import SignInChange
from app.platform import outbox
from app.platform.actions import ActionContext
from app.platform.json import JsonObject
from app.platform.permissions import Principal, Role
from geo.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from geo.versions import check_version
from ingest.plates import normalise_plate

NULLABLE = frozenset({"organisation_id", "gate_id", "vehicle_id", "person"})
NO_PASSWORD = "!"  # noqa: S105 - matches nothing, as in /etc/shadow
MAX_SIGN_IN_CHANGES = 10
RIGHTS = ("role", "organisation_id", "gate_id", "vehicle_id")
"""What a person's rights follow from."""
USERNAME = re.compile(r"[a-z0-9][a-z0-9._@-]{2,63}")


def free_username(session: Session, written: str) -> str:
    """A user name as it is kept.

    Raises
    ------
    InvalidInputError, ConflictError
        If it is none, or somebody has it.
    """
    username = written.strip().lower()
    if not USERNAME.fullmatch(username):
        raise InvalidInputError(
            "{value} is no user name: 3 to 64 small letters, digits and . _ @ -, beginning with a letter or digit.",
            field="username",
            value=username,
        )
    if store.find_account_by_name(session, username) is not None:
        raise ConflictError("The user name {value} is taken.", field="username", value=username)
    return username


def create_account(
    action: ActionContext,
    *,
    username: str,
    password: str | None,
    full_name: str,
    role: str,
    organisation_id: int | None = None,
    gate_id: str | None = None,
    vehicle_id: int | None = None,
    locale: str = "vi",
    must_change_password: bool | None = None,
) -> Account:
    """Make an account.

    Its owner has to set a password of their own at the first sign-in (`must_change_password`) where somebody makes it,
    and need not where the platform does, unless it is said. Without a password (`None`) an
    identity provider alone signs in to it.

    Raises
    ------
    InvalidInputError
        If the user name, password, role, locale or a binding cannot be accepted.
    ConflictError
        If the user name is taken.
    """
    username = free_username(action.session, username)
    if password is not None:
        check_password(password, names=(username, full_name))
    has_to_change = action.principal is not None if must_change_password is None else must_change_password
    account = Account(
        username=username,
        password_hash=NO_PASSWORD if password is None else passwords.HASHER.hash(password),
        password_set_at=action.now,
        must_change_password=password is not None and has_to_change,
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


def vehicle_with_plate(session: Session, plate: str) -> int:
    """The vehicle that carries a plate, however it is written.

    Raises
    ------
    InvalidInputError
        If it is no plate, or no vehicle with it is known yet.
    """
    found = store.find_vehicle_by_plate(session, normalise_plate(plate))
    if found is None:
        raise InvalidInputError(
            "No vehicle with the plate {value} is known yet: it is once it was declared, or its GPS device enrolled.",
            field="plate",
            value=plate,
        )
    return found


def update_account(
    action: ActionContext, account_id: int, changes: Mapping[str, Any], *, expected_version: int
) -> Account:
    """Change name, role, bindings or locale of an account; `changes` holds only what changes.

    A new role or binding ends the account's sessions, since they were opened with other rights.

    Raises
    ------
    NotFoundError, InvalidInputError, StaleError, ForbiddenError
        If there is no such account, a value cannot be accepted, `expected_version` is not the present one, or somebody
        changes their own rights.
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
    if account_id == action.actor_id and any(str(bindings[name]) != str(before[name]) for name in RIGHTS):
        raise ForbiddenError("Nobody changes their own role or what they are bound to; another administrator does.")
    _assign(action.session, account, **bindings)
    after = describe(account)
    if after != before:
        account.version += 1
        if any(before[name] != after[name] for name in RIGHTS):
            end_sessions(action, account_id)
        action.record("accounts.update", "account", account_id, before, after)
    return account


def change_account(
    action: ActionContext, account_id: int, changes: Mapping[str, Any], *, expected_version: int
) -> Account:
    """Everything an administrator may change at once: as `update_account`, and `disabled`, `password` and `person`.

    Raises
    ------
    NotFoundError, InvalidInputError, StaleError, ConflictError, ForbiddenError
        As the functions it calls.
    """
    changes = {name: value for name, value in changes.items() if value is not None or name in NULLABLE}
    disabled, password = changes.get("disabled"), changes.get("password")
    account = update_account(action, account_id, changes, expected_version=expected_version)
    if password is not None:
        reset_password(action, account_id, password)
    if disabled is not None:
        set_disabled(action, account_id, disabled)
    if "person" in changes:
        persons.set_person(action, account, changes["person"])
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
        end_sessions(action, account_id)
        verb = "accounts.disable" if disabled else "accounts.enable"
        action.record(verb, "account", account_id)
    return account


def reset_password(action: ActionContext, account_id: int, password: str) -> None:
    """Give an account a new password, as an administrator; ends its sessions. Its owner has to change it at once.

    Raises
    ------
    NotFoundError, InvalidInputError, ForbiddenError
        If there is no such account, the password cannot be accepted, or it is the caller's own account.
    """
    account = store.get_account(action.session, account_id)
    if account_id == action.actor_id:
        raise ForbiddenError("Change your own password on your account's page, where the present one is asked for.")
    set_password(action, account, password, must_change=action.principal is not None)
    note_change(action, account, SignInChange.PASSWORD_RESET)
    end_sessions(action, account_id)
    action.record("accounts.reset_password", "account", account_id)


def set_password(action: ActionContext, account: Account, password: str, *, must_change: bool = False) -> None:
    """Put a password in force. What depends on it, such as sessions and devices that are known, is the caller's.

    Raises
    ------
    InvalidInputError
        If it cannot be accepted.
    """
    check_password(password, names=(account.username, account.full_name))
    account.password_hash = passwords.HASHER.hash(password)
    account.password_set_at, account.must_change_password = action.now, must_change


def note_change(action: ActionContext, account: Account, change: SignInChange) -> None:
    """Keep what changed of how an account signs in, for its owner to see; of many the last `MAX_SIGN_IN_CHANGES`."""
    noted = [*account.sign_in_changes, [change.value, action.now.isoformat()]]
    account.sign_in_changes = noted[-MAX_SIGN_IN_CHANGES:]


def set_locale(session: Session, principal: Principal, locale: str) -> None:
    """Change one's own language.

    Raises
    ------
    InvalidInputError
        If it is not one of vi, en, zh.
    """
    account = store.get_account(session, principal.account_id)
    account.locale = _one_of(locale, LOCALES, "locale")


def sign_out(action: ActionContext, *, everywhere: bool) -> None:
    """End the caller's session, or all sessions of the account on every device."""
    if everywhere:
        ended = end_sessions(action, action.actor.account_id)
        action.record("sessions.close_all", "account", action.actor.account_id, None, {"ended": ended})
    else:
        store.delete_session(action.session, action.actor.session_hash)
        _publish_session_end(action.session, action.actor.account_id, action.now)
        action.record("sessions.close", "account", action.actor.account_id)


def end_sessions(action: ActionContext, account_id: int, *, but: bytes | None = None) -> int:
    """End all sessions of an account (except `but`), on every device; how many."""
    ended = store.delete_sessions(action.session, account_id, but=but)
    _publish_session_end(action.session, account_id, action.now)
    return ended


def leave_session(session: Session, secret: str) -> None:
    """End the session that a browser had before somebody signs in with it again; its streams end within seconds."""
    store.delete_session(session, hash_secret(secret))


def prove_session(action: ActionContext) -> None:
    """Note that the caller proved once more who it is: the session is unlocked, and its proof fresh."""
    now, session_hash = action.now, action.actor.session_hash
    store.touch_session(action.session, session_hash, proved_at=now, active_at=now)
    action.record("sessions.prove", "account", action.actor.account_id)


def lock_session(action: ActionContext) -> None:
    """Lock the caller's session now, as somebody does who leaves the desk."""
    lock_after_s = action.actor.state.lock_after_s
    if lock_after_s is not None:
        store.touch_session(
            action.session, action.actor.session_hash, active_at=action.now - timedelta(seconds=lock_after_s)
        )
        _publish_session_end(action.session, action.actor.account_id, action.now)


def forget_failures(action: ActionContext) -> None:
    """The owner has seen the failed sign-ins of before this session, and what changed of how the account signs in."""
    store.get_account(action.session, action.actor.account_id).sign_in_changes = []
    store.touch_session(action.session, action.actor.session_hash, failed_sign_ins=0)


def end_session(action: ActionContext, short_id: str) -> None:
    """End one of the caller's own sessions, which `short_of` names.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    for row in store.list_sessions(action.session, action.actor.account_id, action.now):
        if short_of(row) == short_id:
            store.delete_session(action.session, row.session_hash)
            _publish_session_end(action.session, action.actor.account_id, action.now)
            action.record("sessions.close", "account", action.actor.account_id, None, {"session": short_id})
            return
    raise NotFoundError("This session has ended already.")


def short_of(row: SessionRow) -> str:
    """What names a session on pages; it opens nothing."""
    return row.session_hash.hex()[:16]


def create_organisation(action: ActionContext, *, name: str, kind: str, tax_number: str = "") -> Organisation:
    """Make an organisation of `kind` authority, enterprise, customs_agent or yard.

    Raises
    ------
    InvalidInputError, ConflictError
        If a value cannot be accepted, or the name or the tax number is taken.
    """
    name = name.strip()
    if not name:
        raise InvalidInputError("An organisation needs a name.", field="name")
    if store.find_organisation_by_name(action.session, name) is not None:
        raise ConflictError("There is already an organisation {value}.", field="name", value=name)
    number = tax_numbers.free_tax_number(action.session, tax_number, None)
    organisation = Organisation(name=name, kind=_one_of(kind, ORGANISATION_KINDS, "kind"), tax_number=number)
    action.session.add(organisation)
    action.session.flush()
    after = {"name": organisation.name, "kind": organisation.kind, "tax_number": number}
    action.record("organisations.create", "organisation", organisation.organisation_id, None, after)
    return organisation


def get_organisation(session: Session, organisation_id: int) -> Organisation:
    """An organisation by its number; raises NotFoundError."""
    organisation = store.find_organisation(session, organisation_id)
    if organisation is None:
        raise NotFoundError("There is no organisation {organisation_id}.", organisation_id=organisation_id)
    return organisation


def set_authorised(action: ActionContext, organisation_id: int, *, is_authorised: bool) -> Organisation:
    """Note that customs recognise an organisation as an authorised economic operator, or no longer.

    Raises
    ------
    NotFoundError
        If there is no such organisation.
    """
    organisation = get_organisation(action.session, organisation_id)
    if organisation.is_authorised_operator != is_authorised:
        before = {"is_authorised_operator": organisation.is_authorised_operator}
        organisation.is_authorised_operator = is_authorised
        action.session.flush()
        after = {"is_authorised_operator": is_authorised}
        action.record("organisations.authorise", "organisation", organisation_id, before, after)
    return organisation


def describe(account: Account) -> JsonObject:
    """What the audit log keeps of an account; never its password."""
    return {
        "username": account.username,
        "full_name": account.full_name,
        "role": account.role,
        "organisation_id": account.organisation_id,
        "gate_id": account.gate_id,
        "vehicle_id": account.vehicle_id,
        "locale": account.locale,
        "person_id": account.person_id,
    }


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


def _publish_session_end(session: Session, account_id: int, now: datetime) -> None:
    """Let open event streams of the account look at once whether their session still stands, unlocked."""
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


def account_names(session: Session, account_ids: Iterable[int | None]) -> dict[int, str]:
    """Full names by account; `None` stands for nobody."""
    return store.account_names(session, {account_id for account_id in account_ids if account_id is not None})
