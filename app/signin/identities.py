"""Accounts and the identities of a provider: linked by issuer and subject, which never change and are never reused.

An e-mail address links nothing, verified or not: it may be somebody else's tomorrow. Whoever is signed in links their
own account; an identity that is linked to none gets an account of its own only where the settings say so, and the
provider then says its role, each time.
"""

from __future__ import annotations

import hashlib
from typing import Final

from app.accounts import service as accounts
from app.accounts.service import USERNAME, Account, find_account_by_name, get_account
from app.accounts.vocabulary import SignInChange, SignInMethod
from app.platform.actions import ActionContext
from app.platform.permissions import Role
from app.settings import Settings
from app.signin import store
from app.signin.attempts import Attempt
from app.signin.door import Door
from app.signin.provider import Identity
from app.signin.service import note_failure
from app.signin.tables import ProviderIdentity
from app.signin.vocabulary import Failure, UnknownIdentity
from geo.errors import ConflictError, NotFoundError, UnauthenticatedError

NOT_LINKED: Final = (
    "No account is linked to you at the identity provider. Sign in with your password and link it on the page of your "
    "account, or ask an administrator."
)
NO_ROLE: Final = "The identity provider names no role that you have here. Ask an administrator."


def begin(door: Door, identity: Identity, address: str) -> Attempt:
    """The sign-in of somebody whom the provider signed in.

    Raises
    ------
    UnauthenticatedError
        If no account is linked to them, it is disabled, or the provider that made it names no role any more. What was
        noted of it in the transaction should stay.
    """
    known = store.find_identity(door.session, identity.issuer, identity.subject)
    account = _create(door, identity) if known is None else get_account(door.session, known.account_id)
    if account is None or account.disabled_at is not None:
        note_failure(door, account, identity.subject, Failure.PROVIDER)
        raise UnauthenticatedError(NOT_LINKED)
    if known is not None:
        known.last_used_at = door.now
        if known.sets_role:
            _take_role(door, account, identity)
    trusted = {value.strip() for value in door.settings.oidc_factor_amr.split(",")} - {""}
    return Attempt(
        account_id=account.account_id,
        method=SignInMethod.PROVIDER,
        has_second_factor=bool(trusted & identity.methods),
        address=address,
    )


def link(action: ActionContext, identity: Identity) -> None:
    """Let the caller's account be signed in to by an identity; linked already it stays so.

    Raises
    ------
    ConflictError
        If another account is linked to it: one identity is one person.
    """
    known = store.find_identity(action.session, identity.issuer, identity.subject)
    if known is not None and known.account_id != action.actor.account_id:
        raise ConflictError("Another account is linked to you at the identity provider; an administrator can help.")
    if known is None:
        _add(action, identity, action.actor.account_id)
        own = get_account(action.session, action.actor.account_id)
        accounts.note_change(action, own, SignInChange.IDENTITY_LINKED)


def unlink(action: ActionContext, issuer: str, subject: str) -> None:
    """Let an identity no longer sign in to the caller's account.

    Raises
    ------
    NotFoundError, ConflictError
        If it does not, or the account has nothing else to sign in with.
    """
    known = store.find_identity(action.session, issuer, subject)
    if known is None or known.account_id != action.actor.account_id:
        raise NotFoundError("Your account is not linked to this identity.")
    if get_account(action.session, known.account_id).password_hash == accounts.NO_PASSWORD:
        raise ConflictError("The account has no password: without the identity provider nobody could sign in to it.")
    action.session.delete(known)
    action.session.flush()
    account = get_account(action.session, known.account_id)
    accounts.note_change(action, account, SignInChange.IDENTITY_UNLINKED)
    action.record("identities.unlink", "account", known.account_id, {"issuer": issuer})


def role_of(settings: Settings, identity: Identity) -> Role | None:
    """The role that the settings give to what the provider calls somebody; `None` if it gives none."""
    named = (role for name, role in settings.oidc_roles.items() if name in identity.roles)
    return Role.lookup(next(named, None))


def _create(door: Door, identity: Identity) -> Account | None:
    """An account for an identity that no account is linked to, where the settings let it have one."""
    if UnknownIdentity(door.settings.oidc_unknown) is UnknownIdentity.REFUSE:
        return None
    role = role_of(door.settings, identity)
    if role is None:
        raise _without_role(door, None, identity)
    account = accounts.create_account(
        door.by_nobody(),
        username=_free_name(door, identity),
        password=None,
        full_name=identity.full_name,
        role=role,
    )
    _add(door.acting(account), identity, account.account_id, sets_role=True)
    return account


def _take_role(door: Door, account: Account, identity: Identity) -> None:
    """Give an account the role that the provider now names; its other sessions end with a change."""
    role = role_of(door.settings, identity)
    if role is None:
        raise _without_role(door, account, identity)
    if role != account.role:
        accounts.update_account(door.by_nobody(), account.account_id, {"role": role}, expected_version=account.version)


def _without_role(door: Door, account: Account | None, identity: Identity) -> UnauthenticatedError:
    note_failure(door, account, identity.subject, Failure.PROVIDER)
    return UnauthenticatedError(NO_ROLE)


def _add(action: ActionContext, identity: Identity, account_id: int, *, sets_role: bool = False) -> None:
    action.session.add(
        ProviderIdentity(
            issuer=identity.issuer,
            subject=identity.subject,
            account_id=account_id,
            sets_role=sets_role,
            linked_at=action.now,
            last_used_at=action.now,
        )
    )
    action.session.flush()
    action.record("identities.link", "account", account_id, None, {"issuer": identity.issuer})


def _free_name(door: Door, identity: Identity) -> str:
    """The user name at the provider if it is one here and nobody has it, else one that follows from the subject."""
    wanted = identity.username.strip().lower()
    if USERNAME.fullmatch(wanted) and find_account_by_name(door.session, wanted) is None:
        return wanted
    return "id-" + hashlib.sha256(f"{identity.issuer} {identity.subject}".encode()).hexdigest()[:16]
