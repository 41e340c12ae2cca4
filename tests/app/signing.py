"""Signing in, as tests do it: doors, accounts, and an authenticator that is software."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from redis import Redis
from sqlalchemy.orm import Session
from webauthn.helpers import bytes_to_base64url

from app.accounts import service as accounts
from app.accounts.sessions import Client
from app.platform.actions import ActionContext
from app.platform.runtime import Runtime
from app.settings import Settings
from app.signin.door import Door, Site

PASSWORD = "correct horse battery staple"
OTHER_PASSWORD = "nine quiet boats on a river"
SITE = Site("testserver", "http://testserver")
WALL_S = 1_772_420_415.0
"""15 s into a half minute."""


def make_account(runtime: Runtime, role: str, username: str, **values: Any) -> int:
    """An account whose password is its owner's; its number."""
    with runtime.sessions.begin() as session:
        action = ActionContext(session, None, runtime.clock.now())
        values = {"password": PASSWORD, "full_name": "Trần Thị Mai", **values}
        return accounts.create_account(action, username=username, role=role, **values).account_id


def open_door(
    session: Session, redis: Redis, settings: Settings, now: datetime, *, address: str = "192.0.2.1", device: str = ""
) -> Door:
    """A door that somebody knocks at."""
    return Door(session, redis, settings, Client(address, "a browser"), SITE, now, WALL_S, device)


@dataclass
class Authenticator:
    """A security key in software (WebAuthn level 3, 6): no attestation, ES256, counts what it signs."""

    origin: str = SITE.origin
    is_verifying: bool = True
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    count: int = 0

    def make(self, options: dict[str, Any]) -> str:
        """What a browser sends for `navigator.credentials.create(options)`."""
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        held = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + cbor2.dumps(cose)
        data = self._data(options["rp"]["id"], flags=0x41, more=held)
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client("webauthn.create", options["challenge"])
        return self._sent({"attestationObject": attestation, "clientDataJSON": client}, transports=["internal"])

    def sign(self, options: dict[str, Any]) -> str:
        """What a browser sends for `navigator.credentials.get(options)`."""
        self.count += 1
        data = self._data(options["rpId"], flags=0x01)
        client = self._client("webauthn.get", options["challenge"])
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._sent({"authenticatorData": data, "clientDataJSON": client, "signature": signature})

    def _data(self, site: str, *, flags: int, more: bytes = b"") -> bytes:
        verified = 0x04 if self.is_verifying else 0
        return hashlib.sha256(site.encode()).digest() + bytes([flags | verified]) + self.count.to_bytes(4, "big") + more

    def _client(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin}).encode()

    def _sent(self, response: dict[str, bytes], **more: list[str]) -> str:
        written = {name: bytes_to_base64url(value) for name, value in response.items()}
        credential_id = bytes_to_base64url(self.credential_id)
        return json.dumps(
            {
                "id": credential_id,
                "rawId": credential_id,
                "type": "public-key",
                "response": {**written, **more},
                "clientExtensionResults": {},
            }
        )
