"""Values that the database holds encrypted: keys of banks, passwords of equipment, what identifies people.

Fernet of the library cryptography: AES-128-CBC with HMAC-SHA256, so that a value that was altered is refused. The keys
are outside the database, in the settings: `CUAKHAU_ENCRYPTION_KEYS`, or made from `CUAKHAU_SECRET_KEY`. The first one
encrypts, all of them decrypt; `cuakhau reencrypt` brings every value under the first. A column is declared once, by its
type, and its feature reads and writes clear values:

    key: Mapped[str] = mapped_column(EncryptedText)
    secrets: Mapped[JsonObject | None] = mapped_column(EncryptedJson)
    content: Mapped[bytes | None] = deferred(mapped_column(EncryptedBytes))

A JSON document of which only some entries are secret: `app.platform.sealed_json`. Two encryptions of one value differ,
so such a column is never searched, compared or indexed.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from functools import lru_cache
from typing import cast

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Dialect, LargeBinary, Text
from sqlalchemy.types import TypeDecorator

from app.platform.json import JsonObject
from app.settings import get_settings
from geo.errors import UnavailableError


class KeyRing:
    """Encrypts with the first of its secrets, decrypts with any of them.

    A secret is text of any length with enough randomness; its key is derived by HKDF-SHA256 (RFC 5869).
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self._fernet = MultiFernet([Fernet(_derive(secret)) for secret in secrets])

    def encrypt(self, value: str) -> str:
        """The value, encrypted; differs each time."""
        return self.encrypt_bytes(value.encode()).decode("ascii")

    def encrypt_bytes(self, value: bytes) -> bytes:
        """The bytes, encrypted: a token of letters and digits, a third longer."""
        return self._fernet.encrypt(value)

    def decrypt(self, token: str) -> str:
        """The value that was encrypted.

        Raises
        ------
        UnavailableError
            If none of the keys encrypted it, or it was altered.
        """
        return self.decrypt_bytes(token.encode()).decode()

    def decrypt_bytes(self, token: bytes) -> bytes:
        """The bytes that were encrypted; raises as `decrypt`."""
        try:
            return self._fernet.decrypt(token)
        except InvalidToken:
            raise UnavailableError(
                "A value in the database is encrypted with a key that this installation does not have; "
                "add the former key to CUAKHAU_ENCRYPTION_KEYS."
            ) from None

    def reencrypt(self, token: str) -> str:
        """The same value under the first key; raises as `decrypt`."""
        return self.encrypt(self.decrypt(token))


def _derive(secret: str) -> bytes:
    derived = HKDF(SHA256(), length=32, salt=None, info=b"cuakhau: values in the database").derive(secret.encode())
    return urlsafe_b64encode(derived)


@lru_cache(maxsize=1)
def key_ring() -> KeyRing:
    """The keys of this process, from its settings; for migrations, and values that are not a column of their own."""
    return KeyRing(get_settings().encryption_secrets())


class EncryptedText(TypeDecorator[str]):
    """Text that is encrypted in the database and clear in Python."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: Dialect) -> str | None:
        """What the database holds of a value; an empty text has nothing to hide."""
        return key_ring().encrypt(value) if value else value

    def process_result_value(self, value: str | None, _dialect: Dialect) -> str | None:
        """The value; raises as `KeyRing.decrypt`."""
        return key_ring().decrypt(value) if value else value


class EncryptedBytes(TypeDecorator[bytes]):
    """Bytes, such as a file, that are encrypted in the database and clear in Python."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, _dialect: Dialect) -> bytes | None:
        """What the database holds of the bytes."""
        return None if value is None else key_ring().encrypt_bytes(value)

    def process_result_value(self, value: bytes | memoryview | None, _dialect: Dialect) -> bytes | None:
        """The bytes; raises as `KeyRing.decrypt`."""
        return None if value is None else key_ring().decrypt_bytes(bytes(value))


class EncryptedJson(TypeDecorator[JsonObject]):
    """A JSON object that is encrypted in the database and clear in Python; replace it, changes inside are not seen."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: JsonObject | None, _dialect: Dialect) -> str | None:
        """What the database holds of an object."""
        return None if value is None else key_ring().encrypt(json.dumps(value, ensure_ascii=False))

    def process_result_value(self, value: str | None, _dialect: Dialect) -> JsonObject | None:
        """The object; raises as `KeyRing.decrypt`."""
        return None if value is None else cast(JsonObject, json.loads(key_ring().decrypt(value)))
