"""Signed heads of the audit log, written where whoever owns the database cannot reach.

A head is the number and hash of the newest row, with the time, signed by Ed25519 (RFC 8032). Its key is a file beside
the platform, outside the database. Whoever rewrites the log with all hashes computed again, cuts its tail or empties it
has a chain that is whole in itself; it no longer holds the head that was written elsewhere an hour before.
"""

from __future__ import annotations

import logging
import logging.handlers
import os
import socket
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from sqlalchemy.orm import Session

from app.platform import audit_store
from app.settings import Settings
from geo.errors import MalformedError, UnavailableError

EVERY: Final = timedelta(hours=1)
TIMEOUT_S: Final = 10.0
KIND: Final = "cuakhau-audit-head/1"
DEFAULT_FILE: Final = "audit-heads.jsonl"


@dataclass(frozen=True)
class SignedHead:
    """One head as it is written: hash in hexadecimal, signature in base64 over all other fields."""

    audit_id: int
    hash: str
    made_at: str
    kind: str = KIND
    signature: str = ""

    def content(self) -> bytes:
        """What is signed: the other fields as JSON with sorted keys."""
        fields = asdict(self)
        del fields["signature"]
        return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)

    def line(self) -> str:
        """The head as one line of JSON."""
        return orjson.dumps(asdict(self), option=orjson.OPT_SORT_KEYS).decode()

    def noted(self) -> tuple[int, bytes]:
        """Number and hash, as `audit.verify` compares them."""
        return self.audit_id, bytes.fromhex(self.hash)


@dataclass(frozen=True)
class Keys:
    """The key that signs heads and the one that checks them."""

    private: Ed25519PrivateKey

    @classmethod
    def of(cls, settings: Settings) -> Keys:
        """The installation's key, made at first use; its public half lies beside it, to be copied elsewhere."""
        path = settings.audit_key_file or settings.data_dir / "audit-key.pem"
        if not path.exists():
            made = Ed25519PrivateKey.generate()
            _write_new(path, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            _write_new(path.with_suffix(".pub"), public_pem(made.public_key()))
        loaded = load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(loaded, Ed25519PrivateKey):
            raise UnavailableError("{path} is not a private key of Ed25519.", path=path)
        return cls(loaded)

    def sign(self, head: SignedHead) -> SignedHead:
        """The head with its signature."""
        return replace(head, signature=b64encode(self.private.sign(head.content())).decode())


def public_pem(key: Ed25519PublicKey) -> bytes:
    """A public key as a file holds it."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def read_public_key(path: Path) -> Ed25519PublicKey:
    """The public key of a PEM file; raises MalformedError if it holds none."""
    try:
        loaded = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise MalformedError("{path} holds no public key: {reason}", path=path, reason=error) from None
    if not isinstance(loaded, Ed25519PublicKey):
        raise MalformedError("{path} holds no public key of Ed25519.", path=path)
    return loaded


def read_heads(path: Path, key: Ed25519PublicKey) -> list[SignedHead]:
    """The heads of a file, one JSON object a line, each with its signature checked.

    Raises
    ------
    MalformedError
        If there is none, a line is no head, or a signature is not the installation's; the line is named.
    """
    try:
        lines = [line for line in path.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise MalformedError("{path} cannot be read: {reason}", path=path, reason=error) from None
    if not lines:
        raise MalformedError("{path} holds no head of the audit log.", path=path)
    return [_read_head(line, number, path, key) for number, line in enumerate(lines, 1)]


def _read_head(line: str, number: int, path: Path, key: Ed25519PublicKey) -> SignedHead:
    try:
        head = SignedHead(**orjson.loads(line))
        head.noted()
        key.verify(b64decode(head.signature, validate=True), head.content())
    except InvalidSignature:
        raise MalformedError(
            "Line {number} of {path} is not signed with this installation's key.", number=number, path=path
        ) from None
    except (TypeError, ValueError):
        raise MalformedError("Line {number} of {path} is no head of the audit log.", number=number, path=path) from None
    return head


def newest_head(session: Session, keys: Keys, now: datetime) -> SignedHead | None:
    """The signed head of the log as it is; `None` if it is empty."""
    newest = audit_store.last_audit(session)
    if newest is None:
        return None
    return keys.sign(SignedHead(newest[0], newest[1].hex(), now.astimezone(UTC).isoformat(timespec="seconds")))


def places(settings: Settings) -> list[str]:
    """Where heads are written: what the setting says, else a file in the data directory."""
    named = [place.strip() for place in settings.audit_heads.get_secret_value().split(",") if place.strip()]
    return named or [f"file:{settings.data_dir / DEFAULT_FILE}"]


def write_due(session: Session, settings: Settings, now: datetime) -> int:
    """Write the head to each place that got none for an hour; how many.

    A place that fails keeps none of the others from theirs; it is tried again the next minute.

    Raises
    ------
    UnavailableError
        If the file of the key holds another kind of key.
    """
    due = [place for place in places(settings) if _is_due(session, place, now)]
    head = newest_head(session, Keys.of(settings), now) if due else None
    if head is None:
        return 0
    failed = []
    for place in due:
        try:
            send(place, head)
        except (OSError, httpx.HTTPError, ValueError) as error:
            failed.append(f"{shown(place)}: {type(error).__name__}")
            continue
        audit_store.insert_head(
            session, place_key(place), head.audit_id, bytes.fromhex(head.hash), b64decode(head.signature), at=now
        )
    if failed:
        logging.getLogger("audit").warning("heads of the audit log were not written: %s", "; ".join(failed))
    return len(due) - len(failed)


def _is_due(session: Session, place: str, now: datetime) -> bool:
    written = audit_store.last_head_at(session, place_key(place))
    return written is None or not timedelta(0) <= now - written < EVERY


def place_key(place: str) -> str:
    """How the database calls a place: what it is and a digest, for its address may hold a token."""
    return f"{place.partition(':')[0]}-{sha256(place.encode()).hexdigest()[:12]}"


def shown(place: str) -> str:
    """A place without what may be secret in it."""
    parts = urlsplit(place)
    return f"{parts.scheme}://{parts.hostname}" if parts.hostname else place


def send(place: str, head: SignedHead) -> None:
    """Write a head to one place: `file:PATH`, `https://…` (POST, answered 2xx) or `syslog://HOST[:PORT]` (RFC 3164).

    Raises
    ------
    OSError, httpx.HTTPError, ValueError
        If it cannot be written there.
    """
    parts = urlsplit(place)
    if parts.scheme == "file":
        _append(Path(parts.path), head.line())
    elif parts.scheme in ("http", "https"):
        content, headers = head.line().encode(), {"Content-Type": "application/json"}
        httpx.post(place, content=content, headers=headers, timeout=TIMEOUT_S).raise_for_status()
    elif parts.scheme == "syslog":
        _send_to_syslog(parts.hostname or "localhost", parts.port or 514, head.line())
    else:
        raise ValueError(f"{parts.scheme or place} is not one of file, https, syslog")


def _append(path: Path, line: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(descriptor)


def _send_to_syslog(host: str, port: int, line: str) -> None:
    facility, severity = logging.handlers.SysLogHandler.LOG_AUTHPRIV, logging.handlers.SysLogHandler.LOG_NOTICE
    message = f"<{facility << 3 | severity}>cuakhau-audit: {line}".encode()
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as connection:
        connection.sendto(message, address)


def _write_new(path: Path, content: bytes) -> None:
    """A file that only its owner reads, and that is not there yet: two processes make one key."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def noted(heads: Iterable[SignedHead]) -> list[tuple[int, bytes]]:
    """Numbers and hashes of heads, for `audit.verify`."""
    return [head.noted() for head in heads]
