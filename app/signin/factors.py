"""The second factors of an account: what there is, what may go, what two administrators take away when all is lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from app.accounts import persons
from app.accounts import service as accounts
from app.accounts.service import Account, get_account
from app.accounts.vocabulary import SignInChange
from app.platform.actions import ActionContext
from app.settings import Settings
from app.signin import passkeys, store
from app.signin.rules import rules_of
from app.signin.store import ListedReset
from app.signin.store import list_open_resets as list_open_resets
from app.signin.tables import AuthenticatorApp, FactorReset, Passkey
from app.signin.vocabulary import ResetStatus
from geo.errors import ConflictError, InvalidInputError, NotFoundError

MIN_REASON_LENGTH: Final = 5
MAX_REASON_LENGTH: Final = 500


@dataclass(frozen=True)
class Factors:
    """What an account signs in with beside its password."""

    app: AuthenticatorApp | None
    passkeys: Sequence[Passkey]
    recovery_codes: int

    @property
    def count(self) -> int:
        """How many there are; recovery codes stand for them and are none themselves."""
        return len(self.passkeys) + (self.app is not None)


def factors_of(session: Session, account_id: int) -> Factors:
    """The second factors of an account."""
    return Factors(
        store.find_app(session, account_id),
        store.list_passkeys(session, account_id),
        store.count_recovery_codes(session, account_id),
    )


def remove_app(action: ActionContext, settings: Settings) -> None:
    """Forget one's own authenticator app.

    Raises
    ------
    NotFoundError, ConflictError
        If there is none, or it is the last factor of somebody who needs one.
    """
    app = store.find_app(action.session, action.actor.account_id, lock=True)
    if app is None:
        raise NotFoundError("There is no authenticator app on this account.")
    _check_not_last(action, settings)
    action.session.delete(app)
    _removed(action, {"kind": "app"})


def remove_passkey(action: ActionContext, settings: Settings, passkey_id: int) -> None:
    """Forget a passkey of one's own; raises as `remove_app`."""
    passkey = passkeys.get_own(action, passkey_id)
    _check_not_last(action, settings)
    action.session.delete(passkey)
    _removed(action, {"kind": "passkey", "name": passkey.name})


def ask_for_reset(action: ActionContext, account_id: int, reason: str) -> int:
    """Ask that the factors of somebody who lost them be taken away; its number. Asked again it is the same.

    Raises
    ------
    NotFoundError, InvalidInputError, ConflictError, ForbiddenError
        If there is no such account, the reason is missing, there is nothing to take away, or it is the caller's own.
    """
    account = get_account(action.session, account_id)
    persons.check_other_person(action, account_id)
    written = " ".join(reason.split())
    if not MIN_REASON_LENGTH <= len(written) <= MAX_REASON_LENGTH:
        raise InvalidInputError(
            "Say in {least} to {most} characters how you made sure who asks for this.",
            field="reason",
            least=MIN_REASON_LENGTH,
            most=MAX_REASON_LENGTH,
        )
    waiting = store.find_open_reset(action.session, account_id)
    if waiting is not None:
        return waiting.reset_id
    if factors_of(action.session, account_id).count == 0:
        raise ConflictError("{username} has no second factor.", username=account.username)
    reset = FactorReset(account_id=account_id, reason=written, asked_by=action.actor.account_id, asked_at=action.now)
    action.session.add(reset)
    action.session.flush()
    action.record("factor_resets.ask", "account", account_id, None, {"reason": written})
    return reset.reset_id


def decide_reset(action: ActionContext, reset_id: int, *, is_approved: bool) -> None:
    """Take the factors away that a colleague asked to, or refuse it; approved, the account's sessions end.

    Raises
    ------
    NotFoundError, ConflictError, ForbiddenError
        If there is no such request, it is decided, or the caller asked for it or is whom it is about.
    """
    reset = store.lock_reset(action.session, reset_id)
    if reset is None:
        raise NotFoundError("There is no request {reset_id}.", reset_id=reset_id)
    persons.check_other_person(action, reset.asked_by)
    persons.check_other_person(action, reset.account_id)
    if reset.status != ResetStatus.ASKED:
        raise ConflictError("This was decided already: {status}.", status=reset.status)
    reset.status = ResetStatus.APPROVED if is_approved else ResetStatus.REFUSED
    reset.decided_by, reset.decided_at = action.actor.account_id, action.now
    action.session.flush()
    if is_approved:
        take_away(action, get_account(action.session, reset.account_id))
    verb = "factor_resets.approve" if is_approved else "factor_resets.refuse"
    action.record(verb, "account", reset.account_id, None, {"reset_id": reset_id})


def take_away(action: ActionContext, account: Account) -> None:
    """Forget every second factor of an account and end its sessions: for two persons, or an operator at the machine."""
    store.delete_factors(action.session, account.account_id)
    accounts.note_change(action, account, SignInChange.FACTORS_TAKEN_AWAY)
    accounts.end_sessions(action, account.account_id)
    action.record("factors.take_away", "account", account.account_id)


def list_resets(session: Session, account_id: int) -> list[ListedReset]:
    """What waits for a second person about an account."""
    return [reset for reset in store.list_open_resets(session) if reset.account_id == account_id]


def _check_not_last(action: ActionContext, settings: Settings) -> None:
    is_required = rules_of(action.session, settings, action.actor.role).second_factor
    if is_required and factors_of(action.session, action.actor.account_id).count <= 1:
        raise ConflictError("Your role signs in with a second factor: add another one before you remove the last.")


def _removed(action: ActionContext, factor: dict[str, str]) -> None:
    session, account_id = action.session, action.actor.account_id
    session.flush()
    if factors_of(session, account_id).count == 0:
        store.delete_recovery_codes(session, account_id)
    accounts.note_change(action, get_account(session, account_id), SignInChange.FACTOR_REMOVED)
    action.record("factors.remove", "account", account_id, factor)
