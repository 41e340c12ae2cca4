"""The accounts of an enterprise, kept by itself: its clerks and its drivers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy.orm import Session

from app.accounts import service, store
from app.accounts.tables import Account
from app.platform.actions import ActionContext
from app.platform.permissions import Principal, Role
from geo.errors import ForbiddenError, InvalidInputError, NotFoundError

ROLES: Final = (Role.ENTERPRISE, Role.DRIVER)
"""The roles that an enterprise may give to its own people."""


def list_own(session: Session, principal: Principal) -> Sequence[Account]:
    """The accounts of the caller's organisation, disabled ones last."""
    if principal.organisation_id is None:
        return ()
    return store.accounts_of_organisation(session, principal.organisation_id)


def create_own(action: ActionContext, *, username: str, password: str, full_name: str, role: str) -> Account:
    """Make an account of the caller's organisation. It is given no vehicle: that follows from a proof, not a field.

    Raises
    ------
    ForbiddenError, InvalidInputError, ConflictError
        If the caller belongs to no organisation, the role is not one an enterprise gives, or as `create_account`.
    """
    own = action.actor.organisation_id
    if own is None:
        raise ForbiddenError("Your account belongs to no organisation.")
    if role not in ROLES:
        raise InvalidInputError(
            "{value} is not possible here; choose one of: {allowed}.",
            field="role",
            value=role,
            allowed=", ".join(ROLES),
        )
    return service.create_account(
        action, username=username, password=password, full_name=full_name, role=role, organisation_id=own
    )


def set_own_disabled(action: ActionContext, account_id: int, disabled: bool) -> Account:
    """Disable an account of the caller's organisation, which ends its sessions at once, or enable it again.

    Raises
    ------
    NotFoundError, ConflictError
        If there is none of the caller's organisation, or it is the caller's own.
    """
    account = action.session.get(Account, account_id)
    own = action.actor.organisation_id
    if account is None or own is None or account.organisation_id != own or account.role not in ROLES:
        raise NotFoundError("There is no account {account_id}.", account_id=account_id)
    return service.set_disabled(action, account_id, disabled)
