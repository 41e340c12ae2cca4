"""Passkeys (WebAuthn level 3): key pairs in phones, computers and security keys that know which site they are for.

Checked by py_webauthn. A person may have several. One that made sure who holds it (a finger, a face, a PIN) is two
factors in one; beside a password it need not.
"""

from __future__ import annotations

import json
from typing import Final

from redis import Redis
from sqlalchemy.orm import Session
from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from app.accounts import service as accounts
from app.accounts.service import Account
from app.accounts.vocabulary import SignInChange
from app.platform.actions import ActionContext
from app.platform.json import JsonObject
from app.signin import attempts, store
from app.signin.door import Site
from app.signin.tables import Passkey
from geo.errors import ConflictError, InvalidInputError, NotFoundError

RELYING_PARTY: Final = "Cửa Khẩu Số"
MAX_PASSKEYS: Final = 20
MAX_NAME_LENGTH: Final = 60
MAX_CREDENTIAL_LENGTH: Final = 20_000
REFUSED: Final = "The passkey was not accepted. Try again."


def creation_options(session: Session, redis: Redis, holder: str, site: Site, account: Account) -> str:
    """What a browser needs to make a passkey of an account, as JSON."""
    options = generate_registration_options(
        rp_id=site.host,
        rp_name=RELYING_PARTY,
        user_id=_handle(account),
        user_name=account.username,
        user_display_name=account.full_name,
        exclude_credentials=_known(session, account.account_id),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.PREFERRED
        ),
    )
    attempts.keep_challenge(redis, holder, options.challenge)
    return options_to_json(options)


def enrol(
    action: ActionContext, redis: Redis, holder: str, site: Site, account: Account, *, name: str, credential: str
) -> Passkey:
    """Keep the passkey that a browser made.

    Raises
    ------
    InvalidInputError, ConflictError
        If it is not what was asked for, it is known already (be it as somebody else's), or there are too many.
    """
    session, challenge = action.session, attempts.take_challenge(redis, holder)
    sent = _read(credential)
    if challenge is None:
        raise InvalidInputError("The page is too old; load it again.", field="credential")
    try:
        made = verify_registration_response(
            credential=sent, expected_challenge=challenge, expected_rp_id=site.host, expected_origin=site.origin
        )
    except Exception:  # whatever a forged answer makes the parsers of CBOR, ASN.1 and JSON stumble over
        raise InvalidInputError(REFUSED, field="credential") from None
    if store.find_passkey(session, made.credential_id) is not None:
        raise ConflictError("This passkey is known already.")
    if len(store.list_passkeys(session, account.account_id)) >= MAX_PASSKEYS:
        raise ConflictError("There are {limit} passkeys; remove one that is not used.", limit=MAX_PASSKEYS)
    response = sent.get("response")
    transports = response.get("transports") if isinstance(response, dict) else None
    passkey = Passkey(
        credential_id=made.credential_id,
        account_id=account.account_id,
        name=_name(name),
        public_key=made.credential_public_key,
        sign_count=made.sign_count,
        transports=[transport for transport in transports or [] if transport in set(AuthenticatorTransport)],
        made_at=action.now,
    )
    session.add(passkey)
    session.flush()
    accounts.note_change(action, account, SignInChange.FACTOR_ADDED)
    action.record("factors.enrol", "account", account.account_id, None, {"kind": "passkey", "name": passkey.name})
    return passkey


def request_options(
    session: Session, redis: Redis, holder: str, site: Site, account_id: int | None, *, is_alone: bool
) -> str:
    """What a browser needs to show a passkey, as JSON: of an account, or (`None`) whichever its owner chooses.

    `is_alone` says that no password stands beside it, so that it has to make sure who holds it.
    """
    options = generate_authentication_options(
        rp_id=site.host,
        allow_credentials=None if account_id is None else _known(session, account_id),
        user_verification=(UserVerificationRequirement.REQUIRED if is_alone else UserVerificationRequirement.PREFERRED),
    )
    attempts.keep_challenge(redis, holder, options.challenge)
    return options_to_json(options)


def check(
    action: ActionContext, redis: Redis, holder: str, site: Site, credential: str, *, is_alone: bool
) -> Passkey | None:
    """The passkey that signed what was asked of it, as it is now; `None` if it did not, or nobody knows it."""
    challenge = attempts.take_challenge(redis, holder)
    try:
        sent = _read(credential)
        credential_id = base64url_to_bytes(str(sent.get("id", "")))
    except (InvalidInputError, ValueError):
        return None
    passkey = store.find_passkey(action.session, credential_id)
    if challenge is None or passkey is None:
        return None
    try:
        signed = verify_authentication_response(
            credential=sent,
            expected_challenge=challenge,
            expected_rp_id=site.host,
            expected_origin=site.origin,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=is_alone,
        )
    except Exception:  # as in `enrol`
        return None
    passkey.sign_count, passkey.last_used_at = signed.new_sign_count, action.now
    action.session.flush()
    return passkey


def rename(action: ActionContext, passkey_id: int, name: str) -> None:
    """Call a passkey of one's own something else; raises NotFoundError if there is none."""
    passkey = get_own(action, passkey_id)
    before, passkey.name = passkey.name, _name(name)
    if passkey.name != before:
        action.record("factors.rename", "account", passkey.account_id, {"name": before}, {"name": passkey.name})


def get_own(action: ActionContext, passkey_id: int) -> Passkey:
    """A passkey of the caller's own.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    own = store.list_passkeys(action.session, action.actor.account_id)
    found = next((passkey for passkey in own if passkey.passkey_id == passkey_id), None)
    if found is None:
        raise NotFoundError("There is no passkey {passkey_id} of yours.", passkey_id=passkey_id)
    return found


def _handle(account: Account) -> bytes:
    """What authenticators know an account by: nothing that tells who it is (WebAuthn, 14.6.1)."""
    return account.account_id.to_bytes(8, "big")


def _known(session: Session, account_id: int) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=passkey.credential_id,
            transports=[AuthenticatorTransport(transport) for transport in passkey.transports] or None,
        )
        for passkey in store.list_passkeys(session, account_id)
    ]


def _read(credential: str) -> JsonObject:
    try:
        sent = json.loads(credential) if len(credential) <= MAX_CREDENTIAL_LENGTH else None
    except ValueError:
        sent = None
    if not isinstance(sent, dict):
        raise InvalidInputError(REFUSED, field="credential")
    return sent


def _name(name: str) -> str:
    written = " ".join(name.split())[:MAX_NAME_LENGTH]
    if not written:
        raise InvalidInputError("Give the passkey a name by which you know it, such as your phone.", field="name")
    return written
