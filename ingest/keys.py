"""Secrets of devices and gateways: made here, kept only as hashes."""

from __future__ import annotations

import hashlib
import secrets

HASH_BYTES = hashlib.sha256().digest_size


def new_identifier() -> str:
    """128 random bits as 32 hexadecimal digits: what a GPS client is set up with."""
    return secrets.token_hex(16)


def hash_key(key: str) -> bytes:
    """SHA-256 of an identifier or token; it is too long to guess, so it needs no slow hash."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
