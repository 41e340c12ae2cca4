"""The first administrator of an empty installation, made by whoever has the link that `cuakhau up` prints.

The link holds a token that follows from the installation's secret, and opens nothing once there is an administrator.
"""

from __future__ import annotations

import hashlib
import hmac

from sqlalchemy.orm import Session

from app.accounts import service, store
from app.accounts.tables import Account
from app.platform.actions import ActionContext
from app.platform.permissions import Role
from geo.errors import NotFoundError


def first_token(secret_key: str) -> str:
    """The token of an installation's link."""
    return hmac.new(secret_key.encode(), b"the first administrator", hashlib.sha256).hexdigest()[:40]


def check_open(session: Session, token: str, secret_key: str) -> None:
    """Refuse a link that opens nothing.

    Raises
    ------
    NotFoundError
        If it is not this installation's, or there is an administrator already.
    """
    is_ours = hmac.compare_digest(token.encode(), first_token(secret_key).encode())
    if not is_ours or store.has_administrator(session):
        raise NotFoundError("This link makes no administrator: there is one already, or it is another platform's.")


def make_first(
    action: ActionContext, token: str, secret_key: str, *, username: str, password: str, full_name: str, locale: str
) -> Account:
    """Make the first administrator; of two who press at once, one is it.

    Raises
    ------
    NotFoundError, InvalidInputError, ConflictError
        If the link opens nothing, or name or password cannot be accepted.
    """
    store.lock_administrators(action.session)
    check_open(action.session, token, secret_key)
    return service.create_account(
        action,
        username=username,
        password=password,
        full_name=full_name,
        role=Role.ADMINISTRATOR,
        locale=locale,
    )
