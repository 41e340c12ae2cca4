"""Persons behind accounts: what takes two persons is not done by two accounts of one.

Accounts of one person are linked by an administrator, by hand, since nothing that accounts hold proves it. An
administrator is neither of two persons: whoever makes accounts could make both.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.accounts import store
from app.accounts.tables import Account
from app.platform.actions import ActionContext
from app.platform.permissions import Principal, Role
from geo.errors import ConflictError, ForbiddenError, InvalidInputError


def accounts_of_person(session: Session, account_id: int) -> frozenset[int]:
    """The accounts of the person whose account this is; with it."""
    return store.accounts_of_person(session, account_id)


def is_same_person(session: Session, account_id: int | None, other_id: int | None) -> bool:
    """Whether two accounts are one person's; of the platform itself (`None`) never."""
    if account_id is None or other_id is None:
        return False
    return account_id == other_id or other_id in store.accounts_of_person(session, account_id)


def check_first_person(action: ActionContext) -> None:
    """Refuse to ask for what a second person decides, if the caller is an administrator under whichever account.

    Raises
    ------
    ForbiddenError
        If so.
    """
    _refuse_administrators(action.session, action.actor)


def check_second_person(action: ActionContext, first_id: int) -> None:
    """Refuse to decide what the account `first_id` asked for, if the caller is no second person.

    Raises
    ------
    ForbiddenError
        If it is the same person, be it under another account, or one of the two is an administrator.
    """
    check_other_person(action, first_id)
    _refuse_administrators(action.session, action.actor)
    if store.is_person_with_role(action.session, first_id, Role.ADMINISTRATOR):
        raise ForbiddenError("An administrator asked for this, and is neither of two persons; a colleague must ask.")


def check_other_person(action: ActionContext, first_id: int | None) -> None:
    """Refuse to decide what the caller asked for under whichever account; administrators may decide what is theirs.

    Raises
    ------
    ForbiddenError
        If it is the same person.
    """
    if first_id == action.actor.account_id:
        raise ForbiddenError("You asked for this yourself; a second person must decide.")
    if is_same_person(action.session, action.actor.account_id, first_id):
        raise ForbiddenError("You asked for this under another account of yours; a second person must decide.")


def set_person(action: ActionContext, account: Account, username: str | None) -> None:
    """Note that an account is the same person's as the account `username`, or (`None`) that it is nobody else's.

    Accounts that were the same person's as this one before go along.

    Raises
    ------
    InvalidInputError, ConflictError, ForbiddenError
        If there is no such account, it is the same one, or it is the caller's own.
    """
    session, before = action.session, account.person_id
    if action.actor_id == account.account_id:
        raise ForbiddenError("Whose accounts are one person's, another administrator says of yours.")
    if not username:
        account.person_id = None
    else:
        other = store.find_account_by_name(session, username.strip().lower())
        if other is None:
            raise InvalidInputError("There is no account {value}.", field="person", value=username)
        if other.account_id == account.account_id:
            raise ConflictError("An account is its own person's already.", field="person")
        first = other.person_id or other.account_id
        for each in store.accounts_of_person(session, account.account_id):
            store.get_account(session, each).person_id = None if each == first else first
    session.flush()
    if account.person_id != before:
        account.version += 1
        action.record(
            "accounts.set_person",
            "account",
            account.account_id,
            {"person_id": before},
            {"person_id": account.person_id},
        )


def _refuse_administrators(session: Session, principal: Principal) -> None:
    if store.is_person_with_role(session, principal.account_id, Role.ADMINISTRATOR):
        raise ForbiddenError("An administrator is neither of the two persons that this takes.")
