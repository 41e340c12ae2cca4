"""Web Push: a message that only its browser can read (RFC 8291), from a sender it knows (VAPID, RFC 8292). Pure.

One record of RFC 8188 (`aes128gcm`), its key from an exchange on P-256 between the browser's key and one made for this
message, and the browser's secret. Written on the primitives of cryptography, the sender's token by joserfc: what the
libraries for it add is sending, by a client of their own that would go wherever an address leads
([decision 23](../../docs/decisions/0023-web-push.md)).
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc import jwt
from joserfc.jwk import ECKey

from geo.errors import InvalidInputError

RECORD_SIZE: Final = 4096
MAX_BYTES: Final = RECORD_SIZE - 16 - 1 - 86
"""Push services take messages of 4,096 bytes: less the header (86), the tag (16) and the mark of the last record."""
SECRET_BYTES: Final = 16
TOKEN_LASTS: Final = timedelta(hours=12)
"""RFC 8292 allows a day."""


@dataclass(frozen=True)
class BrowserKeys:
    """What a browser gave to write to it with: its public key (65 bytes, uncompressed) and its secret (16 bytes)."""

    public: bytes
    secret: bytes

    @classmethod
    def parse(cls, p256dh: str, auth: str) -> BrowserKeys:
        """From base64url, as `PushSubscription.toJSON()` gives them.

        Raises
        ------
        InvalidInputError
            If one of them is none.
        """
        try:
            public, secret = decode(p256dh), decode(auth)
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
        except ValueError:
            raise InvalidInputError("The keys of the push subscription are none.", field="keys") from None
        if len(secret) != SECRET_BYTES or len(public) != 65:
            raise InvalidInputError("The keys of the push subscription are none.", field="keys")
        return cls(public, secret)


def encode(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """From base64url, padded or not; raises ValueError."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def encrypt(
    message: bytes,
    to: BrowserKeys,
    *,
    salt: bytes | None = None,
    own: ec.EllipticCurvePrivateKey | None = None,
) -> bytes:
    """The body of a push message; `salt` (16 bytes) and the key `own` are made fresh unless given, as tests do.

    Raises
    ------
    InvalidInputError
        If the message is longer than `MAX_BYTES`.
    """
    if len(message) > MAX_BYTES:
        raise InvalidInputError("A push message has at most {most} bytes.", field="message", most=MAX_BYTES)
    salt = os.urandom(16) if salt is None else salt
    own = ec.generate_private_key(ec.SECP256R1()) if own is None else own
    point = public_bytes(own)
    browser = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), to.public)
    info = b"WebPush: info\x00" + to.public + point
    shared = _derive(own.exchange(ec.ECDH(), browser), to.secret, info, 32)
    key = _derive(shared, salt, b"Content-Encoding: aes128gcm\x00", 16)
    nonce = _derive(shared, salt, b"Content-Encoding: nonce\x00", 12)
    header = salt + RECORD_SIZE.to_bytes(4, "big") + bytes([len(point)]) + point
    return header + AESGCM(key).encrypt(nonce, message + b"\x02", None)


def _derive(key: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length=length, salt=salt, info=info).derive(key)


def public_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The public key of a key pair: 65 bytes, uncompressed."""
    return key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def make_key() -> str:
    """A new key pair of the sender, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


def read_key(pem: str) -> ec.EllipticCurvePrivateKey:
    """The key pair of a PEM that `make_key` made; raises ValueError."""
    key = serialization.load_pem_private_key(pem.encode(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("The push key is not on a curve.")
    return key


def sender_headers(pem: str, endpoint: str, contact: str, now: datetime) -> Mapping[str, str]:
    """The header that shows a push service who sends; `contact` is `mailto:…` or `https://…`."""
    parts = urlsplit(endpoint)
    claims = {"aud": f"{parts.scheme}://{parts.netloc}", "exp": int((now + TOKEN_LASTS).timestamp()), "sub": contact}
    token = jwt.encode({"typ": "JWT", "alg": "ES256"}, claims, ECKey.import_key(pem))
    return {"Authorization": f"vapid t={token}, k={encode(public_bytes(read_key(pem)))}"}
