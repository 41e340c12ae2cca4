"""The session's secret as its pages carry it: hidden under another mask in each place.

A page that holds the same secret each time, beside text that a stranger may choose, must not be compressed: the length
of the answer would tell whether the text agrees with the secret (BREACH, CVE-2013-3587). Under a mask that is
drawn each time a text agrees with it once at most (the remedy "masking secrets" of https://www.breachattack.com).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets


def mask(secret: str) -> str:
    """A token that stands for `secret`, another one each time; twice as long before base64url."""
    plain = secret.encode()
    pad = secrets.token_bytes(len(plain))
    return base64.urlsafe_b64encode(pad + _combine(plain, pad)).decode()


def stands_for(token: str, secret: str) -> bool:
    """Whether a token was made of `secret` by `mask`; takes the same time for all tokens of one length."""
    try:
        read = base64.b64decode(token.encode(), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return False
    pad, masked = read[: len(read) // 2], read[len(read) // 2 :]
    return len(pad) == len(masked) and hmac.compare_digest(_combine(masked, pad), secret.encode())


def _combine(text: bytes, pad: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(text, pad, strict=True))
