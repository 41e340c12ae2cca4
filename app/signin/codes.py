"""Codes of a second factor: those of an authenticator app, and those on paper for the day it is lost.

Apps: time-based one-time passwords (RFC 6238) of 6 digits, SHA-1 and half minutes, which every app takes. A code counts
once: neither it nor an earlier one is accepted again (5.2). The app's clock may be half a minute off, either way.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from typing import Final

import pyotp
import segno
from redis import Redis
from sqlalchemy.orm import Session

from app.accounts import service as accounts
from app.accounts.service import Account
from app.accounts.vocabulary import SignInChange
from app.platform.actions import ActionContext
from app.signin import attempts, store
from app.signin.tables import AuthenticatorApp, RecoveryCode
from geo.errors import InvalidInputError

ISSUER: Final = "Cửa Khẩu Số"
STEP_S: Final = 30
ALLOWED_STEPS: Final = (-1, 0, 1)
N_RECOVERY_CODES: Final = 10
RECOVERY_BYTES: Final = 10
"""80 bits: no list of hashes helps to guess one, so they need no slow hash."""
WRONG_CODE: Final = "The code is wrong or was used already. Wait for the next one and try again."


def begin_app(redis: Redis, holder: str) -> str:
    """The secret to show to an app; the same until it is confirmed, so that a page may be loaded again."""
    return attempts.keep_app_secret(redis, holder, pyotp.random_base32())


def picture_of(account: Account, secret: str) -> str:
    """The secret as a QR code that apps read (`otpauth://`, Key URI Format), as the address of a picture."""
    address = pyotp.TOTP(secret).provisioning_uri(name=account.username, issuer_name=ISSUER)
    return str(segno.make(address, error="m").svg_data_uri(scale=4, border=3, light="white"))


def enrol_app(action: ActionContext, redis: Redis, holder: str, account: Account, code: str, wall_s: float) -> None:
    """Put an app in the place of the account's present one, if any, once it has shown a code that is right.

    Raises
    ------
    InvalidInputError
        If the code is wrong, or the page that showed the secret is too old.
    """
    secret = attempts.find_app_secret(redis, holder)
    if secret is None:
        raise InvalidInputError("The page is too old; load it again, and scan the new picture.", field="code")
    step = find_step(secret, code, wall_s, after=-1)
    if step is None:
        raise InvalidInputError(WRONG_CODE, field="code")
    present = store.find_app(action.session, account.account_id, lock=True)
    if present is None:
        action.session.add(
            AuthenticatorApp(account_id=account.account_id, secret=secret, made_at=action.now, last_step=step)
        )
    else:
        present.secret, present.made_at, present.last_step, present.last_used_at = secret, action.now, step, None
    action.session.flush()
    attempts.drop_app_secret(redis, holder)
    accounts.note_change(action, account, SignInChange.FACTOR_ADDED)
    action.record("factors.enrol", "account", account.account_id, None, {"kind": "app"})


def find_step(secret: str, code: str, wall_s: float, *, after: int) -> int | None:
    """Which half minute a code is of, if it is right, within the allowed ones, and later than `after`."""
    digits = re.sub(r"\s", "", code)
    app, present = pyotp.TOTP(secret, interval=STEP_S), int(wall_s) // STEP_S
    right = [
        present + offset
        for offset in ALLOWED_STEPS
        if hmac.compare_digest(app.generate_otp(present + offset).encode(), digits.encode())
    ]
    return next((step for step in right if step > after), None)


def use_code(action: ActionContext, account_id: int, code: str, wall_s: float) -> bool:
    """Use up a code of the account's app, or one of its recovery codes; whether it was right."""
    app = store.find_app(action.session, account_id, lock=True)
    if app is not None:
        step = find_step(app.secret, code, wall_s, after=app.last_step)
        if step is not None:
            app.last_step, app.last_used_at = step, action.now
            action.session.flush()
            return True
    if store.use_recovery_code(action.session, account_id, _hash(code), action.now):
        left = store.count_recovery_codes(action.session, account_id)
        accounts.note_change(action, accounts.get_account(action.session, account_id), SignInChange.RECOVERY_CODE_USED)
        action.record("factors.use_recovery_code", "account", account_id, None, {"left": left})
        return True
    return False


def make_recovery_codes(action: ActionContext, account_id: int) -> list[str]:
    """New recovery codes in the place of the present ones; shown once."""
    store.delete_recovery_codes(action.session, account_id)
    codes = [_written(secrets.token_bytes(RECOVERY_BYTES)) for _ in range(N_RECOVERY_CODES)]
    action.session.add_all(
        RecoveryCode(code_hash=_hash(code), account_id=account_id, made_at=action.now) for code in codes
    )
    action.session.flush()
    accounts.note_change(action, accounts.get_account(action.session, account_id), SignInChange.RECOVERY_CODES)
    action.record("factors.make_recovery_codes", "account", account_id)
    return codes


def needs_recovery_codes(session: Session, account_id: int) -> bool:
    """Whether no recovery code of an account is left."""
    return store.count_recovery_codes(session, account_id) == 0


def _written(random: bytes) -> str:
    text = base64.b32encode(random).decode().lower()
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4))


def _hash(code: str) -> bytes:
    plain = re.sub(r"[^a-z2-7]", "", code.lower())
    return hashlib.sha256(b"recovery code " + plain.encode()).digest()
