"""Browsers that an account was signed in with before: a signed cookie says so (OWASP, device cookies).

One browser may be known to several accounts, as at a station's desk. A cookie opens nothing; it keeps strangers who
guess an account's password from locking its owner out. A new password forgets all of them.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Final

from itsdangerous import BadSignature, URLSafeSerializer
from pydantic import TypeAdapter, ValidationError

from app.accounts.service import Account
from app.settings import Settings

COOKIE: Final = "device"
MAX_AGE_S: Final = 400 * 86_400
"""What browsers keep a cookie for at most (RFC 6265bis, 5.5)."""
MAX_ACCOUNTS: Final = 12
"""Of one browser: the people of a desk."""
_KNOWN = TypeAdapter(dict[int, tuple[str, float]])
"""Account → a random name of the browser for it, and when the password was set that it was known by."""


def find_device(settings: Settings, cookie: str, account: Account | None) -> str | None:
    """The name under which a browser is known to an account; `None` if it is not."""
    if account is None:
        return None
    name, password_set_s = _read(settings, cookie).get(account.account_id, ("", 0.0))
    return name if name and password_set_s == _seconds(account.password_set_at) else None


def remember(settings: Settings, cookie: str, account: Account) -> str:
    """The cookie of a browser with which an account was just signed in."""
    known = _read(settings, cookie)
    known.pop(account.account_id, None)
    while len(known) >= MAX_ACCOUNTS:
        known.pop(next(iter(known)))
    known[account.account_id] = (secrets.token_urlsafe(12), _seconds(account.password_set_at))
    return _serializer(settings).dumps(_KNOWN.dump_python(known, mode="json"))


def _read(settings: Settings, cookie: str) -> dict[int, tuple[str, float]]:
    try:
        return _KNOWN.validate_python(_serializer(settings).loads(cookie)) if cookie else {}
    except (BadSignature, ValidationError):
        return {}


def _serializer(settings: Settings) -> URLSafeSerializer:
    return URLSafeSerializer(settings.secret_key.get_secret_value(), salt="known devices")


def _seconds(moment: datetime | None) -> float:
    return 0.0 if moment is None else moment.timestamp()
