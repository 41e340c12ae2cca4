"""Encryption of what leaves the platform's servers: the age format (age-encryption.org/v1), X25519 recipients.

Whoever backs up needs only the recipients, which are public; whoever restores needs the identity, kept elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol, TypeAlias

import pyrage

from app.ops.server_user import write_private
from geo.errors import InvalidInputError

IDENTITY: Final = "backup-identity.txt"
"""In the data directory: the identity that is made where no recipient is configured."""

Recipients: TypeAlias = Sequence[pyrage.x25519.Recipient]
Identities: TypeAlias = Sequence[pyrage.x25519.Identity]


class Readable(Protocol):
    """What can be read from."""

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes; none at the end."""
        ...


class Writable(Protocol):
    """What can be written to."""

    def write(self, data: bytes, /) -> int:
        """How many bytes of `data` were taken."""
        ...

    def flush(self) -> None:
        """Pass on what was taken."""
        ...


def recipients_of(texts: Sequence[str], data_dir: Path) -> list[pyrage.x25519.Recipient]:
    """The recipients that some texts (`age1…`) name; of none, that of the identity kept in `data_dir`, made if new.

    Raises
    ------
    InvalidInputError
        If a text is no recipient.
    """
    if not texts:
        path = data_dir / IDENTITY
        if not path.exists():
            data_dir.mkdir(parents=True, exist_ok=True)
            made = pyrage.x25519.Identity.generate()
            write_private(path, f"# public key: {made.to_public()}\n{made}\n")
        return [identity.to_public() for identity in read_identities(path)]
    found = []
    for text in texts:
        try:
            found.append(pyrage.x25519.Recipient.from_str(text))
        except pyrage.RecipientError:
            raise InvalidInputError("{value} is no age recipient (age1…).", field="recipient", value=text) from None
    return found


def read_identities(path: Path) -> list[pyrage.x25519.Identity]:
    """The identities of a file as age-keygen writes it.

    Raises
    ------
    InvalidInputError
        If there is no such file, or it holds none.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InvalidInputError(
            "The identity {path} cannot be read ({reason}); name the file with --identity.",
            field="identity",
            path=path,
            reason=reason,
        ) from None
    try:
        found = [pyrage.x25519.Identity.from_str(line.strip()) for line in lines if line.startswith("AGE-SECRET-KEY-")]
    except pyrage.IdentityError:
        found = []
    if not found:
        raise InvalidInputError("{path} holds no age identity (AGE-SECRET-KEY-…).", field="identity", path=path)
    return found


def encrypt(source: Readable, target: Writable, recipients: Recipients) -> None:
    """Encrypt `source` to its end into `target`, in pieces of constant memory."""
    pyrage.encrypt_io(source, target, list(recipients))
    target.flush()


def decrypt(source: Readable, target: Writable, identities: Identities) -> None:
    """Decrypt `source` to its end into `target`.

    Raises
    ------
    InvalidInputError
        If it is for another identity, cut short, or was changed.
    """
    try:
        pyrage.decrypt_io(source, target, list(identities))
        target.flush()
    except (pyrage.DecryptError, ValueError) as error:
        raise InvalidInputError("It cannot be decrypted: {reason}.", field="file", reason=str(error)) from None
