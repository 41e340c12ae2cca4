"""Signing in: a password or a passkey, then whatever the account still lacks, then a session; and proving it again.

Every attempt is counted before it is judged. What fails is in the security log and the audit log, under the account or,
where there is none of the name, under a keyed hash of what was typed: people type passwords into the wrong field.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Final, cast

import structlog

from app.accounts import passwords, sessions
from app.accounts import service as accounts
from app.accounts.passwords import matches
from app.accounts.service import NO_PASSWORD, Account, find_account_by_name, get_account
from app.accounts.sessions import Opened
from app.accounts.vocabulary import SignInChange, SignInMethod
from app.platform.actions import ActionContext
from app.platform.json import JsonObject
from app.platform.permissions import Role
from app.signin import attempts, codes, factors, passkeys, store, throttle
from app.signin.attempts import Attempt
from app.signin.door import Door
from app.signin.rules import rules_of
from app.signin.throttle import Counter
from app.signin.vocabulary import Failure, SignInStep
from geo.errors import InvalidInputError, NotFoundError, TooManyRequestsError, UnauthenticatedError

WRONG: Final = "User name or password is wrong."
MAX_NAME_LENGTH: Final = 64

log = structlog.get_logger("security")


_MISSING: Final = {
    SignInStep.SECOND_FACTOR: (
        "This account signs in with a second factor: send the code of its app, or a recovery code, as code."
    ),
    SignInStep.NEW_PASSWORD: "The password was set by somebody else: sign in with a browser and set one of your own.",
    SignInStep.ENROLMENT: "Your role signs in with a second factor: sign in with a browser and add one.",
}


class SignInUnfinishedError(UnauthenticatedError):
    """The password is right and something is missing; `code` says what."""

    def __init__(self, step: SignInStep) -> None:
        super().__init__(_MISSING[step])
        self.code = f"{step}_needed"


def check_password(door: Door, username: str, password: str) -> Account:
    """The account of a user name and password.

    Raises
    ------
    UnauthenticatedError
        If they do not belong together or the account is disabled; which of them is not told. What was noted of it in
        the transaction should stay.
    TooManyRequestsError
        After too many failures.
    """
    username = username.strip().lower()[:MAX_NAME_LENGTH]
    account = find_account_by_name(door.session, username)
    counters = door.knock(username, account).passwords()
    _count(door, counters, account)
    has_password = account is not None and account.password_hash != NO_PASSWORD
    is_right = matches(account.password_hash if account is not None and has_password else _nobody(), password)
    if account is None or account.disabled_at is not None or not is_right:
        note_failure(door, account, username, _why(account))
        raise UnauthenticatedError(WRONG)
    throttle.forgive(door.redis, counters)
    if passwords.HASHER.check_needs_rehash(account.password_hash):
        account.password_hash = passwords.HASHER.hash(password)
    return account


def begin(door: Door, username: str, password: str, address: str) -> Attempt:
    """A sign-in with a password; raises as `check_password`."""
    account = check_password(door, username, password)
    return Attempt(account_id=account.account_id, address=address)


def begin_with_passkey(door: Door, holder: str, credential: str, address: str) -> Attempt:
    """A sign-in with a passkey alone.

    Raises
    ------
    UnauthenticatedError, TooManyRequestsError
        If it is not accepted, or its network failed too often.
    """
    counters: list[Counter] = [Counter(throttle.ADDRESS, (throttle.network_of(door.client.address),))]
    _count(door, counters, None)
    passkey = passkeys.check(door.by_nobody(), door.redis, holder, door.site, credential, is_alone=True)
    account = None if passkey is None else get_account(door.session, passkey.account_id)
    if account is None or account.disabled_at is not None:
        note_failure(door, account, "", Failure.DISABLED if account is not None else Failure.PASSKEY)
        raise UnauthenticatedError(passkeys.REFUSED)
    throttle.forgive(door.redis, counters)
    return Attempt(account_id=account.account_id, method=SignInMethod.PASSKEY, has_second_factor=True, address=address)


def next_step(door: Door, attempt: Attempt) -> SignInStep:
    """What a sign-in wants next.

    Raises
    ------
    UnauthenticatedError
        If the account was disabled since it began.
    """
    account = account_of(door, attempt)
    found = factors.factors_of(door.session, account.account_id)
    if found.count and not attempt.has_second_factor:
        return SignInStep.SECOND_FACTOR
    if account.must_change_password and attempt.method is not SignInMethod.PROVIDER:
        return SignInStep.NEW_PASSWORD
    if not (found.count or attempt.has_second_factor) and _needs_factor(door, account):
        return SignInStep.ENROLMENT
    return SignInStep.DONE


def require_step(door: Door, attempt: Attempt, step: SignInStep) -> None:
    """Refuse what a sign-in does not want now: nobody skips a step, or takes one twice.

    Raises
    ------
    UnauthenticatedError
        If it wants something else.
    """
    if next_step(door, attempt) is not step:
        raise UnauthenticatedError(attempts.OVER)


def account_of(door: Door, attempt: Attempt) -> Account:
    """Whose sign-in it is; raises UnauthenticatedError if the account was disabled since it began."""
    account = get_account(door.session, attempt.account_id)
    if account.disabled_at is not None:
        raise UnauthenticatedError(WRONG)
    return account


def show_code(door: Door, attempt: Attempt, code: str) -> None:
    """The second factor as a code of the app, or a recovery code.

    Raises
    ------
    InvalidInputError, TooManyRequestsError
        If it is wrong, or too many were.
    """
    account = account_of(door, attempt)
    _check_code(door, account, code)
    attempt.has_second_factor = True
    if attempt.method is SignInMethod.PASSWORD:
        attempt.method = SignInMethod.PASSWORD_AND_CODE


def show_passkey(door: Door, attempt: Attempt, holder: str, credential: str) -> None:
    """The second factor as a passkey; raises as `show_code`."""
    account = account_of(door, attempt)
    counters = door.knock(account.username, account).codes()
    _count(door, counters, account)
    passkey = passkeys.check(door.acting(account), door.redis, holder, door.site, credential, is_alone=False)
    if passkey is None or passkey.account_id != account.account_id:
        note_failure(door, account, account.username, Failure.PASSKEY)
        raise InvalidInputError(passkeys.REFUSED, field="credential")
    throttle.forgive(door.redis, counters)
    attempt.has_second_factor = True
    if attempt.method is SignInMethod.PASSWORD:
        attempt.method = SignInMethod.PASSWORD_AND_PASSKEY


def set_first_password(door: Door, attempt: Attempt, new: str) -> None:
    """A password of one's own in the place of the one that somebody else set.

    Raises
    ------
    InvalidInputError
        If it cannot be accepted, or is the one that somebody else knows.
    """
    account = account_of(door, attempt)
    if matches(account.password_hash, new):
        raise InvalidInputError("This is the password that somebody else knows; choose another one.", field="password")
    action = door.acting(account)
    accounts.set_password(action, account, new)
    accounts.end_sessions(action, account.account_id)
    action.record("account.change_password", "account", account.account_id)


def finish(door: Door, attempt: Attempt, *, kind: str = "browser") -> tuple[Account, Opened]:
    """The session of a sign-in that lacks nothing, and whose it is.

    Raises
    ------
    SignInUnfinishedError
        If something is missing; its code says what.
    """
    step = next_step(door, attempt)
    if step is not SignInStep.DONE:
        raise SignInUnfinishedError(step)
    account = account_of(door, attempt)
    times = rules_of(door.session, door.settings, Role.get(account.role)).times()
    if kind == "token":
        lifetime = min(timedelta(hours=door.settings.session_hours), times.absolute)
        times = replace(times, idle=lifetime, absolute=lifetime)
    accounts.delete_expired_sessions(door.session, door.now)
    if kind == "browser":
        accounts.leave_session(door.session, door.old_session)
    row, opened = sessions.open_session(
        door.session, account, kind, door.settings, times, at=door.now, client=door.client, method=attempt.method
    )
    action = ActionContext(door.session, sessions.principal_of(account, row), door.now, door.client.address)
    action.record("sessions.open", "account", account.account_id, None, {"kind": kind, "method": attempt.method})
    return account, opened


def sign_in_program(door: Door, username: str, password: str, code: str) -> Opened:
    """A token for a program that knows the password, and the code of the second factor where there is one.

    Raises
    ------
    UnauthenticatedError, InvalidInputError, TooManyRequestsError
        If something is wrong or missing.
    """
    attempt = begin(door, username, password, "/")
    if code and factors.factors_of(door.session, attempt.account_id).count:
        show_code(door, attempt, code)
    return finish(door, attempt, kind="token")[1]


def change_password(door: Door, action: ActionContext, old: str, new: str) -> None:
    """Change one's own password; ends every other session of the account.

    Raises
    ------
    InvalidInputError, TooManyRequestsError
        If the old one is wrong, the new one cannot be accepted, or after too many wrong ones. What was noted of it in
        the transaction should stay.
    """
    account = get_account(action.session, action.actor.account_id)
    if not prove_by_password(door, action, old):
        raise InvalidInputError("The present password is wrong.", field="old_password")
    accounts.set_password(action, account, new)
    accounts.note_change(action, account, SignInChange.PASSWORD)
    accounts.end_sessions(action, account.account_id, but=action.actor.session_hash)
    action.record("account.change_password", "account", account.account_id)


def prove_by_password(door: Door, action: ActionContext, password: str) -> bool:
    """Whether the caller knows the account's password; then the session is unlocked and its proof is fresh.

    Raises
    ------
    TooManyRequestsError
        After too many wrong ones.
    """
    account = get_account(action.session, action.actor.account_id)
    counters = door.knock(account.username, account).passwords()
    _count(door, counters, account)
    if not matches(account.password_hash, password):
        note_failure(door, account, account.username, Failure.PASSWORD)
        return False
    throttle.forgive(door.redis, counters)
    accounts.prove_session(action)
    return True


def prove_by_passkey(door: Door, action: ActionContext, holder: str, credential: str) -> bool:
    """The same by a passkey that makes sure who holds it."""
    account = get_account(action.session, action.actor.account_id)
    counters = door.knock(account.username, account).codes()
    _count(door, counters, account)
    passkey = passkeys.check(action, door.redis, holder, door.site, credential, is_alone=True)
    if passkey is None or passkey.account_id != account.account_id:
        note_failure(door, account, account.username, Failure.PASSKEY)
        return False
    throttle.forgive(door.redis, counters)
    accounts.prove_session(action)
    return True


def options_to_prove(door: Door, action: ActionContext) -> JsonObject:
    """What a browser needs to prove by a passkey whose session it is.

    Raises
    ------
    NotFoundError
        If the account has none.
    """
    account_id = action.actor.account_id
    if not store.list_passkeys(door.session, account_id):
        raise NotFoundError("There is no passkey on this account.")
    holder = attempts.holder_of_session(action.actor.session_hash)
    options = passkeys.request_options(door.session, door.redis, holder, door.site, account_id, is_alone=True)
    return cast(JsonObject, json.loads(options))


def note_failure(door: Door, account: Account | None, name: str, why: Failure) -> None:
    """Write a failure down: for the operator, for the auditor, for the owner of the account."""
    key = door.settings.secret_key.get_secret_value().encode()
    hashed = hmac.new(key, b"user name " + name.encode(), hashlib.sha256).hexdigest()[:16] if name else ""
    log.warning("sign-in failed", why=str(why), user=hashed, known=account is not None, address=door.client.address)
    object_id = account.account_id if account is not None else hashed
    kind = "account" if account is not None else "user_name"
    door.by_nobody().record("sessions.fail", kind, object_id, None, {"why": str(why)})
    if account is not None:
        store.note_failure(door.session, account.account_id, door.now)


def _check_code(door: Door, account: Account, code: str) -> None:
    counters = door.knock(account.username, account).codes()
    _count(door, counters, account)
    if not codes.use_code(door.acting(account), account.account_id, code, door.wall_s):
        note_failure(door, account, account.username, Failure.CODE)
        raise InvalidInputError(codes.WRONG_CODE, field="code")
    throttle.forgive(door.redis, counters)


def _count(door: Door, counters: list[Counter], account: Account | None) -> None:
    try:
        throttle.count(door.redis, counters)
    except TooManyRequestsError:
        log.warning("sign-in refused", known=account is not None, address=door.client.address)
        raise


def _needs_factor(door: Door, account: Account) -> bool:
    return rules_of(door.session, door.settings, Role.get(account.role)).second_factor


def _why(account: Account | None) -> Failure:
    if account is None:
        return Failure.UNKNOWN_USER
    return Failure.DISABLED if account.disabled_at is not None else Failure.PASSWORD


@cache
def _nobody() -> str:
    """A hash that costs the same to check where there is no account."""
    return passwords.HASHER.hash(secrets.token_urlsafe(32))
