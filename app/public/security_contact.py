"""The text of security.txt (RFC 9116)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

VALID: Final = timedelta(days=180)
"""RFC 9116, 2.5.5 recommends less than a year."""


def security_txt(base_url: str, contact: str, now: datetime) -> str:
    """What finders of faults read, of a platform at `base_url`; without a contact the mailbox that RFC 2142 names."""
    base = base_url.rstrip("/")
    mailbox = f"mailto:security@{urlsplit(base).hostname or 'localhost'}"
    expires = (now.astimezone(UTC) + VALID).replace(hour=0, minute=0, second=0, microsecond=0)
    lines = [
        f"Contact: {contact or mailbox}",
        f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}",
        "Preferred-Languages: vi, en, zh",
        f"Canonical: {base}/.well-known/security.txt",
    ]
    return "\n".join(lines) + "\n"
