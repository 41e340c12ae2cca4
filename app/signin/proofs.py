"""How somebody who is signed in can prove again who it is."""

from __future__ import annotations

from pydantic import BaseModel

from app.accounts.service import NO_PASSWORD, get_account
from app.signin import store
from app.signin.door import Door


class WaysToProve(BaseModel):
    """What the account has to prove it by; the provider is asked by signing in there once more."""

    password: bool
    passkey: bool
    provider: bool


def ways_to_prove(door: Door, account_id: int) -> WaysToProve:
    """What an account has to prove again who it is."""
    account = get_account(door.session, account_id)
    return WaysToProve(
        password=account.password_hash != NO_PASSWORD,
        passkey=bool(store.list_passkeys(door.session, account_id)),
        provider=bool(door.settings.oidc_issuer and store.list_identities(door.session, account_id)),
    )
